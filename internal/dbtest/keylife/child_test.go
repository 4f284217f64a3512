package keylife_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
)

// task is what a child process does, and where it is killed.
type task struct {
	DSN, Dir  string
	Operation string
	Scope     keymgr.Scope
	Keys      scopeKeys
	Point     int64 // the point at which it is killed: 1, 2, 3, ...
}

// taskVariable makes the test binary run a task in place of tests.
const taskVariable = "FIELDCRYPT_TEST_TASK"

func TestMain(m *testing.M) {
	if text := os.Getenv(taskVariable); text != "" {
		var job task
		err := json.Unmarshal([]byte(text), &job)
		if err == nil {
			err = job.run()
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func (job task) run() error {
	points := &points{at: job.Point}
	db, err := place{job.DSN, job.Dir}.open(points)
	if err != nil {
		return err
	}
	m, err := job.manager(sqlstore.New(db), points)
	if err != nil {
		return err
	}
	return operations[job.Operation](context.Background(), m, job.Scope, job.Keys)
}

// manager is the operator's. A re-wrap moves from KEKs a and b to b and c; all else
// wraps under a and b.
func (job task) manager(store keymgr.Store, points *points) (*keymgr.Manager, error) {
	names, old := []string{"a", "b"}, []string(nil)
	if job.Operation == "rewrap" {
		names, old = []string{"b", "c"}, []string{"a"}
	}
	p := place{job.DSN, job.Dir}
	keks, err := p.keks(names...)
	if err != nil {
		return nil, err
	}
	decryptOnly, err := p.keks(old...)
	if err != nil {
		return nil, err
	}
	for _, list := range [][]keymgr.KEK{keks, decryptOnly} {
		for i, k := range list {
			list[i] = mortalKEK{k, points}
		}
	}
	return manager(store, keks, decryptOnly, 0)
}

// inChild runs the task in a process and reports whether it was killed.
func (job task) inChild(t *testing.T) (killed bool) {
	t.Helper()
	text, err := json.Marshal(job)
	must(t, err)
	self, err := os.Executable()
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), taskVariable+"="+string(text))
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		t.Fatalf("the child hangs: %s", out)
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		status, ok := exit.Sys().(syscall.WaitStatus)
		if ok && status.Signaled() && status.Signal() == syscall.SIGKILL {
			return true
		}
	}
	if err != nil {
		t.Fatalf("the child: %v\n%s", err, out)
	}
	return false
}
