// Package memstore keeps wrapped keysets in memory: for tests and for programs
// whose data does not outlive them. When the process ends, the keys are gone,
// and with them everything that was sealed.
package memstore
