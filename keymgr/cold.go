package keymgr

import (
	"errors"
	"slices"
	"sync"
	"time"
)

// A cold scope that the KMS refuses, or does not answer for, must not cost a call
// for each use: per scope at most coldBurst openings at once and one per coldEvery
// after that. Uses between them get the last error.
const (
	coldBurst = 8
	coldEvery = time.Second
	coldMax   = 10_000 // scopes remembered
)

// coldScopes are the scopes of which no keys are cached because the KMS did not
// open them. They go by the time that passes, as [budget] does.
type coldScopes struct {
	mu    sync.Mutex
	gates map[Scope]*coldGate
}

type coldGate struct {
	paid time.Time // the openings so far have used up what is due until then
	err  lastError // of the last one
}

// lastError is what an error said and its class, without what the error of a
// KMS's client holds on to: requests and responses of many thousand scopes.
type lastError struct {
	text  string
	class error
}

func (e lastError) Error() string { return e.text }
func (e lastError) Unwrap() error { return e.class }

// admit returns nil if an opening may start, else the error of the last one.
func (c *coldScopes) admit(s Scope) error {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	g := c.gates[s]
	if g == nil {
		return nil
	}
	if g.paid.Sub(now) > (coldBurst-1)*coldEvery {
		return g.err
	}
	if g.paid.Before(now) {
		g.paid = now
	}
	g.paid = g.paid.Add(coldEvery)
	return nil
}

// failed notes an opening that failed. Only what the KMS was asked for counts:
// one that found no keysets leaves its place to the one that makes them.
func (c *coldScopes) failed(s Scope, err error) {
	asked := slices.IndexFunc(kmsErrors(), func(class error) bool { return errors.Is(err, class) })
	c.mu.Lock()
	defer c.mu.Unlock()
	g := c.gates[s]
	if asked < 0 {
		if g != nil {
			g.paid = g.paid.Add(-coldEvery)
		}
		return
	}
	if g == nil {
		if c.gates == nil || len(c.gates) >= coldMax {
			c.gates = map[Scope]*coldGate{} // Config.KMSRate holds without it too
		}
		g = &coldGate{paid: time.Now().Add(coldEvery)}
		c.gates[s] = g
	}
	g.err = lastError{err.Error(), kmsErrors()[asked]}
}

// forget forgets the failures of a scope.
func (c *coldScopes) forget(s Scope) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.gates, s)
}
