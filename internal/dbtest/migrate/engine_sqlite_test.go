package migrate_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/fieldcrypt/go/migrate"
)

func sqliteEngine(t *testing.T) (*sql.DB, *migrate.DB) {
	t.Helper()
	pool, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "app.db")+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(wal)&_pragma=foreign_keys(1)")
	ok(t, err)
	t.Cleanup(func() { pool.Close() })
	db := migrate.SQLite(pool)
	ok(t, migrate.Migrate(context.Background(), db))
	ok(t, migrate.Migrate(context.Background(), db))
	return pool, db
}

// sqliteToy is the toy in SQLite's words.
type sqliteToy struct{ *toy }

func (r sqliteToy) Todo() string {
	return fmt.Sprintf(`substr(a, 1, 4) <> x'%08x' OR substr(b, 1, 4) <> x'%08x'`, r.to, r.to)
}

func TestEngineOnSQLite(t *testing.T) {
	for name, table := range map[string]string{
		"integer":       `CREATE TABLE people (id INTEGER PRIMARY KEY, a BLOB, b BLOB)`,
		"text":          `CREATE TABLE people (id TEXT NOT NULL PRIMARY KEY, a BLOB, b BLOB)`,
		"time":          `CREATE TABLE people (id TIMESTAMP NOT NULL PRIMARY KEY, a BLOB, b BLOB)`,
		"composite":     `CREATE TABLE people (id INTEGER, z TEXT DEFAULT 'z', a BLOB, b BLOB, PRIMARY KEY (z, id)) WITHOUT ROWID`,
		"strict":        `CREATE TABLE people (id INTEGER PRIMARY KEY, a BLOB, b BLOB) STRICT`,
		"without order": `CREATE TABLE people (id TEXT NOT NULL COLLATE NOCASE PRIMARY KEY, a BLOB, b BLOB)`,
	} {
		t.Run(name, func(t *testing.T) {
			pool, db := sqliteEngine(t)
			exec := func(sql string, args ...any) {
				t.Helper()
				_, err := pool.Exec(sql, args...)
				ok(t, err)
			}
			exec(table)
			const n = 1200
			tx, err := pool.Begin()
			ok(t, err)
			for i := range n {
				_, err := tx.Exec(`INSERT INTO people (id, a, b) VALUES (?, ?, ?)`, i+1, seal(1, fmt.Sprint("a", i+1)), seal(1, fmt.Sprint("b", i+1)))
				ok(t, err)
			}
			ok(t, tx.Commit())
			exec(`UPDATE people SET b = x'0000' WHERE id = ?`, 77)
			exec(`UPDATE people SET b = NULL WHERE id = ?`, 78)
			rw := sqliteToy{newToy("a", "b")}
			changed := false
			rw.before = func(rows []migrate.Row) error { // a live writer between reading and writing
				if changed {
					return nil
				}
				changed = true
				_, err := pool.Exec(`UPDATE people SET a = ? WHERE id = ?`, seal(1, "newer"), 5)
				return err
			}
			job, err := migrate.Start(t.Context(), db, migrate.Spec{Kind: "toy", Table: "people"}, rw, migrate.Limits{}, "tester")
			ok(t, err)
			if _, err := migrate.Start(t.Context(), db, migrate.Spec{Kind: "toy", Table: "people"}, rw, migrate.Limits{}, "tester"); !errors.Is(err, migrate.ErrJobExists) {
				t.Errorf("%v", err)
			}
			if err := migrate.Work(t.Context(), db, job.ID, rw, migrate.Options{}); !errors.Is(err, migrate.ErrFailures) {
				t.Fatalf("%v", err)
			}
			list, err := migrate.Failures(t.Context(), db, job.ID, 10)
			ok(t, err)
			if len(list) != 1 || list[0].Class != "does not open" {
				t.Errorf("%+v", list)
			}
			s, err := migrate.Read(t.Context(), db, job.ID)
			ok(t, err)
			if s.Changed != n-1 || s.Conflicts != 1 || s.Pass != 3 || s.Phase != migrate.PhaseSwept || !s.Shards[0].Done {
				t.Errorf("%+v", s)
			}
			_, err = migrate.Events(t.Context(), db, job.ID)
			ok(t, err)
			rows, err := pool.Query(`SELECT CAST(id AS INTEGER), a, b FROM people`)
			ok(t, err)
			defer rows.Close()
			seen := 0
			for ; rows.Next(); seen++ {
				var id int
				var a, b []byte
				ok(t, rows.Scan(&id, &a, &b))
				want := fmt.Sprint("a", id)
				if id == 5 {
					want = "newer"
				}
				if id == 77 {
					continue
				}
				if key, text, err := open(a); err != nil || key != 2 || text != want {
					t.Errorf("row %d: a: %q under key %d, %v", id, text, key, err)
				}
				if id == 78 {
					if b != nil {
						t.Error("NULL became a value")
					}
					continue
				}
				if key, text, err := open(b); err != nil || key != 2 || text != fmt.Sprint("b", id) {
					t.Errorf("row %d: b: %q under key %d, %v", id, text, key, err)
				}
			}
			if seen != n {
				t.Errorf("%d rows", seen)
			}
		})
	}
}

