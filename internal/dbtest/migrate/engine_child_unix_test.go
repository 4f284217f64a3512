//go:build unix

package migrate_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fieldcrypt/go/migrate"
)

// A child is this test binary, run again as a migrator that sends itself a signal
// at one point of its talk with Postgres.
const childEnv = "FIELDCRYPT_ENGINE_CHILD"

// trap is a connection that counts the messages of all connections.
type trap struct {
	net.Conn
	count  *atomic.Int64
	at     int64
	match  []byte // count only what holds this
	after  bool   // the signal comes after the message
	signal syscall.Signal
}

func (c *trap) Write(b []byte) (int, error) {
	hit := bytes.Contains(b, c.match) && c.count.Add(1) == c.at
	if hit && !c.after {
		syscall.Kill(os.Getpid(), c.signal)
		time.Sleep(20 * time.Millisecond) // a stop takes effect a moment later
	}
	n, err := c.Conn.Write(b)
	if hit && c.after {
		syscall.Kill(os.Getpid(), c.signal)
		time.Sleep(20 * time.Millisecond)
	}
	return n, err
}

// TestEngineChild is what a child runs.
func TestEngineChild(t *testing.T) {
	f := strings.Split(os.Getenv(childEnv), "|")
	if len(f) != 6 {
		t.Skip("only as a child of the other tests")
	}
	at, err := strconv.ParseInt(f[2], 10, 64)
	ok(t, err)
	signal, err := strconv.Atoi(f[4])
	ok(t, err)
	var count atomic.Int64
	pool := openPool(t, f[0], func(c *pgxpool.Config) {
		c.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, addr)
			return &trap{conn, &count, at, []byte(f[5]), f[3] == "after", syscall.Signal(signal)}, err
		}
	})
	ok(t, migrate.Work(context.Background(), migrate.Postgres(pool), f[1], newToy("a", "b"), migrate.Options{Actor: "child", Lease: 400 * time.Millisecond}))
}

func startChild(t *testing.T, e *engine, job *migrate.Job, at int, when string, signal syscall.Signal, match string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	ok(t, err)
	cmd := exec.Command(self, "-test.run=^TestEngineChild$")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s|%s|%d|%s|%d|%s", childEnv, e.url, job.ID, at, when, int(signal), match))
	ok(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return cmd
}

// TestEngineKilledAtEveryMessage kills a migrator with kill -9 before or after
// its n-th message to Postgres. Another one ends the work: no row is lost, and
// the counters are exact.
func TestEngineKilledAtEveryMessage(t *testing.T) {
	killedAtEveryMessage(t, 9)
}

func TestSoakEngineKilledAtEveryMessage(t *testing.T) {
	killedAtEveryMessage(t, soak(t, 5, 1))
}

func killedAtEveryMessage(t *testing.T, step int) {
	e := newEngine(t)
	killed := 0
	for n := 2; ; n += step {
		e.reset(t)
		e.people(t, 1500)
		rw := newToy("a", "b")
		job := e.start(t, "people", rw, func(s *migrate.Spec) { s.Shards = 2; s.Scan = []string{"key", "heap"}[n%2] })
		err := startChild(t, e, job, n, []string{"before", "after"}[n/step%2], syscall.SIGKILL, "").Wait()
		ok(t, migrate.Work(context.Background(), e.db, job.ID, rw, migrate.Options{}))
		e.peopleAreMoved(t, 1500)
		if s := e.check(t, job); s.Changed != 1500 || s.Conflicts != 0 || s.Phase != migrate.PhaseSwept {
			t.Errorf("killed at message %d: %+v", n, s)
		}
		if err == nil {
			break
		}
		killed++
	}
	t.Logf("killed %d times", killed)
	if killed < 3 {
		t.Errorf("the child was killed %d times alone", killed)
	}
}

// TestEnginePausedPastItsLeaseChangesNothing stops a migrator as it is about to
// send a batch whose rows are again as it has read them when it wakes.
func TestEnginePausedPastItsLeaseChangesNothing(t *testing.T) {
	for _, another := range []bool{false, true} {
		t.Run(fmt.Sprint("another takes over: ", another), func(t *testing.T) {
			e := newEngine(t)
			e.people(t, 1500)
			e.exec(t, `CREATE TABLE before AS SELECT * FROM people`)
			rw := newToy("a", "b")
			job := e.start(t, "people", rw, func(s *migrate.Spec) { s.Shards = 1 })
			child := startChild(t, e, job, 1, "before", syscall.SIGSTOP, "UPDATE ONLY public.people")
			eventually(t, "the lease has run out", func() bool {
				return e.int(t, `SELECT count(*) FROM fieldcrypt_job_shards WHERE lease_until < clock_timestamp()`) == 1
			})
			if another {
				e.work(t, job, rw)
			}
			// Nobody but a statement without a valid lease could change these.
			e.exec(t, `UPDATE people SET a = before.a, b = before.b FROM before WHERE people.id = before.id`)
			ok(t, migrate.Pause(context.Background(), e.db, job.ID, "tester"))
			ok(t, child.Process.Signal(syscall.SIGCONT))
			child.Wait()
			if n := e.int(t, `SELECT count(*) FROM people JOIN before USING (id) WHERE people.a <> before.a OR people.b <> before.b`); n != 0 {
				t.Errorf("the one that slept changed %d rows", n)
			}
		})
	}
}

// TestEngineSurvivesCrashesOfPostgres kills a backend, upon which Postgres ends
// all others at once and recovers from its WAL.
func TestEngineSurvivesCrashesOfPostgres(t *testing.T) { crashes(t, 2) }

func TestSoakEngineCrashesOfPostgres(t *testing.T) { crashes(t, soak(t, 5, 40)) }
