package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fieldcrypt/go/migrate"
)

func TestEngineRacesWriters(t *testing.T) { raceWriters(t, 2) }

func TestSoakEngineRacesWriters(t *testing.T) { raceWriters(t, soak(t, 10, 400)) }

// raceWriters lets three migrators, two of them in pools of their own, race
// writers of every kind. Each writer owns some of the rows, so that what was last
// committed is known. At the end everything opens and is what was written.
func raceWriters(t *testing.T, rounds int) {
	e := newEngine(t)
	for round := range rounds {
		e.reset(t)
		const n = 2000
		e.people(t, n)
		rw := newToy("a", "b")
		rw.before = func([]migrate.Row) error { // between reading and writing there is time for others
			time.Sleep(time.Millisecond)
			return nil
		}
		job := e.start(t, "people", rw, func(s *migrate.Spec) { s.Shards, s.Scan = 4, []string{"key", "heap"}[round%2] })
		var stop atomic.Bool
		var writing sync.WaitGroup
		writers := make([]*writer, 4)
		for i := range writers {
			w := &writer{rng: rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), uint64(i))), rows: map[int64][2]string{}, next: int64(i+1) * 1_000_000}
			for id := i + 1; id <= n; id += len(writers) {
				w.rows[int64(id)] = [2]string{fmt.Sprint("a", id), fmt.Sprint("b", id)}
			}
			writers[i] = w
			writing.Go(func() {
				for !stop.Load() && w.err == nil {
					w.err = w.step(e.pool)
				}
			})
		}
		errs := make(chan error)
		for i := range 3 {
			db := e.db
			if i > 0 {
				db = migrate.Postgres(openPool(t, e.url))
			}
			go func() { errs <- migrate.Work(context.Background(), db, job.ID, rw, migrate.Options{Workers: 1}) }()
		}
		for range 3 {
			ok(t, <-errs)
		}
		stop.Store(true)
		writing.Wait()
		// A row that changed its key in the last pass may have slipped through: that
		// is what the guard is for.
		ok(t, migrate.Retry(context.Background(), e.db, job.ID, "tester"))
		e.work(t, job, rw)
		want := map[int64][2]string{}
		for _, w := range writers {
			ok(t, w.err)
			for id, texts := range w.rows {
				want[id] = texts
			}
		}
		compare(t, e, want)
		if s := e.check(t, job); s.Failed != 0 {
			t.Errorf("%+v", s)
		}
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
}

func compare(t *testing.T, e *engine, want map[int64][2]string) {
	t.Helper()
	rows, err := e.pool.Query(context.Background(), `SELECT id, a, b FROM people`)
	ok(t, err)
	defer rows.Close()
	n := 0
	for ; rows.Next(); n++ {
		var id int64
		var values [2][]byte
		ok(t, rows.Scan(&id, &values[0], &values[1]))
		for i, v := range values {
			if key, text, err := open(v); err != nil || key != 2 || text != want[id][i] {
				t.Errorf("row %d, value %d: %q under key %d, %v; want %q", id, i, text, key, err, want[id][i])
			}
		}
	}
	if n != len(want) {
		t.Errorf("%d rows, want %d", n, len(want))
	}
}

type writer struct {
	rng  *rand.Rand
	rows map[int64][2]string
	next int64
	err  error
}

func (w *writer) any() int64 {
	for id := range w.rows {
		return id
	}
	return 0
}

func (w *writer) step(pool *pgxpool.Pool) error {
	ctx := context.Background()
	id := w.any()
	text := fmt.Sprint("new", w.rng.Uint64())
	row := w.rows[id]
	switch w.rng.IntN(6) {
	case 0: // full
		if _, err := pool.Exec(ctx, `UPDATE people SET a = $2, b = $3 WHERE id = $1`, id, seal(2, text), seal(2, text)); err != nil {
			return err
		}
		w.rows[id] = [2]string{text, text}
	case 1: // partial
		if _, err := pool.Exec(ctx, `UPDATE people SET a = $2 WHERE id = $1`, id, seal(2, text)); err != nil {
			return err
		}
		w.rows[id] = [2]string{text, row[1]}
	case 2: // of another column
		_, err := pool.Exec(ctx, `UPDATE people SET plain = $2 WHERE id = $1`, id, text)
		return err
	case 3:
		w.next++
		if _, err := pool.Exec(ctx, `INSERT INTO people VALUES ($1, '', $2, $3)`, w.next, seal(2, text), seal(2, text)); err != nil {
			return err
		}
		w.rows[w.next] = [2]string{text, text}
	case 4:
		if _, err := pool.Exec(ctx, `DELETE FROM people WHERE id = $1`, id); err != nil {
			return err
		}
		delete(w.rows, id)
	case 5: // another key
		w.next++
		if _, err := pool.Exec(ctx, `UPDATE people SET id = $2 WHERE id = $1`, id, w.next); err != nil {
			return err
		}
		delete(w.rows, id)
		w.rows[w.next] = row
	}
	return nil
}

