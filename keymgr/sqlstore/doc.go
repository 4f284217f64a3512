// Package sqlstore keeps wrapped keysets in the application's own database,
// through database/sql and whatever driver the application opened it with:
// PostgreSQL 10 or later, or SQLite 3.37 or later.
//
// Run [Migrate] once (any number of processes may, at the same time), or give
// the text of [DDL] to your own migrations; nothing else here runs DDL. Tables
// are found through the search_path and never qualified by a schema.
//
// The store needs nothing from the database but what every deployment has: it
// holds one connection for one statement or one short transaction and never
// waits for a second one, so a pool of one connection is enough; it takes no
// session locks and prepares no statements of its own, so a pooler in
// transaction mode is fine. On Postgres its transactions are READ COMMITTED,
// whatever the default is. On SQLite every transaction begins with a write, so
// that concurrent writers wait for each other as long as the busy_timeout of
// the connection says: set one.
//
// Who opens scopes needs SELECT on fieldcrypt_keysets and
// fieldcrypt_keyset_wraps; with SELECT on fieldcrypt_key_events too it hears of a
// scope that was destroyed by keymgr.ErrScopeDestroyed, else by
// keymgr.ErrScopeNotFound. Who makes scopes needs SELECT and INSERT on all three
// and DELETE on the wraps; who changes them needs UPDATE on the keysets as well,
// and who destroys them DELETE.
//
// Times are those of the process that writes, in UTC and microseconds. They
// are for people: nothing is decided by them.
package sqlstore
