// Package migrate rewrites the rows of live tables: in batches, online, by any
// number of processes at once, and resumable from wherever it was killed.
//
// A job ([Start]) covers one table and is frozen when it starts: what it reads and
// writes, and how the table is cut into shards. Its state lives in four tables of
// the application's own database ([Migrate], [DDL]). [Work] does it, [Read] shows
// how far it is, [Set], [Pause], [Resume] and [Cancel] steer it while it runs. What is
// done to a row is a [Rewriter]'s business.
//
// # Why no row is lost
//
// A row is replaced only if every column that was read to make the new values
// still has the bytes that were read, in one statement with the check of the
// worker's lease, the cursor and the counters. So a live writer always wins, a
// repeated batch does nothing, and a worker that was paused for longer than its
// lease changes nothing when it wakes. Rows that a writer took are counted as
// conflicts, and the table is walked again until a pass changed nothing and met
// no conflict. Even that is no proof that a value is gone: a transaction that
// began before may still write it. See [Guard].
//
// # What it costs the application
//
// No transaction is open while rows are rewritten. Each batch is one statement,
// sized to take Limits.BatchTarget, and gives way after Limits.LockTimeout to
// whoever holds a row, so that it never waits long enough for a deadlock.
// Rows of one page are spread over many transactions, so that Postgres can reuse
// the space of their old versions and neither table nor indexes grow. Limits say
// when to wait; what cannot be measured counts as too much.
//
// The statements leave nothing set in a session: a pooler in transaction mode and a pool of one
// connection are fine. They run with fc.migrate = on, which a trigger reads with
// current_setting('fc.migrate', true).
package migrate
