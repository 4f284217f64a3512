package migrate_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fieldcrypt/go/internal/pgtest"
	"github.com/fieldcrypt/go/migrate"
)

// gate is a toy that can be held in the middle of a window.
func gate(columns ...string) (rw *toy, reached chan struct{}, resume func()) {
	rw = newToy(columns...)
	reached, hold := make(chan struct{}), make(chan struct{})
	var first sync.Once
	rw.before = func([]migrate.Row) error {
		first.Do(func() { close(reached) })
		<-hold
		return nil
	}
	return rw, reached, sync.OnceFunc(func() { close(hold) })
}

func TestEngineStopFinishesTheBatchAndResumes(t *testing.T) {
	for name, stop := range map[string]func(t *testing.T, e *engine, job *migrate.Job, cancel func()) error{
		"context": func(_ *testing.T, _ *engine, _ *migrate.Job, cancel func()) error {
			cancel()
			return context.Canceled
		},
		"pause": func(t *testing.T, e *engine, job *migrate.Job, _ func()) error {
			ok(t, migrate.Pause(context.Background(), e.db, job.ID, "tester"))
			return migrate.ErrPaused
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEngine(t)
			e.people(t, 9000)
			rw, reached, resume := gate("a", "b")
			defer resume()
			job := e.start(t, "people", rw, func(s *migrate.Spec) { s.Shards = 2 })
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			done := make(chan error, 1)
			go func() { done <- migrate.Work(ctx, e.db, job.ID, rw, migrate.Options{Lease: 400 * time.Millisecond}) }()
			<-reached
			want := stop(t, e, job, cancel)
			if name == "pause" { // the last look was less than a moment ago
				time.Sleep(300 * time.Millisecond)
			}
			resume()
			err := <-done
			var incomplete *migrate.Incomplete
			if !errors.As(err, &incomplete) || !errors.Is(err, migrate.ErrIncomplete) || !errors.Is(err, want) {
				t.Fatalf("%v", err)
			}
			if n := e.int(t, `SELECT count(*) FROM fieldcrypt_job_shards WHERE lease_until IS NOT NULL`); n != 0 {
				t.Errorf("%d leases are still held", n)
			}
			if name == "pause" {
				if err := migrate.Work(t.Context(), e.db, job.ID, rw, migrate.Options{}); !errors.Is(err, migrate.ErrPaused) {
					t.Errorf("a paused job was worked on: %v", err)
				}
				ok(t, migrate.Resume(t.Context(), e.db, job.ID, "tester"))
			}
			e.work(t, job, rw)
			e.peopleAreMoved(t, 9000)
			if s := e.check(t, job); s.Changed != 9000 {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestEngineCancel(t *testing.T) {
	e := newEngine(t)
	e.people(t, 100)
	rw := newToy("a", "b")
	job := e.start(t, "people", rw)
	ok(t, migrate.Cancel(t.Context(), e.db, job.ID, "tester"))
	if err := migrate.Work(t.Context(), e.db, job.ID, rw, migrate.Options{}); !errors.Is(err, migrate.ErrCancelled) {
		t.Errorf("%v", err)
	}
	if err := migrate.Resume(t.Context(), e.db, job.ID, "tester"); !errors.Is(err, migrate.ErrWrongPhase) {
		t.Errorf("%v", err)
	}
	if s := e.check(t, job); s.Phase != migrate.PhaseCancelled || s.Changed != 0 {
		t.Errorf("%+v", s)
	}
}

// TestEngineWaitsForSignals: each limit stops the work, names itself in the
// shard's row and stops no longer when it is lifted.
func TestEngineWaitsForSignals(t *testing.T) {
	zero := 0
	now := time.Now().UTC()
	at := func(d time.Duration) string { return now.Add(d).Format("15:04") }
	for name, test := range map[string]struct {
		limits migrate.Limits
		reason string
	}{
		"a window":              {migrate.Limits{Windows: []string{at(6*time.Hour) + "-" + at(7*time.Hour)}}, "windows: not now"},
		"no replica":            {migrate.Limits{MaxLag: time.Second}, "max_lag: no replica"},
		"WAL":                   {migrate.Limits{MaxWAL: 1}, "max_wal: the server writes more"},
		"a probe":               {migrate.Limits{Probe: `SELECT 'the boss is looking'`}, "probe: the boss is looking"},
		"a probe that fails":    {migrate.Limits{Probe: `SELECT 1 / 0`}, "probe: cannot be read"},
		"a probe without a row": {migrate.Limits{Probe: `SELECT '' WHERE false`}, "probe: no answer"},
		"those who work":        {migrate.Limits{MaxActive: &zero}, "max_active: 1 sessions"},
		"those who wait":        {migrate.Limits{MaxWaiting: &zero}, "max_waiting: 1 sessions"},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEngine(t)
			e.people(t, 400)
			holder, err := e.pool.Begin(t.Context())
			ok(t, err)
			defer holder.Rollback(context.Background())
			_, err = holder.Exec(t.Context(), `SELECT pg_advisory_xact_lock(1)`)
			ok(t, err)
			waited := make(chan struct{})
			if test.limits.MaxActive != nil || test.limits.MaxWaiting != nil {
				waiting, err := e.pool.Acquire(t.Context())
				ok(t, err)
				go func() {
					defer close(waited)
					defer waiting.Release()
					waiting.Exec(context.Background(), `SELECT pg_advisory_lock(1), pg_advisory_unlock(1)`)
				}()
				eventually(t, "a session waits", func() bool {
					return e.int(t, `SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database WHERE NOT granted AND locktype = 'advisory' AND datname = current_database()`) == 1
				})
			} else {
				close(waited)
			}
			rw := newToy("a", "b")
			job := e.start(t, "people", rw, func(s *migrate.Spec) { s.Shards = 2 })
			ok(t, migrate.Set(t.Context(), e.db, job.ID, test.limits, 0, "tester"))
			done := make(chan error, 1)
			go func() { done <- migrate.Work(context.Background(), e.db, job.ID, rw, migrate.Options{Workers: 1}) }()
			var s migrate.Shard
			eventually(t, "it waits", func() bool {
				for _, s = range e.check(t, job).Shards {
					if s.Reason != "" {
						return true
					}
				}
				return false
			})
			shared := os.Getenv(pgtest.EnvURL) != "" // others are at work there too
			reason := test.reason
			if shared {
				reason = strings.TrimSuffix(reason, "1 sessions")
			}
			if !strings.HasPrefix(s.Reason, reason) || s.WaitingSince == "" || s.Lease <= 0 || s.Changed != 0 {
				t.Errorf("%+v", s)
			}
			if name == "WAL" != (s.Shard == 1) && !(shared && name == "WAL") { // what the first shard wrote makes the second wait
				t.Errorf("shard %d waits", s.Shard)
			}
			ok(t, migrate.Set(t.Context(), e.db, job.ID, migrate.Limits{}, 0, "tester"))
			ok(t, <-done)
			ok(t, holder.Rollback(t.Context()))
			<-waited
			e.peopleAreMoved(t, 400)
			if s := e.check(t, job).Shards[s.Shard]; s.WaitMicros == 0 || s.Reason != "" {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestEngineLimitsExpire(t *testing.T) {
	e := newEngine(t)
	e.people(t, 10)
	rw := newToy("a", "b")
	job := e.start(t, "people", rw)
	ok(t, migrate.Set(t.Context(), e.db, job.ID, migrate.Limits{Nice: 3}, time.Hour, "tester"))
	nice := func() float64 {
		j, err := migrate.Load(t.Context(), e.db, job.ID)
		ok(t, err)
		return j.Limits.Nice
	}
	if nice() != 3 {
		t.Error("the limits do not hold")
	}
	e.exec(t, `UPDATE fieldcrypt_jobs SET limits_until = clock_timestamp() - interval '1 second'`)
	if nice() != 0 {
		t.Error("the limits did not expire")
	}
	for _, l := range []migrate.Limits{{Windows: []string{"25:00-26:00"}}, {Windows: []string{"now"}}, {LockTimeout: time.Second}, {Nice: -1}} {
		if err := migrate.Set(t.Context(), e.db, job.ID, l, 0, "tester"); !errors.Is(err, migrate.ErrRefused) {
			t.Errorf("%+v: %v", l, err)
		}
	}
}

// TestEngineRewriterThatAsksToBeTriedAgain waits, and says so; any other error
// ends the work.
func TestEngineRewriterThatAsksToBeTriedAgain(t *testing.T) {
	e := newEngine(t)
	e.people(t, 300)
	rw := newToy("a", "b")
	var mu sync.Mutex
	answer := fmt.Errorf("the key service is away: %w", migrate.ErrRetry)
	rw.before = func([]migrate.Row) error { mu.Lock(); defer mu.Unlock(); return answer }
	job := e.start(t, "people", rw)
	done := make(chan error, 1)
	go func() { done <- migrate.Work(context.Background(), e.db, job.ID, rw, migrate.Options{Workers: 1}) }()
	eventually(t, "it waits", func() bool { return strings.HasPrefix(e.check(t, job).Shards[0].Reason, "rewriter:") })
	denied := errors.New("denied")
	mu.Lock()
	answer = denied
	mu.Unlock()
	if err := <-done; !errors.Is(err, denied) {
		t.Errorf("%v", err)
	}
	answer = nil
	e.work(t, job, rw)
	e.peopleAreMoved(t, 300)
}

func TestEngineChainFindsTampering(t *testing.T) {
	e := newEngine(t)
	e.people(t, 50)
	rw := newToy("a", "b")
	job := e.start(t, "people", rw)
	e.work(t, job, rw)
	ok(t, migrate.Record(t.Context(), e.db, job.ID, "tester", "verified", map[string]int{"rows": 50}))
	events, err := migrate.Events(t.Context(), e.db, job.ID)
	ok(t, err)
	var names []string
	for _, ev := range events {
		names = append(names, ev.Event)
	}
	if got := strings.Join(names, " "); got != "started pass swept verified" {
		t.Fatalf("%s", got)
	}
	for name, sql := range map[string]string{
		"a changed detail":  `UPDATE fieldcrypt_job_events SET detail = '{"rows":51}' WHERE seq = 4`,
		"another actor":     `UPDATE fieldcrypt_job_events SET actor = 'nobody' WHERE seq = 1`,
		"another time":      `UPDATE fieldcrypt_job_events SET at = '2020-01-01T00:00:00Z' WHERE seq = 2`,
		"the last removed":  `DELETE FROM fieldcrypt_job_events WHERE seq = 4`,
		"one removed":       `DELETE FROM fieldcrypt_job_events WHERE seq = 2`,
		"all removed":       `DELETE FROM fieldcrypt_job_events`,
		"two exchanged":     `UPDATE fieldcrypt_job_events SET seq = CASE seq WHEN 2 THEN 103 ELSE 102 END WHERE seq IN (2, 3); UPDATE fieldcrypt_job_events SET seq = seq - 100 WHERE seq > 100`,
		"one added":         `INSERT INTO fieldcrypt_job_events SELECT job, 5, at, actor, event, detail, hash, hash FROM fieldcrypt_job_events WHERE seq = 4`,
		"another spec":      `UPDATE fieldcrypt_jobs SET spec = replace(spec, '"toy"', '"boy"')`,
		"spec and its hash": `UPDATE fieldcrypt_jobs SET spec = '{}', spec_hash = sha256('{}')`,
	} {
		t.Run(name, func(t *testing.T) {
			e.exec(t, `CREATE TABLE keep_events AS SELECT * FROM fieldcrypt_job_events; CREATE TABLE keep_jobs AS SELECT * FROM fieldcrypt_jobs`)
			defer func() {
				e.exec(t, `DELETE FROM fieldcrypt_job_events; INSERT INTO fieldcrypt_job_events SELECT * FROM keep_events;
					UPDATE fieldcrypt_jobs j SET spec = k.spec, spec_hash = k.spec_hash FROM keep_jobs k; DROP TABLE keep_events; DROP TABLE keep_jobs`)
				e.check(t, job)
			}()
			e.exec(t, sql)
			if _, err := migrate.Events(t.Context(), e.db, job.ID); !errors.Is(err, migrate.ErrTampered) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestEngineStatusIsJSON(t *testing.T) {
	e := newEngine(t)
	e.people(t, 50)
	rw := newToy("a", "b")
	job := e.start(t, "people", rw)
	b, err := json.Marshal(e.check(t, job))
	ok(t, err)
	for _, part := range []string{`"phase":"sweeping"`, `"desired":"run"`, `"shards":[{"shard":0,"relation":"public.people"`, `"failures":null`} {
		if !strings.Contains(string(b), part) {
			t.Errorf("no %s in %s", part, b)
		}
	}
	ids, err := migrate.List(t.Context(), e.db, true)
	ok(t, err)
	if len(ids) != 1 || ids[0] != job.ID {
		t.Errorf("%v", ids)
	}
}
