package fieldcrypttest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

// grace is how long connections that a test still uses are waited for.
const grace = 5 * time.Second

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
	for {
		select {
		case <-closed:
			return
		case <-time.After(grace):
			if n := e.Pool.Stat().AcquiredConns(); n > 0 { // else the machine is slow
				t.Errorf("fieldcrypttest: %v (%d)", errTaken, n)
				return
			}
		}
	}
}

// awaitConnection returns when the pool has a connection to give.
func (e *Env) awaitConnection(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		within, cancel := context.WithTimeout(ctx, grace)
		conn, err := e.Pool.Acquire(within)
		cancel()
		if err == nil {
			conn.Release()
			return nil
		}
		switch s := e.Pool.Stat(); {
		case s.AcquiredConns() >= s.MaxConns():
			return fmt.Errorf("%w (%d, which are all)", errTaken, s.MaxConns())
		case within.Err() == nil, ctx.Err() != nil:
			return err
		}
	}
}
