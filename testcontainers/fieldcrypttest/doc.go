// Package fieldcrypttest gives an integration test a Postgres, a KMS, keysets and
// the tables of its models, in a few lines:
//
//	env := fieldcrypttest.Start(t, fieldcrypttest.Options{Models: []any{&Patient{}}})
//	env.GORM.Create(&Patient{Card: "4111 1111 1111 1111"})
//	env.AssertNoPlaintext(t, "4111 1111 1111 1111")
//	env.AssertKMSCalls(t, 2)           // one for each domain, and none since
//	env.KMS.Deny("alias/finance-key")  // failures on demand
//	env.Reset(t)                       // the next test begins anew
//
// # Which Postgres
//
// The first of these that is there; the first test of a process logs which:
//
//  1. the server that FIELDCRYPT_TEST_POSTGRES_URL names, by a role that may create
//     databases
//  2. a container of the image that FIELDCRYPT_TEST_POSTGRES_IMAGE names; it is an
//     error if no container engine answers
//  3. the binaries in the folder FIELDCRYPT_TEST_POSTGRES_BIN
//  4. a container of Options.Image, if a container engine answers
//  5. the newest Postgres that is installed
//
// A test process starts one server for each image that it asks for, and each
// [Start] gets databases of its own on it, so that tests may run in parallel, in
// one package and in several. Databases go with their test. Servers go with the
// process, however that ends, kill -9 included: a container's first process reads
// from a connection that this process holds open and ends with it. No reaper is
// needed for that; where one is not wanted or cannot be pulled, set
// TESTCONTAINERS_RYUK_DISABLED=true as for all of testcontainers-go.
//
// # The KMS
//
// It runs in the process (awskmstest) unless [Options].KMS names a container. For
// each domain it has a key that wraps the domain's keysets, under the alias
// "alias/<domain>-key".
package fieldcrypttest
