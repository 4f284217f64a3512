package sqlstore_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
)

var medical = keymgr.Scope{Domain: "medical"}

// fakeDB answers queries by their text; everything else is a syntax error.
type fakeDB struct {
	mu      sync.Mutex
	answers map[string]string
	down    bool
	running func() // called while a query runs
	asked   map[string]int
}

func openFake(t *testing.T, f *fakeDB) *sql.DB {
	f.asked = map[string]int{}
	db := sql.OpenDB(f)
	t.Cleanup(func() { db.Close() })
	return db
}

var errDown = errors.New("connection refused")

func (f *fakeDB) Connect(context.Context) (driver.Conn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down {
		return nil, errDown
	}
	return fakeConn{f}, nil
}
func (f *fakeDB) Driver() driver.Driver { return nil }

type fakeConn struct{ *fakeDB }

func (c fakeConn) QueryContext(_ context.Context, query string, _ []driver.NamedValue) (driver.Rows, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	query = strings.Join(strings.Fields(query), " ")
	c.asked[query]++
	if c.running != nil {
		c.running()
		return nil, errors.New("interrupted (9)")
	}
	if answer, ok := c.answers[query]; ok {
		return &fakeRows{answer: answer}, nil
	}
	return nil, errors.New("syntax error")
}
func (c fakeConn) Prepare(string) (driver.Stmt, error) { return nil, errors.New("syntax error") }
func (c fakeConn) Begin() (driver.Tx, error)           { return nil, errors.New("syntax error") }
func (c fakeConn) Close() error                        { return nil }

type fakeRows struct {
	answer string
	done   bool
}

func (r *fakeRows) Columns() []string { return []string{"answer"} }
func (r *fakeRows) Close() error      { return nil }
func (r *fakeRows) Next(dest []driver.Value) error {
	if r.done {
		return io.EOF
	}
	r.done, dest[0] = true, r.answer
	return nil
}

func TestOtherDatabasesAreRefused(t *testing.T) {
	for name, answers := range map[string]map[string]string{
		"MySQL":       {"SELECT version()": "8.4.3"},
		"CockroachDB": {"SELECT version()": "CockroachDB CCL v24.1.0 (x86_64-pc-linux-gnu)"},
		"SQL Server":  {},
	} {
		t.Run(name, func(t *testing.T) {
			db := openFake(t, &fakeDB{answers: answers})
			_, loadErr := sqlstore.New(db).Load(t.Context(), medical)
			createErr := sqlstore.New(db).Create(t.Context(), record(), nil)
			for _, err := range []error{loadErr, createErr, sqlstore.Migrate(t.Context(), db)} {
				if !errors.Is(err, keymgr.ErrStoreUnavailable) || !strings.Contains(err.Error(), "neither PostgreSQL nor SQLite") {
					t.Errorf("got %v, want ErrStoreUnavailable saying that the database is not supported", err)
				}
			}
		})
	}
}

func TestTheDatabaseIsAskedOnce(t *testing.T) {
	const versionQuery = "SELECT version FROM fieldcrypt_keysets WHERE domain = $1 AND tenant = $2"
	f := &fakeDB{down: true, answers: map[string]string{"SELECT version()": "PostgreSQL 17.1", versionQuery: "3"}}
	db := openFake(t, f)
	store := sqlstore.New(db)
	if _, err := store.Version(t.Context(), medical); !errors.Is(err, keymgr.ErrStoreUnavailable) || !errors.Is(err, errDown) {
		t.Errorf("down: got %v, want ErrStoreUnavailable and the driver's error", err)
	}
	f.mu.Lock()
	f.down = false
	f.mu.Unlock()
	for range 3 {
		if v, err := store.Version(t.Context(), medical); v != 3 || err != nil {
			t.Fatalf("up again: got %d, %v; want 3", v, err)
		}
	}
	if f.asked["SELECT version()"] != 1 || f.asked[versionQuery] != 3 {
		t.Errorf("asked %v", f.asked)
	}
}

// Drivers word a query that was cancelled while it ran each in their own way.
func TestACancelledQuerySaysSo(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	store := sqlstore.New(openFake(t, &fakeDB{running: cancel}))
	if _, err := store.Load(ctx, medical); !errors.Is(err, keymgr.ErrStoreUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want ErrStoreUnavailable and context.Canceled", err)
	}
}

func TestRecordsThatNobodyCouldOpenAreRefused(t *testing.T) {
	store := sqlstore.New(openFake(t, &fakeDB{})) // any statement would be ErrStoreUnavailable
	refused := func(what string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", what, err, want)
		}
	}
	noWraps := record()
	noWraps.Wraps = nil
	refused("no wraps", store.Create(t.Context(), noWraps, nil), keymgr.ErrKeysetInvalid)
	twice := record()
	twice.Wraps = append(twice.Wraps, twice.Wraps[0])
	refused("two wraps under one KEK", store.Create(t.Context(), twice, nil), keymgr.ErrKeysetInvalid)
	late := record()
	late.Version = 2
	refused("a scope that begins with version 2", store.Create(t.Context(), late, nil), keymgr.ErrConflict)
	scope := record()
	scope.Scope.Domain = "Medical"
	refused("a domain in upper case", store.Create(t.Context(), scope, nil), keymgr.ErrInvalidScope)
	huge := record()
	huge.Version = 1 << 63
	refused("a version of 2^63", store.Replace(t.Context(), huge, nil), keymgr.ErrKeysetInvalid)
	refused("wraps of a version of 2^63", store.SwapWraps(t.Context(), medical, 1<<63, huge.Wraps, huge.Wraps, nil), keymgr.ErrKeysetInvalid)
	refused("no new wraps", store.SwapWraps(t.Context(), medical, 1, huge.Wraps, nil, nil), keymgr.ErrKeysetInvalid)
}

func TestDDLNamesEveryTable(t *testing.T) {
	for _, d := range []sqlstore.Dialect{sqlstore.Postgres, sqlstore.SQLite} {
		for _, want := range []string{
			"fieldcrypt_keysets (", "fieldcrypt_keyset_wraps (", "fieldcrypt_key_events (", "WHERE kind = 'key-added';\n", "\t\"index\" ",
		} {
			if !strings.Contains(sqlstore.DDL(d), want) {
				t.Errorf("%s: no %q", d, want)
			}
		}
	}
	if ddl := sqlstore.DDL(0); ddl != "" {
		t.Errorf("DDL of no dialect: %q", ddl)
	}
}

func record() keymgr.Record {
	return keymgr.Record{
		Scope: medical, Version: 1, Seal: []byte("s"), Index: []byte("i"), Info: "{}",
		Wraps: []keymgr.Wrap{{KEKURI: "test-kms://a", Wrapped: []byte("w")}},
	}
}
