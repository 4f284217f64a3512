// Package pgtest gives tests a Postgres of their own.
//
// [DB] returns the URL of a fresh, empty database. It is made on the server that
// FIELDCRYPT_TEST_POSTGRES_URL names (a role that may create databases), or
// else on a server that the test process starts from the Postgres binaries of
// the machine: those in FIELDCRYPT_TEST_POSTGRES_BIN, or the newest that is
// installed in one of the usual folders or on the PATH.
//
// A test is skipped where there is neither, and fails there when CI=true. go test
// remembers a skip as a pass: once Postgres is installed, run make test, or go
// test -count=1.
//
// # How nothing is left behind
//
// initdb runs once per machine and Postgres version; its result is kept as an
// archive in $TMPDIR/fieldcrypt-pgtest-UID. A test process unpacks it into a
// folder of its own and starts one server there, which listens on a unix socket
// alone. As root all of this runs as nobody, because Postgres refuses root.
//
// The server is the child of a shell (watch.sh) that reads from a pipe whose
// only other end is in the test process. However that process ends, kill -9
// included, the shell sees the end of the pipe, stops the server and removes the
// folder. The shell holds a lock on the folder; should it be killed as well, the
// next test process finds the folder unlocked and removes it, upon which Postgres
// itself stops what may still run there.
package pgtest
