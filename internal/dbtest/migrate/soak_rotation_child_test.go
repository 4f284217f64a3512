//go:build unix

package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
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

const rotationChildEnv = "FIELDCRYPT_ROTATION_CHILD"

// TestRotationChild is what a migrator of TestSoakRotation runs: it rotates until
// the old key is out of use, unless it kills itself at its n-th message.
func TestRotationChild(t *testing.T) {
	f := strings.Split(os.Getenv(rotationChildEnv), "|")
	if len(f) != 5 {
		t.Skip("only as a child of TestSoakRotation")
	}
	old, err := strconv.ParseUint(f[3], 10, 32)
	ok(t, err)
	at, err := strconv.ParseInt(f[4], 10, 64)
	ok(t, err)
	var count atomic.Int64
	pool := openPool(t, f[0], func(c *pgxpool.Config) {
		c.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, addr)
			return &trap{Conn: conn, count: &count, at: at, after: at%2 == 0, signal: syscall.SIGKILL}, err
		}
	})
	project, scope := openProject(t, pool, f[1]), keymgr.Scope{Domain: f[2]}
	for !isDisabled(t, project, scope, uint32(old)) {
		rotateOnce(t, project, scope)
	}
}

// rotateOnce goes on with a rotation, as an operator would who runs the command
// again until it says that it is done. Others may be at it at the same time, so
// some errors pass by themselves; but not for ever.
func rotateOnce(t *testing.T, p *migrate.Project, scope keymgr.Scope) {
	t.Helper()
	var errs []error
	for range 20 {
		_, err := p.Rotate(context.Background(), scope, migrate.RotateOptions{Work: migrate.Options{Lease: 500 * time.Millisecond}})
		if err == nil {
			return
		}
		if !slices.ContainsFunc(passing, func(p error) bool { return errors.Is(err, p) }) {
			t.Fatal(err)
		}
		errs = append(errs, err)
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal(errors.Join(errs...))
}

// passing is what one of several migrators can meet because of another one.
var passing = []error{
	keymgr.ErrConflict, keymgr.ErrKeyInUse, keymgr.ErrKeyState, keymgr.ErrInstancesBehind,
	migrate.ErrIncomplete, migrate.ErrWrongPhase, migrate.ErrJobExists,
}

func isDisabled(t *testing.T, p *migrate.Project, scope keymgr.Scope, id uint32) bool {
	t.Helper()
	p.Keys.Evict(scope)
	keys, err := p.Keys.Keys(context.Background(), scope)
	ok(t, err)
	for _, k := range keys.Info(keymgr.Seal) {
		if k.ID == id {
			return k.State == keymgr.StateDisabled
		}
	}
	t.Fatalf("no key %d", id)
	return false
}

// child starts a migrator that kills itself at its n-th message to Postgres; 0 for
// never.
func (s *soakService) child(t *testing.T, scope keymgr.Scope, old uint32, n int) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	ok(t, err)
	cmd := exec.Command(self, "-test.run=^TestRotationChild$", "-test.v")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s|%s|%s|%d|%d", rotationChildEnv, s.url, s.keyFile, scope.Domain, old, n))
	cmd.Stdout, cmd.Stderr = &childOutput{t: t}, &childOutput{t: t}
	ok(t, cmd.Start())
	t.Cleanup(func() { cmd.Process.Kill() })
	return cmd
}

// childOutput passes on what a migrator says of a failure.
type childOutput struct{ t *testing.T }

func (o *childOutput) Write(b []byte) (int, error) {
	for line := range strings.Lines(string(b)) {
		if !strings.Contains(line, "RUN") && !strings.Contains(line, "PASS") {
			o.t.Logf("migrator: %s", strings.TrimRight(line, "\n"))
		}
	}
	return len(b), nil
}

func wasKilled(err error) bool {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return false
	}
	status, is := exit.Sys().(syscall.WaitStatus)
	return is && status.Signaled() && status.Signal() == syscall.SIGKILL
}
