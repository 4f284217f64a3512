// Package pgx_test runs pgxcrypt on Postgres.
package pgx_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/tracelog"

	"github.com/fieldcrypt/go/drivers/pgxcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/internal/pgtest"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
)

var ctx = context.Background()

var modes = []pgx.QueryExecMode{
	pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec,
	pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
}

// inEachMode runs a test with a pool in each of pgx's modes, on one database
// whose tables are dropped in between.
func inEachMode(t *testing.T, test func(t *testing.T, db *pgxpool.Pool)) {
	inModes(t, pgtest.DB(t), test)
}

func inModes(t *testing.T, url string, test func(t *testing.T, db *pgxpool.Pool)) {
	for _, mode := range modes {
		t.Run(strings.ReplaceAll(mode.String(), " ", "_"), func(t *testing.T) {
			db := pool(t, url, func(cfg *pgxpool.Config) { cfg.ConnConfig.DefaultQueryExecMode = mode })
			exec(t, db, `DROP SCHEMA public CASCADE; CREATE SCHEMA public`)
			test(t, db)
		})
	}
}

// pool opens a pool on a database.
func pool(t testing.TB, url string, change ...func(*pgxpool.Config)) *pgxpool.Pool {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range change {
		c(cfg)
	}
	db, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db
}

func newCrypter(t testing.TB) *fieldcrypt.Crypter {
	return fieldcrypt.New(keymgrtest.New(t, "medical", "finance"), fieldcrypt.Config{})
}

// execer runs statements.
type execer interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// exec runs statements without arguments.
func exec(t testing.TB, db *pgxpool.Pool, sql string, args ...any) {
	t.Helper()
	if _, err := db.Exec(ctx, sql, args...); err != nil {
		t.Fatal(err)
	}
}

// migrate makes the encrypted columns of models in tables that are there.
func migrate(t testing.TB, db *pgxpool.Pool, fc *fieldcrypt.Crypter, models ...any) {
	t.Helper()
	ddl, err := pgxcrypt.DDL(fc, models...)
	if err != nil {
		t.Fatal(err)
	}
	exec(t, db, ddl)
}

// collect reads rows that must be fine.
func collect[T any](t testing.TB, db execer, fn pgx.RowToFunc[T], sql string, args ...any) []T {
	t.Helper()
	list, err := query(db, fn, sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// query reads rows.
func query[T any](db execer, fn pgx.RowToFunc[T], sql string, args ...any) ([]T, error) {
	rows, err := db.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, fn)
}

// log keeps what pgx's tracelog logs at its most talkative.
type log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// trace makes a pool log.
func (l *log) trace(cfg *pgxpool.Config) {
	cfg.ConnConfig.Tracer = &tracelog.TraceLog{Logger: l, LogLevel: tracelog.LogLevelTrace}
}

// Log implements tracelog.Logger.
func (l *log) Log(_ context.Context, level tracelog.LogLevel, msg string, data map[string]any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(&l.buf, "%s %s %v\n%+v\n%#v\n", level, msg, data, data, data)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
