// Package drivertest is the conformance suite of fieldcrypt's drivers.
//
// A driver's test hands [Exercise] a function that opens an empty database with
// the driver in front of it, as a [Driver]:
//
//	drivertest.Exercise(t, func(t *testing.T, fc *fieldcrypt.Crypter) drivertest.Driver { ... })
//
// The suite makes its own keys, in memory, with a clock that it moves, a KMS that
// it makes refuse and a store that it takes away. It checks what every driver
// owes: that all types come back as they were, that nothing is stored, logged or
// returned in the clear that should not be, that what was tampered with does not
// open, that searches find, and that every failure is an error of its class.
//
// The models are structs with the tags of both GORM and pgx. A driver whose
// models need more, such as a marker, embeds them in types of its own: tables and
// columns have explicit names, so identities stay the same.
package drivertest
