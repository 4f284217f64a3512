package migrate

import (
	"context"
	"strings"
)

// table is a state table, or an index on one.
type table struct{ name, ddl string }

// The tables, in Postgres's words. Operators may query them; later versions add
// columns. bigserial, bytea and the time are worded otherwise for SQLite.
var schema = []table{
	{"fieldcrypt_jobs", `CREATE TABLE IF NOT EXISTS fieldcrypt_jobs (
	id            text PRIMARY KEY,
	kind          text NOT NULL,
	target        text NOT NULL,
	spec          text NOT NULL,
	spec_hash     bytea NOT NULL,
	phase         text NOT NULL,
	pass          integer NOT NULL DEFAULT 1,
	fruitless     integer NOT NULL DEFAULT 0,
	desired       text NOT NULL DEFAULT 'run' CHECK (desired IN ('run', 'pause', 'cancel')),
	limits        text NOT NULL,
	base_limits   text NOT NULL,
	limits_until  timestamptz,
	rows_estimate bigint NOT NULL,
	created_by    text NOT NULL,
	created_at    timestamptz NOT NULL,
	finished_at   timestamptz,
	events        bigint NOT NULL DEFAULT 0,
	head          bytea NOT NULL
)`},
	{"fieldcrypt_jobs_live", `CREATE UNIQUE INDEX IF NOT EXISTS fieldcrypt_jobs_live
	ON fieldcrypt_jobs (target, kind) WHERE finished_at IS NULL`},
	{"fieldcrypt_job_shards", `CREATE TABLE IF NOT EXISTS fieldcrypt_job_shards (
	job             text NOT NULL REFERENCES fieldcrypt_jobs,
	shard           integer NOT NULL,
	relation        text NOT NULL,
	lo              bytea,
	hi              bytea,
	block_lo        bigint,
	block_hi        bigint,
	cursor          bytea,
	done            boolean NOT NULL DEFAULT false,
	pass_changed    bigint NOT NULL DEFAULT 0,
	pass_conflicts  bigint NOT NULL DEFAULT 0,
	owner           text NOT NULL DEFAULT '',
	fence           bigint NOT NULL DEFAULT 0,
	lease_until     timestamptz,
	heartbeat_at    timestamptz,
	scanned         bigint NOT NULL DEFAULT 0,
	changed         bigint NOT NULL DEFAULT 0,
	conflicts       bigint NOT NULL DEFAULT 0,
	failed          bigint NOT NULL DEFAULT 0,
	busy_us         bigint NOT NULL DEFAULT 0,
	throttled_us    bigint NOT NULL DEFAULT 0,
	throttle_reason text NOT NULL DEFAULT '',
	throttled_since timestamptz,
	batch_rows      integer NOT NULL DEFAULT 0,
	counts          text NOT NULL DEFAULT '',
	PRIMARY KEY (job, shard)
) WITH (fillfactor = 50)`},
	{"fieldcrypt_job_failures", `CREATE TABLE IF NOT EXISTS fieldcrypt_job_failures (
	job         text NOT NULL REFERENCES fieldcrypt_jobs,
	relation    text NOT NULL,
	key         bytea NOT NULL,
	key_text    text NOT NULL,
	class       text NOT NULL,
	pass        integer NOT NULL,
	attempts    integer NOT NULL DEFAULT 1,
	first_at    timestamptz NOT NULL,
	last_at     timestamptz NOT NULL,
	resolution  text NOT NULL DEFAULT '',
	resolved_by text NOT NULL DEFAULT '',
	PRIMARY KEY (job, relation, key)
)`},
	{"fieldcrypt_job_events", `CREATE TABLE IF NOT EXISTS fieldcrypt_job_events (
	job    text NOT NULL REFERENCES fieldcrypt_jobs,
	seq    bigint NOT NULL,
	at     text NOT NULL,
	actor  text NOT NULL,
	event  text NOT NULL,
	detail text NOT NULL,
	prev   bytea NOT NULL,
	hash   bytea NOT NULL,
	PRIMARY KEY (job, seq)
)`},
}

var sqliteTypes = strings.NewReplacer("bytea", "blob", "bigint", "integer", "timestamptz", "text",
	"boolean NOT NULL DEFAULT false", "integer NOT NULL DEFAULT 0", "WITH (fillfactor = 50)", "")

func (d dialect) statement(t table) string {
	if d == sqlite {
		return sqliteTypes.Replace(t.ddl)
	}
	return t.ddl
}

// DDL returns the statements that [Migrate] runs on this database, for migrations of
// your own.
func (db *DB) DDL() string { return ddl(db.dialect) }

func ddl(d dialect) string {
	var b strings.Builder
	for _, t := range schema {
		b.WriteString(d.statement(t) + ";\n")
	}
	return b.String()
}

// migrateLock is the advisory lock of Migrate on Postgres ("fcmigrat" in ASCII).
const migrateLock int64 = 0x66636d6967726174

// Migrate makes the tables that are missing and leaves the others alone. Any
// number of processes may run it at once, also by roles that may create none
// once they are there. Nothing else in this package makes or alters tables, but
// for [Guard].
func Migrate(ctx context.Context, db *DB) error {
	return db.tx(ctx, func(q querier) error {
		if db.dialect == postgres {
			if _, err := q.exec(ctx, "SELECT pg_advisory_xact_lock($1)", migrateLock); err != nil {
				return err
			}
		}
		for _, t := range schema {
			if db.dialect == postgres { // IF NOT EXISTS asks for the right to create first
				var there bool
				if _, err := one(ctx, q, "SELECT to_regclass($1) IS NOT NULL", []any{t.name}, &there); err != nil {
					return err
				}
				if there {
					continue
				}
			}
			if _, err := q.exec(ctx, db.dialect.statement(t)); err != nil {
				return err
			}
		}
		return nil
	})
}
