package migrate

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// DB is the application's database: its tables, and among them those of the jobs.
type DB struct {
	dialect dialect
	pool    *pgxpool.Pool
	prepare bool // statements may be prepared by name
	sqlite  *sql.DB
}

// Postgres is a database on PostgreSQL 12 or later. One connection of the pool is
// enough. Where a pooler between us and it does not know prepared statements, set
// the pool's DefaultQueryExecMode, as pgx itself needs it there.
func Postgres(pool *pgxpool.Pool) *DB {
	mode := pool.Config().ConnConfig.DefaultQueryExecMode
	return &DB{dialect: postgres, pool: pool, prepare: mode == pgx.QueryExecModeCacheStatement}
}

// SQLite is a database in a file, opened with any driver of SQLite 3.42 or later. Its
// jobs are done by one worker of one process at a time. Set a busy_timeout.
func SQLite(db *sql.DB) *DB { return &DB{dialect: sqlite, sqlite: db} }

type dialect int

const (
	postgres dialect = iota
	sqlite
)

// words are what the statements on the state tables leave to the dialect: the
// database's clock, a time some seconds from now, and row locks.
func (d dialect) words(sql string) string {
	if d == sqlite {
		return sqliteWords.Replace(sql)
	}
	return postgresWords.Replace(sql)
}

var (
	postgresWords = strings.NewReplacer("{now}", "clock_timestamp()", "{after(", "(clock_timestamp() + make_interval(secs => ", ")}", "))",
		"{lock}", "FOR UPDATE", "{skip}", "FOR UPDATE SKIP LOCKED", "{least}", "least", "{agg}", "json_agg", "{object}", "json_build_object",
		"{micros}", `to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`)
	sqliteWords = strings.NewReplacer("{now}", sqliteNow, "{after(", "strftime('%Y-%m-%dT%H:%M:%fZ', 'now', (", ")}", ") || ' seconds')",
		"{lock}", "", "{skip}", "", "{least}", "min", "{agg}", "json_group_array", "{object}", "json_object",
		"{micros}", sqliteNow)
)

const sqliteNow = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"

// querier runs statements on the state tables.
type querier interface {
	exec(ctx context.Context, sql string, args ...any) (int64, error)
	query(ctx context.Context, sql string, args []any, each func(scan func(...any) error) error) error
}

// one reads at most one row and reports whether there was one.
func one(ctx context.Context, q querier, sql string, args []any, dest ...any) (bool, error) {
	found := false
	err := q.query(ctx, sql, args, func(scan func(...any) error) error {
		found = true
		return scan(dest...)
	})
	return found, err
}

// tx runs f in one transaction, which is READ COMMITTED on Postgres. On SQLite
// every f begins with a write, or reads alone.
func (db *DB) tx(ctx context.Context, f func(q querier) error) error {
	if db.dialect == sqlite {
		return sqliteTx(ctx, db.sqlite, f)
	}
	return pgx.BeginTxFunc(ctx, db.pool, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
		return f(pgQuerier{tx})
	})
}

// q runs single statements, each a transaction of its own.
func (db *DB) q() querier {
	if db.dialect == sqlite {
		return sqliteQuerier{db.sqlite}
	}
	return pgQuerier{db.pool}
}

type pgQuerier struct {
	on interface {
		Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	}
}

func (p pgQuerier) exec(ctx context.Context, sql string, args ...any) (int64, error) {
	rows, err := p.on.Query(ctx, postgres.words(sql), args...)
	if err != nil {
		return 0, err
	}
	rows.Close()
	return rows.CommandTag().RowsAffected(), rows.Err()
}

func (p pgQuerier) query(ctx context.Context, sql string, args []any, each func(scan func(...any) error) error) error {
	rows, err := p.on.Query(ctx, postgres.words(sql), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// stamp is a time as either database gives it; zero for NULL.
type stamp struct{ time.Time }

func (s *stamp) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		s.Time = time.Time{}
	case time.Time:
		s.Time = v.UTC()
	case string:
		t, err := time.Parse(time.RFC3339Nano, v)
		s.Time = t
		return err
	default:
		return fmt.Errorf("a time that is a %T", src)
	}
	return nil
}

// catalogue reads what the database says of its tables.
func (db *DB) catalogue() *Catalogue {
	if db.dialect == sqlite {
		return SQLiteCatalogue(db.sqlite)
	}
	return PostgresCatalogue(db.pool)
}
