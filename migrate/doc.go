// Package migrate rewrites the rows of live tables.
package migrate
