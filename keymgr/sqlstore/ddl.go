package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// object is a table or an index, and the statement that makes it.
type object struct{ name, ddl string }

// The order of the columns, their names and the names of the tables are public:
// operators query them, and later versions add to them.
//
// fieldcrypt_instances has a row per instance, with domain and tenant ” and what
// is of the instance, and a row per scope that it holds, with the version and the
// keys: those it can open and search with, as JSON lists, and those it writes with.
// Its times are the database's. A scope's row counts only beside its instance's.
var postgresSchema = []object{
	{"fieldcrypt_keysets", `CREATE TABLE IF NOT EXISTS fieldcrypt_keysets (
	domain     text COLLATE "C" NOT NULL,
	tenant     text COLLATE "C" NOT NULL,
	version    bigint NOT NULL CHECK (version > 0),
	seal       bytea NOT NULL,
	"index"    bytea NOT NULL,
	info       text NOT NULL,
	created_at timestamptz NOT NULL,
	updated_at timestamptz NOT NULL,
	PRIMARY KEY (domain, tenant)
)`},
	{"fieldcrypt_keyset_wraps", `CREATE TABLE IF NOT EXISTS fieldcrypt_keyset_wraps (
	domain         text COLLATE "C" NOT NULL,
	tenant         text COLLATE "C" NOT NULL,
	version        bigint NOT NULL,
	kek_uri        text COLLATE "C" NOT NULL,
	wrapped        bytea NOT NULL,
	tenant_context text NOT NULL,
	PRIMARY KEY (domain, tenant, version, kek_uri)
)`},
	{"fieldcrypt_key_events", `CREATE TABLE IF NOT EXISTS fieldcrypt_key_events (
	id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	at      timestamptz NOT NULL,
	actor   text NOT NULL,
	domain  text COLLATE "C" NOT NULL,
	tenant  text COLLATE "C" NOT NULL,
	version bigint NOT NULL,
	kind    text NOT NULL,
	purpose text NOT NULL,
	key_id  bigint NOT NULL,
	detail  text NOT NULL
)`},
	keyAddedIndex,
	scopeIndex,
	{"fieldcrypt_instances", `CREATE TABLE IF NOT EXISTS fieldcrypt_instances (
	instance    text COLLATE "C" NOT NULL,
	domain      text COLLATE "C" NOT NULL,
	tenant      text COLLATE "C" NOT NULL,
	seen_at     timestamptz NOT NULL,
	host        text,
	started_at  timestamptz,
	checked_at  timestamptz,
	max_age_ms  bigint,
	interval_ms bigint,
	version     bigint,
	seal_keys   text,
	index_keys  text,
	seal_key    bigint,
	index_key   bigint,
	PRIMARY KEY (instance, domain, tenant)
)`},
	instanceScopeIndex,
}

var sqliteSchema = []object{
	{"fieldcrypt_keysets", `CREATE TABLE IF NOT EXISTS fieldcrypt_keysets (
	domain     text NOT NULL,
	tenant     text NOT NULL,
	version    integer NOT NULL CHECK (version > 0),
	seal       blob NOT NULL,
	"index"    blob NOT NULL,
	info       text NOT NULL,
	created_at text NOT NULL,
	updated_at text NOT NULL,
	PRIMARY KEY (domain, tenant)
) STRICT`},
	{"fieldcrypt_keyset_wraps", `CREATE TABLE IF NOT EXISTS fieldcrypt_keyset_wraps (
	domain         text NOT NULL,
	tenant         text NOT NULL,
	version        integer NOT NULL,
	kek_uri        text NOT NULL,
	wrapped        blob NOT NULL,
	tenant_context text NOT NULL,
	PRIMARY KEY (domain, tenant, version, kek_uri)
) STRICT`},
	{"fieldcrypt_key_events", `CREATE TABLE IF NOT EXISTS fieldcrypt_key_events (
	id      integer PRIMARY KEY AUTOINCREMENT,
	at      text NOT NULL,
	actor   text NOT NULL,
	domain  text NOT NULL,
	tenant  text NOT NULL,
	version integer NOT NULL,
	kind    text NOT NULL,
	purpose text NOT NULL,
	key_id  integer NOT NULL,
	detail  text NOT NULL
) STRICT`},
	keyAddedIndex,
	scopeIndex,
	{"fieldcrypt_instances", `CREATE TABLE IF NOT EXISTS fieldcrypt_instances (
	instance    text NOT NULL,
	domain      text NOT NULL,
	tenant      text NOT NULL,
	seen_at     text NOT NULL,
	host        text,
	started_at  text,
	checked_at  text,
	max_age_ms  integer,
	interval_ms integer,
	version     integer,
	seal_keys   text,
	index_keys  text,
	seal_key    integer,
	index_key   integer,
	PRIMARY KEY (instance, domain, tenant)
) STRICT`},
	instanceScopeIndex,
}

