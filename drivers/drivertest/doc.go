// Package drivertest is the conformance suite of fieldcrypt's drivers.
//
// A driver's test hands [Exercise] a function that opens an empty database with
// the driver in front of it, as a [Driver]:
//
//	drivertest.Exercise(t, func(t *testing.T, fc *fieldcrypt.Crypter) drivertest.Driver { ... })
//
// The suite makes its own keys, in memory, with a clock that it moves, a KMS that
// it makes refuse and a store that it takes away. It checks what every driver
// owes: that all types come back as they were, odd values too; that nothing is
// stored, logged or returned in the clear that should not be; that what was
// tampered with does not open; that searches find, while keys rotate too; that
// tenants are kept apart and bound values in their rows; and that every failure is
// an error of its class.
//
// What a driver may lack is in interfaces that its Driver implements or not:
// upserts ([Upserter]), reading a part of a row ([PartReader]), writing the second
// column of an index that moves to another key ([Reindexer]), and seeing what
// updates are for ([UpdateGuard]). Their parts of the suite are skipped where it
// does not.
//
// The models are structs with the tags of both GORM and pgx. A driver whose
// models need more, such as a marker, embeds them in types of its own: tables and
// columns have explicit names, so identities stay the same.
package drivertest
