// Package sqlstore_test runs keymgr/sqlstore on real databases, with the drivers
// that applications use.
package sqlstore_test

import (
	"bytes"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/fieldcrypt/go/internal/pgtest"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
)

// database is a fresh database, without tables, that any number of pools can
// open, as so many processes would.
type database struct {
	dialect sqlstore.Dialect
	driver  string
	dsn     string
	conns   int // in a pool; 0: no limit
}

func (d database) pool(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open(d.driver, d.dsn)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(d.conns)
	t.Cleanup(func() { db.Close() })
	return db
}

// postgres is a database of Postgres's own.
func postgres(t *testing.T) database {
	return database{dialect: sqlstore.Postgres, driver: "pgx", dsn: pgtest.DB(t), conns: 20}
}

// schema is a fresh schema in d's database: cheaper than another database.
func (d database) schema(t *testing.T) database {
	t.Helper()
	name := "s" + strings.ToLower(rand.Text())
	_, err := d.pool(t).ExecContext(t.Context(), "CREATE SCHEMA "+name)
	ok(t, err)
	return d.with(t, "search_path", name)
}

// with sets a parameter of the connection string: a server setting, or one of
// the driver's.
func (d database) with(t *testing.T, key, value string) database {
	t.Helper()
	u, err := url.Parse(d.dsn)
	ok(t, err)
	q := u.Query()
	q.Set(key, value)
	u.RawQuery = q.Encode()
	d.dsn = u.String()
	return d
}

// sqlite is a file; nothing here crashes the machine, so nothing waits for the disk.
func sqlite(t *testing.T, pragmas ...string) database {
	d := database{dialect: sqlstore.SQLite, driver: "sqlite", conns: 20}
	d.dsn = "file:" + filepath.Join(t.TempDir(), "x.db") + "?_pragma=synchronous(OFF)"
	for _, p := range pragmas {
		d.dsn += "&_pragma=" + p
	}
	return d
}

const (
	wal     = "journal_mode(WAL)"
	patient = "busy_timeout(60000)"
)

// kind is a way to reach a database: its server, driver and settings.
type kind struct {
	name string
	open func(t *testing.T, pg database) database // a fresh one
}

var postgresKinds = []kind{
	{"default", func(t *testing.T, pg database) database { return pg.schema(t) }},
	{"simple protocol", func(t *testing.T, pg database) database {
		return pg.schema(t).with(t, "default_query_exec_mode", "simple_protocol")
	}},
	{"exec mode", func(t *testing.T, pg database) database {
		return pg.schema(t).with(t, "default_query_exec_mode", "exec")
	}},
	{"serializable by default", func(t *testing.T, pg database) database {
		return pg.schema(t).with(t, "default_transaction_isolation", "serializable")
	}},
	{"another time zone", func(t *testing.T, pg database) database { return pg.schema(t).with(t, "timezone", "Asia/Kathmandu") }},
	{"one connection", func(t *testing.T, pg database) database {
		d := pg.schema(t)
		d.conns = 1
		return d
	}},
}

var sqliteKinds = []kind{
	{"WAL", func(t *testing.T, _ database) database { return sqlite(t, patient, wal) }},
	{"rollback journal", func(t *testing.T, _ database) database { return sqlite(t, patient) }},
	{"one connection in memory", func(*testing.T, database) database {
		return database{dialect: sqlstore.SQLite, driver: "sqlite", dsn: ":memory:", conns: 1}
	}},
}

// onKinds runs f for every kind of database; each call of open gives a fresh one.
func onKinds(t *testing.T, f func(t *testing.T, open func(t *testing.T) database)) {
	run := func(t *testing.T, kinds []kind, pg database) {
		for _, k := range kinds {
			t.Run(k.name, func(t *testing.T) {
				f(t, func(t *testing.T) database { return k.open(t, pg) })
			})
		}
	}
	t.Run("sqlite", func(t *testing.T) { run(t, sqliteKinds, database{}) })
	t.Run("postgres", func(t *testing.T) { run(t, postgresKinds, postgres(t)) })
}

// onEach runs f on a fresh database of every kind.
func onEach(t *testing.T, f func(t *testing.T, d database)) {
	onKinds(t, func(t *testing.T, open func(t *testing.T) database) { f(t, open(t)) })
}

// onBoth runs f on a fresh database of either dialect that two pools can open.
func onBoth(t *testing.T, f func(t *testing.T, d database)) {
	t.Run("sqlite", func(t *testing.T) { f(t, sqlite(t, patient, wal)) })
	t.Run("postgres", func(t *testing.T) { f(t, postgres(t)) })
}

// migrated returns a pool of d with the tables in place.
func migrated(t *testing.T, d database) *sql.DB {
	t.Helper()
	db := d.pool(t)
	if err := sqlstore.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	return db
}

var medical = keymgr.Scope{Domain: "medical"}

// record is version v of scope; by tells writers apart.
func record(scope keymgr.Scope, v uint64, by string) keymgr.Record {
	text := fmt.Sprintf("%s version %d by %s", scope, v, by)
	return keymgr.Record{
		Scope: scope, Version: v,
		Seal: []byte("seal " + text), Index: []byte("index " + text), Info: fmt.Sprintf("%q", text),
		Wraps: []keymgr.Wrap{
			{KEKURI: "test-kms://a", Wrapped: []byte("a " + text)},
			{KEKURI: "test-kms://b", Wrapped: []byte("b " + text)},
		},
	}
}

func same(a, b keymgr.Record) bool {
	if len(a.Wraps) != len(b.Wraps) {
		return false
	}
	for i := range a.Wraps {
		if a.Wraps[i].KEKURI != b.Wraps[i].KEKURI || !bytes.Equal(a.Wraps[i].Wrapped, b.Wraps[i].Wrapped) {
			return false
		}
	}
	return a.Scope == b.Scope && a.Version == b.Version && bytes.Equal(a.Seal, b.Seal) && bytes.Equal(a.Index, b.Index) && a.Info == b.Info
}

func load(t *testing.T, s keymgr.Store, scope keymgr.Scope) keymgr.Record {
	t.Helper()
	r, err := s.Load(t.Context(), scope)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}

func count(t *testing.T, db *sql.DB, query string, args ...any) (n int) {
	t.Helper()
	ok(t, db.QueryRowContext(t.Context(), query, args...).Scan(&n))
	return n
}