// keyAddedIndex makes a key id unique over the whole store, for ever: events
// are never deleted.
var keyAddedIndex = object{"fieldcrypt_key_events_key_added",
	`CREATE UNIQUE INDEX IF NOT EXISTS fieldcrypt_key_events_key_added
	ON fieldcrypt_key_events (key_id) WHERE kind = 'key-added'`}

var scopeIndex = object{"fieldcrypt_key_events_scope",
	`CREATE INDEX IF NOT EXISTS fieldcrypt_key_events_scope
	ON fieldcrypt_key_events (domain, tenant, id)`}

var instanceScopeIndex = object{"fieldcrypt_instances_scope",
	`CREATE INDEX IF NOT EXISTS fieldcrypt_instances_scope
	ON fieldcrypt_instances (domain, tenant)`}

func schema(d Dialect) []object {
	if d == Postgres {
		return postgresSchema
	}
	return sqliteSchema
}

// DDL returns the statements that [Migrate] runs, for migrations of your own.
// It is "" for a Dialect that is not one of the constants.
func DDL(d Dialect) string {
	if d != Postgres && d != SQLite {
		return ""
	}
	var b strings.Builder
	for _, o := range schema(d) {
		b.WriteString(o.ddl + ";\n")
	}
	return b.String()
}

// migrateLock is the Postgres advisory lock of Migrate ("fieldcry" in ASCII).
const migrateLock int64 = 0x6669656c64637279

// Migrate makes the tables that are missing and leaves those that are there
// alone, so it can run at every start, in many processes at once, and, once
// the tables exist, by a role that may not create any. Errors match
// keymgr.ErrStoreUnavailable.
func Migrate(ctx context.Context, db *sql.DB) error {
	return fail(ctx, "migrate", migrate(ctx, db))
}

func migrate(ctx context.Context, db *sql.DB) error {
	d, err := detect(ctx, db)
	if err != nil {
		return err
	}
	if d == SQLite {
		// Each statement is atomic and waits for its turn by itself; inside a
		// transaction a second process's would fail for its old snapshot.
		for _, o := range sqliteSchema {
			if _, err := db.ExecContext(ctx, o.ddl); err != nil {
				return fmt.Errorf("%s: %w", o.name, err)
			}
		}
		return nil
	}

	tx, err := db.BeginTx(ctx, d.txOptions())
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", migrateLock); err != nil {
		return err
	}
	for _, o := range postgresSchema {
		// IF NOT EXISTS alone looks only at the first schema of the search_path
		// and asks for the right to create there before it looks: it would
		// shadow tables that stand in a later schema with empty ones.
		var missing bool
		if err := tx.QueryRowContext(ctx, "SELECT to_regclass($1) IS NULL", o.name).Scan(&missing); err != nil {
			return err
		}
		if !missing {
			continue
		}
		if _, err := tx.ExecContext(ctx, o.ddl); err != nil {
			return fmt.Errorf("%s: %w", o.name, err)
		}
	}
	return tx.Commit()
}
