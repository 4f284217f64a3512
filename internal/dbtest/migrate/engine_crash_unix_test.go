//go:build unix

package migrate_test

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fieldcrypt/go/internal/pgtest"
	"github.com/fieldcrypt/go/migrate"
)

func crashes(t *testing.T, n int) {
	e := engineAt(t, pgtest.Start(t, pgtest.Options{Settings: map[string]string{"synchronous_commit": "on"}}).DB(t))
	const rows = 6000
	e.people(t, rows)
	rw := newToy("a", "b")
	at := make(chan struct{}) // the migrator is in the middle of a window
	rw.before = func([]migrate.Row) error {
		select {
		case at <- struct{}{}:
		default:
		}
		return nil
	}
	job := e.start(t, "people", rw, func(s *migrate.Spec) { s.Shards = 4 })
	done := make(chan error, 1)
	go func() {
		done <- migrate.Work(context.Background(), e.db, job.ID, rw, migrate.Options{Lease: time.Second})
	}()
	crashed := 0
	for {
		select {
		case err := <-done:
			ok(t, err)
			e.peopleAreMoved(t, rows)
			if s := e.check(t, job); s.Changed != rows || s.Phase != migrate.PhaseSwept {
				t.Errorf("%+v", s)
			}
			if crashed == 0 {
				t.Error("it was done before the first crash")
			}
			return
		case <-at:
		}
		if crashed == n {
			continue
		}
		crashed++
		conn, err := pgx.Connect(context.Background(), e.url)
		if err != nil {
			continue // it still recovers
		}
		ok(t, syscall.Kill(int(conn.PgConn().PID()), syscall.SIGKILL))
		conn.Close(context.Background())
	}
}
