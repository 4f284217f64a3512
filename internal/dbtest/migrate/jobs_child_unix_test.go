//go:build unix

package migrate_test

import (
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

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/migrate"
)

const jobsChildEnv = "FIELDCRYPT_JOBS_CHILD"

// TestJobsChild is a process that rotates keys and kills itself at its n-th
// message to Postgres.
func TestJobsChild(t *testing.T) {
	f := strings.Split(os.Getenv(jobsChildEnv), "|")
	if len(f) != 3 {
		t.Skip("only as a child of the other tests")
	}
	at, err := strconv.ParseInt(f[2], 10, 64)
	ok(t, err)
	j := &jobs{url: f[0], keyFile: f[1], models: []any{&jobsPatient{}}}
	cfg, err := jobsConfig(j.open(t, "pgx"), j.keyFile)
	ok(t, err)
	cfg.Lazy = true
	keys, err := keymgr.Open(context.Background(), cfg)
	ok(t, err)
	var count atomic.Int64
	pool := openPool(t, j.url, func(c *pgxpool.Config) {
		c.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, addr)
			return &trap{conn, &count, at, nil, at%2 == 0, syscall.SIGKILL}, err
		}
	})
	p := j.newProject(t, migrate.Postgres(pool), keys)
	_, err = p.Rotate(context.Background(), jobsMedical, migrate.RotateOptions{Work: migrate.Options{Lease: 300 * time.Millisecond}})
	ok(t, err)
}

// TestJobsRotationKilledAtManyMessages kills a rotation again and again, each time
// later, until one child comes to its end: no value is lost, none is left on an old
// key, and no second key was added on the way.
func TestJobsRotationKilledAtManyMessages(t *testing.T) {
	j := newJobs(t, &jobsPatient{})
	j.patients(t, 400)
	old := j.primary(t, jobsMedical)
	self, err := os.Executable()
	ok(t, err)
	killed := 0
	for n := 3; ; n += 17 {
		cmd := exec.Command(self, "-test.run=^TestJobsChild$")
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s|%s|%d", jobsChildEnv, j.url, j.keyFile, n))
		out, err := cmd.CombinedOutput()
		if err == nil {
			break
		}
		if cmd.ProcessState.ExitCode() != -1 {
			t.Fatalf("killed at %d: %s", n, out)
		}
		killed++
	}
	t.Logf("killed %d times", killed)
	if killed < 3 {
		t.Errorf("it was killed %d times", killed)
	}
	if s, n := j.state(t, jobsMedical, old), j.named(t, old); s != keymgr.StateDisabled || n != 0 {
		t.Errorf("the old key is %s, and %d values name it", s, n)
	}
	keys, err := j.project.Keys.Keys(context.Background(), jobsMedical)
	ok(t, err)
	if n := len(keys.Info(keymgr.Seal)); n != 2 {
		t.Errorf("there are %d keys", n)
	}
	want := map[int64]jobsPatient{}
	for id := int64(1); id <= 400; id++ {
		want[id] = patient(id, 0)
	}
	j.same(t, want)
}
