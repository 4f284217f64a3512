package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fieldcrypt/go/migrate"
)

// TestEngineBehindATransactionPooler: each transaction may be another session's,
// which knows nothing of what the last one set or prepared.
func TestEngineBehindATransactionPooler(t *testing.T) {
	e := newEngine(t)
	e.people(t, 3000)
	var given atomic.Int64
	pool := openPool(t, e.url, func(c *pgxpool.Config) {
		c.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec // as pgx needs it there
		c.AfterRelease = func(conn *pgx.Conn) bool {
			if given.Add(1)%5 == 0 {
				return false // another one, next time
			}
			_, err := conn.Exec(context.Background(), `DISCARD ALL`)
			return err == nil
		}
	})
	db, rw := migrate.Postgres(pool), newToy("a", "b")
	job, err := migrate.Start(t.Context(), db, migrate.Spec{Kind: "toy", Table: "people", Shards: 2}, rw, migrate.Limits{}, "tester")
	ok(t, err)
	ok(t, migrate.Work(t.Context(), db, job.ID, rw, migrate.Options{}))
	e.peopleAreMoved(t, 3000)
	if s := e.check(t, job); s.Changed != 3000 || s.Conflicts != 0 || s.Phase != migrate.PhaseSwept {
		t.Errorf("%+v", s)
	}
}

// TestEngineWaitsForAServerThatMayBeWrittenTo: a primary that is read-only, as in
// a switch to another one, is waited for.
func TestEngineWaitsForAServerThatMayBeWrittenTo(t *testing.T) {
	e := newEngine(t)
	e.people(t, 500)
	rw := newToy("a", "b")
	job := e.start(t, "people", rw)
	var refused atomic.Int64
	var writable atomic.Bool
	pool := openPool(t, e.url, func(c *pgxpool.Config) {
		c.PrepareConn = func(ctx context.Context, conn *pgx.Conn) (bool, error) {
			mode := "on"
			if writable.Load() {
				mode = "off"
			} else {
				refused.Add(1)
			}
			_, err := conn.Exec(ctx, `SET default_transaction_read_only = `+mode)
			return err == nil, nil
		}
	})
	done := make(chan error, 1)
	go func() {
		done <- migrate.Work(context.Background(), migrate.Postgres(pool), job.ID, rw, migrate.Options{Workers: 1})
	}()
	eventually(t, "it has tried", func() bool { return refused.Load() > 2 })
	select {
	case err := <-done:
		t.Fatalf("it did not wait: %v", err)
	default:
	}
	if n := e.int(t, `SELECT count(*) FROM people WHERE `+rw.Todo()); n != 500 {
		t.Errorf("%d rows are left", n)
	}
	writable.Store(true)
	ok(t, <-done)
	e.peopleAreMoved(t, 500)
}

// TestEngineReadThatTakesTooLong: the end of a window is not found in time, so
// that smaller ones are read; where not even one row is, the work ends, in place of
// trying for ever.
func TestEngineReadThatTakesTooLong(t *testing.T) {
	e := newEngine(t)
	e.people(t, 2000)
	e.exec(t, `CREATE SEQUENCE reads`)
	e.exec(t, `CREATE FUNCTION slow(bytea) RETURNS bool LANGUAGE plpgsql VOLATILE AS $$ BEGIN
		IF nextval('reads') % 1500 = 0 THEN RAISE query_canceled; END IF; RETURN true; END $$`)
	rw := slowToy{newToy("a", "b"), "slow"}
	job := e.start(t, "people", rw, func(s *migrate.Spec) { s.Shards = 1 })
	err := migrate.Work(t.Context(), e.db, job.ID, rw, migrate.Options{Workers: 1})
	ok(t, err)
	e.peopleAreMoved(t, 2000)
	e.exec(t, `CREATE FUNCTION never(bytea) RETURNS bool LANGUAGE plpgsql VOLATILE AS $$ BEGIN RAISE query_canceled; END $$`)
	rw.name = "never"
	job = e.start(t, "people", rw, func(s *migrate.Spec) { s.Kind = "never" })
	if err := migrate.Work(t.Context(), e.db, job.ID, rw, migrate.Options{Workers: 1}); err == nil || errors.Is(err, migrate.ErrIncomplete) {
		t.Errorf("%v", err)
	}
}

// slowToy has a condition that the database takes long to find out.
type slowToy struct {
	*toy
	name string
}

func (r slowToy) Todo() string { return fmt.Sprintf("%s(a) AND (%s)", r.name, r.toy.Todo()) }

// TestEngineConnectionsThatBreak ends the session at each kind of statement, once
// before it is done.
func TestEngineConnectionsThatBreak(t *testing.T) {
	for _, kind := range []string{"SELECT k0", "UPDATE ONLY", "SET owner = $2", "throttled_us = throttled_us", "SET done = true", "events = events", "phase = $2"} {
		t.Run(kind, func(t *testing.T) {
			e := newEngine(t)
			e.people(t, 1200)
			rw := newToy("a", "b")
			job := e.start(t, "people", rw, func(s *migrate.Spec) { s.Shards = 2 })
			var cut atomic.Bool
			pool := openPool(t, e.url, func(c *pgxpool.Config) {
				c.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec // the text is in each message
				c.ConnConfig.DialFunc = cutting(kind, &cut)
			})
			ok(t, migrate.Work(t.Context(), migrate.Postgres(pool), job.ID, rw, migrate.Options{Workers: 1}))
			if !cut.Load() {
				t.Error("no statement was of this kind")
			}
			e.peopleAreMoved(t, 1200)
			if s := e.check(t, job); s.Changed != 1200 || s.Conflicts != 0 || s.Phase != migrate.PhaseSwept {
				t.Errorf("%+v", s)
			}
		})
	}
}