func TestEngineOnSQLiteRefuses(t *testing.T) {
	for name, table := range map[string]string{
		"a key that may be NULL": `CREATE TABLE people (id TEXT PRIMARY KEY, a BLOB, b BLOB)`,
		"no key":                 `CREATE TABLE people (id TEXT NOT NULL, a BLOB, b BLOB)`,
		"no table":               `SELECT 1`,
		"a generated column":     `CREATE TABLE people (id INTEGER PRIMARY KEY, a BLOB, b BLOB AS (a))`,
	} {
		pool, db := sqliteEngine(t)
		_, err := pool.Exec(table)
		ok(t, err)
		if _, err := migrate.Start(t.Context(), db, migrate.Spec{Kind: "toy", Table: "people"}, sqliteToy{newToy("a", "b")}, migrate.Limits{}, "tester"); !errors.Is(err, migrate.ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEngineOnSQLiteControls(t *testing.T) {
	pool, db := sqliteEngine(t)
	_, err := pool.Exec(`CREATE TABLE people (id INTEGER PRIMARY KEY, a BLOB, b BLOB)`)
	ok(t, err)
	_, err = pool.Exec(`INSERT INTO people VALUES (1, ?, ?)`, seal(1, "a"), seal(1, "b"))
	ok(t, err)
	rw := sqliteToy{newToy("a", "b")}
	job, err := migrate.Start(t.Context(), db, migrate.Spec{Kind: "toy", Table: "people"}, rw, migrate.Limits{}, "tester")
	ok(t, err)
	ok(t, migrate.Pause(t.Context(), db, job.ID, "tester"))
	if err := migrate.Work(t.Context(), db, job.ID, rw, migrate.Options{}); !errors.Is(err, migrate.ErrPaused) {
		t.Errorf("%v", err)
	}
	ok(t, migrate.Resume(t.Context(), db, job.ID, "tester"))
	ok(t, migrate.Set(t.Context(), db, job.ID, migrate.Limits{MaxLag: time.Second}, time.Hour, "tester"))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- migrate.Work(ctx, db, job.ID, rw, migrate.Options{}) }()
	eventually(t, "it waits for a signal that SQLite does not have", func() bool {
		s, err := migrate.Read(context.Background(), db, job.ID)
		ok(t, err)
		return s.Shards[0].Reason == "max_lag: SQLite has no such signal"
	})
	cancel()
	if err := <-done; !errors.Is(err, migrate.ErrIncomplete) {
		t.Errorf("%v", err)
	}
	ok(t, migrate.Set(t.Context(), db, job.ID, migrate.Limits{}, 0, "tester"))
	ok(t, migrate.Work(t.Context(), db, job.ID, rw, migrate.Options{}))
	ok(t, migrate.Advance(t.Context(), db, job.ID, migrate.PhaseSwept, migrate.PhaseDone, "tester", nil))
	if live, err := migrate.List(t.Context(), db, true); err != nil || len(live) != 0 {
		t.Errorf("%v, %v", live, err)
	}
	if err := (migrate.Guard{Table: "people"}).Add(t.Context(), db); !errors.Is(err, migrate.ErrRefused) {
		t.Errorf("%v", err)
	}
}
