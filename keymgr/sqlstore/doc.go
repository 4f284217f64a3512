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
// On Postgres these are the rights that an application needs, and what an operator
// needs who creates and changes keys. An application that makes scopes itself
// (keymgr.Domain.AutoCreate) needs what both do:
//
//	GRANT SELECT ON fieldcrypt_keysets, fieldcrypt_keyset_wraps TO app;
//	GRANT SELECT, INSERT, UPDATE, DELETE ON fieldcrypt_instances TO app;
//
//	GRANT SELECT, INSERT, UPDATE ON fieldcrypt_keysets TO operator;
//	GRANT SELECT, INSERT, DELETE ON fieldcrypt_keyset_wraps TO operator;
//	GRANT SELECT, INSERT ON fieldcrypt_key_events TO operator;
//	GRANT SELECT, DELETE ON fieldcrypt_instances TO operator;
//
// Who destroys scopes needs more:
//
//	GRANT DELETE ON fieldcrypt_keysets TO operator;
//
// Without SELECT on fieldcrypt_key_events a scope that was destroyed is
// keymgr.ErrScopeNotFound in place of keymgr.ErrScopeDestroyed.
//
// Times are those of the process that writes, in UTC and microseconds. They
// are for people: nothing is decided by them. Not so in fieldcrypt_instances, by
// which promotion of keys is decided: its times are the database's, and its clock
// must not be set back while a promotion is waited for.
//
// On SQLite, where each write can cost a transaction of the application
// SQLITE_BUSY_SNAPSHOT, instances report only when something has changed.
package sqlstore
