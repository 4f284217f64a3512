package keymgr

import (
	"context"
	"fmt"
)

// flight is work that is done once for all who wait for it.
type flight[T any] struct {
	done  chan struct{} // closed when value and err are set
	value T
	err   error
}

func newFlight[T any]() *flight[T] { return &flight[T]{done: make(chan struct{})} }

func (f *flight[T]) land(value T, err error) {
	f.value, f.err = value, err
	close(f.done)
}

// wait returns what the work gave, or the error of the waiter's own context.
func (f *flight[T]) wait(ctx context.Context) (T, error) {
	select {
	case <-f.done:
	case <-ctx.Done():
		select {
		case <-f.done: // both: the answer is there
		default:
			var zero T
			return zero, fmt.Errorf("keymgr: waiting for keys: %w", context.Cause(ctx))
		}
	}
	return f.value, f.err
}

// begin registers work that Close waits for and cancels. It returns a context
// for it and what to call at its end, or ErrClosed.
func (m *Manager) begin(ctx context.Context) (context.Context, func(), error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed.Load() {
		return nil, nil, ErrClosed
	}
	m.work.Add(1)
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(m.closing, cancel)
	return ctx, func() {
		stop()
		cancel()
		m.work.Done()
	}, nil
}

// launch runs work in the background, on a context that keeps the caller's
// values and not its end. It reports whether it does: not after Close.
func (m *Manager) launch(ctx context.Context, work func(context.Context)) bool {
	ctx, end, err := m.begin(context.WithoutCancel(ctx))
	if err != nil {
		return false
	}
	go func() {
		defer end()
		work(ctx)
	}()
	return true
}
