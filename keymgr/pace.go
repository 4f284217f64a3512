package keymgr

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// pace spaces the KMS calls of a re-wrap, without bursts, and counts them. A nil
// pace does neither.
type pace struct {
	every time.Duration // 0: no limit

	mu    sync.Mutex
	next  time.Time // the first call that is not yet promised
	calls int
}

// newPace is for a number of calls per second; 0 does not limit.
func newPace(rate float64) *pace {
	if rate == 0 {
		return &pace{}
	}
	return &pace{every: time.Duration(float64(time.Second) / rate)}
}

// wait returns when it is the caller's turn: ErrKMSUnavailable if its context
// ends first.
func (p *pace) wait(ctx context.Context) error {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	p.calls++
	now := time.Now()
	at := p.next
	if at.Before(now) {
		at = now
	}
	p.next = at.Add(p.every)
	p.mu.Unlock()
	if at.Equal(now) {
		return nil
	}
	t := time.NewTimer(at.Sub(now))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: waiting for its turn: %w", ErrKMSUnavailable, ctx.Err())
	}
}

// made is how many calls were asked for.
func (p *pace) made() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls
}
