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
	running  int
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
// one before it has failed, or has not answered within Config.HedgeAfter: then
// they run side by side, and who comes too late is cancelled. What they answered
// stands in the attempts.
func (m *Manager) firstOf(ctx context.Context, e *entry, r Record, list []attempt) outcome {
	if len(list) == 1 {
		only := m.attempt(ctx, e, r, list, 0)
		*list[0].answer = only.err
		return only
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := &race{m: m, ctx: ctx, e: e, record: r, attempts: list,
		started: make([]bool, len(list)), outcomes: make(chan outcome, len(list))}
	hedge := time.NewTimer(m.cfg.HedgeAfter)
	defer hedge.Stop()
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
			c.start()
			hedge.Reset(m.cfg.HedgeAfter)
		case <-hedge.C:
			if c.start() {
				hedge.Reset(m.cfg.HedgeAfter)
			}
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
		c.started[i] = true
		c.running++
		c.m.work.Go(func() { c.outcomes <- c.m.attempt(c.ctx, c.e, c.record, c.attempts, i) })
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
func (m *Manager) attempt(ctx context.Context, e *entry, r Record, list []attempt, at int) outcome {
	keys, dataKey, err := m.unlockWith(ctx, e, r, list[at].kek, list[at].wrap)
	return outcome{at: at, keys: keys, dataKey: dataKey, err: err}
}