// TestEngineGivesWayToWritersInTheOppositeOrder: applications never see a
// deadlock because of the migrator.
func TestEngineGivesWayToWritersInTheOppositeOrder(t *testing.T) {
	e := newEngine(t)
	const n = 12_000
	e.people(t, n)
	rw := newToy("a", "b")
	job := e.start(t, "people", rw, func(s *migrate.Spec) { s.Shards, s.Order = 1, "plain" })
	var stop atomic.Bool
	var writing sync.WaitGroup
	var done atomic.Int64
	for half := range 2 {
		writing.Go(func() {
			for i := 0; !stop.Load(); i++ {
				low := int64(i%(n/4)*2 + half + 1)
				err := pgx.BeginFunc(context.Background(), e.pool, func(tx pgx.Tx) error {
					for _, id := range []int64{low + n/2, low} {
						if _, err := tx.Exec(context.Background(), `UPDATE people SET plain = 'p' WHERE id = $1`, id); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					t.Error(err)
					return
				}
				done.Add(1)
			}
		})
	}
	eventually(t, "the writers write", func() bool { return done.Load() > 20 })
	e.work(t, job, rw)
	stop.Store(true)
	writing.Wait()
	e.peopleAreMoved(t, n)
}

// TestEngineLeavesRowsThatAreHeld: rows that a transaction holds do not keep the
// others from being moved, and are when it ends.
func TestEngineLeavesRowsThatAreHeld(t *testing.T) {
	e := newEngine(t)
	e.people(t, 2000)
	rw := newToy("a", "b")
	job := e.start(t, "people", rw, func(s *migrate.Spec) { s.Shards = 1 })
	tx, err := e.pool.Begin(t.Context())
	ok(t, err)
	_, err = tx.Exec(t.Context(), `UPDATE people SET plain = 'held' WHERE id % 100 = 0`)
	ok(t, err)
	done := make(chan error, 1)
	go func() { done <- migrate.Work(context.Background(), e.db, job.ID, rw, migrate.Options{Workers: 1}) }()
	eventually(t, "all others are moved", func() bool {
		return e.int(t, `SELECT count(*) FROM people WHERE substr(a, 1, 4) = '\x00000001'`) == 20
	})
	ok(t, tx.Commit(t.Context()))
	if err := <-done; err != nil && !errors.Is(err, migrate.ErrNoProgress) {
		t.Fatal(err)
	}
	e.work(t, job, rw)
	e.peopleAreMoved(t, 2000)
	if s := e.check(t, job); s.Conflicts < 20 || s.Changed != 2000 {
		t.Errorf("%+v", s)
	}
}

// TestGuardWaitsOutStaleTransactions: no count shows what an open transaction has
// still to commit; the guard does.
func TestGuardWaitsOutStaleTransactions(t *testing.T) {
	e := newEngine(t)
	e.people(t, 500)
	rw := newToy("a", "b")
	job := e.start(t, "people", rw)
	stale, err := e.pool.Begin(t.Context())
	ok(t, err)
	_, err = stale.Exec(t.Context(), `INSERT INTO people VALUES (501, '', $1, $2)`, seal(1, "a501"), seal(1, "b501"))
	ok(t, err)
	e.work(t, job, rw) // and sees nothing of it
	if n := e.int(t, `SELECT count(*) FROM people WHERE `+rw.Todo()); n != 0 {
		t.Fatalf("%d rows are left", n)
	}
	guard := migrate.Guard{Table: "public.people", Name: "fieldcrypt_guard", Check: `substr(a, 1, 4) <> '\x00000001' AND substr(b, 1, 4) <> '\x00000001'`}
	added := make(chan error, 1)
	go func() { added <- guard.Add(context.Background(), e.db) }()
	eventually(t, "the guard waits", func() bool { return e.int(t, `SELECT count(*) FROM pg_locks WHERE NOT granted`) > 0 })
	select {
	case err := <-added:
		t.Fatalf("the guard was added while a stale transaction was open: %v", err)
	default:
	}
	ok(t, stale.Commit(t.Context()))
	ok(t, <-added)
	ok(t, guard.Add(t.Context(), e.db)) // again
	if err := guard.Validate(t.Context(), e.db); !errors.Is(err, migrate.ErrViolated) {
		t.Fatalf("the straggler was not found: %v", err)
	}
	ok(t, migrate.Retry(t.Context(), e.db, job.ID, "tester"))
	e.work(t, job, rw)
	ok(t, guard.Validate(t.Context(), e.db))
	e.peopleAreMoved(t, 501)
	var pg *pgconn.PgError
	if _, err = e.pool.Exec(t.Context(), `UPDATE people SET a = $1 WHERE id = 1`, seal(1, "a1")); !errors.As(err, &pg) || pg.Code != "23514" {
		t.Errorf("a stale writer after the guard: %v", err)
	}
	ok(t, guard.Drop(t.Context(), e.db))
	ok(t, guard.Drop(t.Context(), e.db))
}
