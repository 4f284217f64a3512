package fieldcrypttest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

// grace is how long connections that a test still uses are waited for.
const grace = 3 * time.Second

var errTaken = errors.New("connections of Env.Pool were not given back: each Acquire wants a Release, each Begin a Commit or Rollback, also before t.Fatal, and Rows a Close")

// end ends what Start has begun. A connection that is never given back would hold
// up the pool's Close for ever.
func (e *Env) end(t testing.TB) {
	t.Helper()
	e.closeKeys()
	for _, db := range e.handles {
		db.Close()
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		e.Pool.Close()
	}()
	select {
	case <-closed:
	case <-time.After(grace):
		t.Errorf("fieldcrypttest: %v (%d)", errTaken, e.Pool.Stat().AcquiredConns())
	}
}

// awaitConnection returns when the pool has a connection to give.
func (e *Env) awaitConnection(ctx context.Context) error {
	within, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	conn, err := e.Pool.Acquire(within)
	if err != nil {
		if s := e.Pool.Stat(); s.AcquiredConns() >= s.MaxConns() {
			return fmt.Errorf("%w (%d, which are all)", errTaken, s.MaxConns())
		}
		return err
	}
	conn.Release()
	return nil
}
