// Package localkms is a KEK in a file or an environment variable, for
// development and for places without a KMS.
//
// It protects what a database, its backups and its replicas hold from whoever
// has those alone. It does not do what a KMS does: whoever reads the file once
// can unwrap for ever, nothing is logged, and nothing can be revoked. Keep the
// file away from the database and its backups, and a copy of it somewhere
// safe: without it every encrypted value is lost.
//
// The key file, the key's URI and the wrapped bytes are stored formats
// (FORMAT.md, "Local KEK"). Everything here runs under GODEBUG=fips140=only.
package localkms
