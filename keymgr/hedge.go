package keymgr

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// race is the opening of one record by several attempts.
type race struct {
	m        *Manager
	ctx      context.Context
	e        *entry
	record   Record
	attempts []attempt
	started  []bool
	latest   int // attempt that was started last
	running  int
	asked    chan int // attempts whose KEK is being asked
	outcomes chan outcome
}

// outcome is what became of an attempt.
type outcome struct {
	at      int // index of the attempt
	keys    *Keys
	dataKey []byte // the receiver clears it
	err     error
}

// firstOf makes the attempts in order and returns what the first that succeeds
// gives, or an outcome with an error when none does. An attempt begins when the
// one before it has failed, or has not answered within Config.HedgeAfter of being
// asked: then they run side by side, and who comes too late is cancelled. What they
// answered stands in the attempts.
//
// The time that a call waits for its turn, in Config.KMSRate or the rate of a
// re-wrap, says nothing about the KEK: to ask others beside it would only lengthen
// the queue.
func (m *Manager) firstOf(ctx context.Context, e *entry, r Record, list []attempt) outcome {
	if len(list) == 1 {
		only := m.attempt(ctx, e, r, 0, list[0].kek, list[0].wrap)
		*list[0].answer = only.err
		return only
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := &race{m: m, ctx: ctx, e: e, record: r, attempts: list,
		started: make([]bool, len(list)), asked: make(chan int, len(list)), outcomes: make(chan outcome, len(list))}
	hedge := time.NewTimer(m.cfg.HedgeAfter)
	defer hedge.Stop()
	hedge.Stop()    // until the first is asked
	if !c.start() { // ctx has ended
		last := outcome{err: fmt.Errorf("%w: scope %s: %w", ErrKMSUnavailable, e.label, context.Cause(ctx))}
		*list[0].answer = last.err
		return last
	}
	var last outcome
	for c.running > 0 {
		select {
		case last = <-c.outcomes:
			c.running--
			if last.err == nil {
				c.abandon()
				return last
			}
			*list[last.at].answer = last.err
			hedge.Stop()
			c.start()
		case at := <-c.asked:
			if at == c.latest {
				hedge.Reset(m.cfg.HedgeAfter)
			}
		case <-hedge.C:
			c.start()
		}
	}
	return last
}

// start begins the next attempt that may be made, if there is one.
func (c *race) start() bool {
	if c.ctx.Err() != nil {
		return false
	}
	for i, a := range c.attempts {
		if c.started[i] || a.after != nil && !errors.Is(*a.after, ErrKEKNotAllowed) {
			continue
		}
		c.started[i], c.latest = true, i
		c.running++
		c.m.work.Go(func() {
			c.outcomes <- c.m.attempt(c.ctx, c.e, c.record, i, asking{a.kek, func() { c.asked <- i }}, a.wrap)
		})
		return true
	}
	return false
}

// abandon sees to it that nothing stays of the attempts that came too late. It
// does not wait for them; Close does.
func (c *race) abandon() {
	if c.running == 0 {
		return
	}
	c.m.work.Go(func() {
		for range c.running {
			late := <-c.outcomes
			clear(late.dataKey)
		}
	})
}

// attempt makes one attempt.
func (m *Manager) attempt(ctx context.Context, e *entry, r Record, at int, k KEK, w Wrap) outcome {
	keys, dataKey, err := m.unlockWith(ctx, e, r, k, w)
	return outcome{at: at, keys: keys, dataKey: dataKey, err: err}
}

// asking is a KEK that tells when it is asked.
type asking struct {
	KEK
	tell func()
}

func (k asking) Unwrap(ctx context.Context, wrapped []byte, wc WrapContext) ([]byte, error) {
	k.tell()
	return k.KEK.Unwrap(ctx, wrapped, wc)
}
