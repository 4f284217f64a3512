// Package fieldcrypt encrypts the sensitive fields of database records before
// they leave the process.
//
// Struct tags mark them and name the key domain that each belongs to:
//
//	type Patient struct {
//		gormcrypt.Encrypted        // GORM models only
//		ID    uint64
//		MRN   string  `fieldcrypt:"medical,index" gorm:"uniqueIndex"`
//		Card  string  `fieldcrypt:"finance,index=digits"`
//		Notes *string `fieldcrypt:"medical,pad=64"`
//	}
//
// The tag is "<domain>[,option]...". Options:
//
//   - index, index=<transform>|...: equality search through a blind index
//   - pad=<n>: pad the plaintext to a multiple of n bytes, 2 to 4096
//   - id=<table.column>: the logical name, kept when a table or column is renamed
//   - bind=<Field>: tie the value to that field's value in the same row
//   - plain=<column>: while a plaintext column is being adopted
//
// A field tagged ",tenant" is the plain tenant column that models with
// per-tenant domains need. Indexes over several fields, more than one on a
// field, and truncated ones are declared by a method FieldcryptIndexes (see
// [Index]).
//
// A [Crypter] seals and opens fields with the keys of a keymgr.Manager. Drivers
// are built on it: gormcrypt for GORM, pgxcrypt for pgx and sqlc; applications
// seldom call it themselves.
//
// Where the Go type of a value is all that says which column it belongs to, a
// [Secret] takes the place of a tagged field.
//
// # What is stored
//
// FORMAT.md beside this file is byte-exact. A value is two header bytes and an
// ordinary Tink XAES-256-GCM ciphertext; the values of one domain that are
// written together in one row share a salt, and so one key derivation. What is
// stored is read for ever: a format changes only by a new version that reads
// the old one.
//
// # Failing closed
//
// Opening never returns what does not authenticate, and sealing never returns
// what was given. Every error is an [*Error] that names the place and matches a
// sentinel; none holds a value.
package fieldcrypt