// TestEngineJobOfAnotherVersion: a job of another version, whose spec says what this
// one does not know or asks for other columns, is not worked on.
func TestEngineJobOfAnotherVersion(t *testing.T) {
	e := newEngine(t)
	e.people(t, 10)
	rw := newToy("a", "b")
	job := e.start(t, "people", rw)
	var spec string
	ok(t, e.pool.QueryRow(t.Context(), `SELECT spec FROM fieldcrypt_jobs`).Scan(&spec))
	other := strings.Replace(spec, `{`, `{"format":2,`, 1)
	e.exec(t, `UPDATE fieldcrypt_jobs SET spec = $1, spec_hash = sha256(convert_to($1, 'UTF8'))`, other)
	if err := migrate.Work(t.Context(), e.db, job.ID, rw, migrate.Options{}); !errors.Is(err, migrate.ErrSpecChanged) {
		t.Errorf("%v", err)
	}
	if n := e.int(t, `SELECT count(*) FROM people WHERE `+rw.Todo()); n != 10 {
		t.Errorf("%d rows are left", n)
	}
}

// TestEnginePartitionThatGoesMidway: the others are walked all the same.
func TestEnginePartitionThatGoesMidway(t *testing.T) {
	e := newEngine(t)
	e.exec(t, `CREATE TABLE k (id bigint PRIMARY KEY, a bytea, b bytea) PARTITION BY RANGE (id)`)
	for i := range 3 {
		e.exec(t, fmt.Sprintf(`CREATE TABLE k%d PARTITION OF k FOR VALUES FROM (%d) TO (%d)`, i, 1000*i, 1000*i+1000))
	}
	e.exec(t, `INSERT INTO k SELECT i, $1::bytea, $1::bytea FROM generate_series(1, 2999) i`, seal(1, "x"))
	rw := newToy("a", "b")
	went := false
	rw.before = func([]migrate.Row) (err error) {
		if !went {
			went = true
			_, err = e.pool.Exec(context.Background(), `DROP TABLE k1`)
		}
		return err
	}
	job := e.start(t, "k", rw, func(s *migrate.Spec) { s.Shards = 1 })
	ok(t, migrate.Work(t.Context(), e.db, job.ID, rw, migrate.Options{Workers: 1}))
	if s := e.check(t, job); s.Changed != 1999 || s.Phase != migrate.PhaseSwept {
		t.Errorf("%+v", s)
	}
	if left := e.int(t, `SELECT count(*) FROM k WHERE `+rw.Todo()); left != 0 {
		t.Errorf("%d rows are left", left)
	}
}

// TestEngineStatusTellsOfALongSnapshot: while it is open, the table grows.
func TestEngineStatusTellsOfALongSnapshot(t *testing.T) {
	e := newEngine(t)
	e.people(t, 10)
	job := e.start(t, "people", newToy("a", "b"))
	tx, err := e.pool.BeginTx(t.Context(), pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	ok(t, err)
	defer tx.Rollback(context.Background())
	_, err = tx.Exec(t.Context(), `SELECT 1`)
	ok(t, err)
	var age float64
	ok(t, tx.QueryRow(t.Context(), `SELECT extract(epoch FROM clock_timestamp() - xact_start)::float8 FROM pg_stat_activity WHERE pid = pg_backend_pid()`).Scan(&age))
	if s := e.check(t, job); s.Snapshot < age {
		t.Errorf("%v s, and the transaction is %v s old", s.Snapshot, age)
	}
	ok(t, tx.Rollback(t.Context()))
	eventually(t, "none is old", func() bool { return e.check(t, job).Snapshot < age })
}

// TestGuardFindsARowThatMovedBehindTheCursor: a row that changes its key in the
// last pass is met by none.
func TestGuardFindsARowThatMovedBehindTheCursor(t *testing.T) {
	e := newEngine(t)
	e.people(t, 1000)
	e.exec(t, `INSERT INTO people VALUES (2000, '', $1, $2)`, seal(1, "a0"), seal(1, "b0"))
	rw := newToy("a", "b")
	job := e.start(t, "people", rw, func(s *migrate.Spec) { s.Shards, s.Scan = 1, "key" })
	moved := false
	rw.before = func(rows []migrate.Row) (err error) {
		if !moved {
			moved = true
			_, err = e.pool.Exec(context.Background(), `UPDATE people SET id = 0 WHERE id = 2000`)
		}
		return err
	}
	e.work(t, job, rw) // a pass that changed nothing may still follow, and meet it
	guard := migrate.Guard{Table: "public.people", Name: "fieldcrypt_guard", Check: `substr(a, 1, 4) <> '\x00000001'`}
	ok(t, guard.Add(t.Context(), e.db))
	ok(t, guard.Validate(t.Context(), e.db))
	ok(t, guard.Drop(t.Context(), e.db))
	// In the last pass, as its workers will see it: there is nothing to do, and so
	// nothing that could look again.
	e.exec(t, `INSERT INTO people VALUES (-1, '', $1, $2)`, seal(1, "a-1"), seal(1, "b-1"))
	ok(t, guard.Add(t.Context(), e.db))
	if err := guard.Validate(t.Context(), e.db); !errors.Is(err, migrate.ErrViolated) {
		t.Fatalf("%v", err)
	}
	ok(t, migrate.Retry(t.Context(), e.db, job.ID, "tester"))
	e.work(t, job, rw)
	ok(t, guard.Validate(t.Context(), e.db))
}
