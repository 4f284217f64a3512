package keymgr

import (
	"context"
	"sync/atomic"
	"time"
)

// ScopeKeys gives the keys of one scope as [Manager.Keys] and [Manager.KeysFor]
// do, and to the same bounds of time, without looking the scope up at each
// call. It holds no keys itself. It is safe for concurrent use, and serves for
// as long as its Manager does.
type ScopeKeys struct {
	m     *Manager
	scope Scope
	entry atomic.Pointer[entry] // as it was last looked up; nil before the first use
}

// ForScope returns the ScopeKeys of a scope. It checks nothing and opens
// nothing: that is for their use.
func (m *Manager) ForScope(s Scope) *ScopeKeys { return &ScopeKeys{m: m, scope: s} }

// Keys is [Manager.Keys] for the scope.
func (s *ScopeKeys) Keys(ctx context.Context) (*Keys, error) {
	if k := s.atOnce(); k != nil {
		return k, nil
	}
	e, err := s.lookUp()
	if err != nil {
		return nil, err
	}
	return s.m.keys(ctx, e)
}

// KeysFor is [Manager.KeysFor] for the scope.
func (s *ScopeKeys) KeysFor(ctx context.Context, sealKeyID uint32) (*Keys, error) {
	if k := s.atOnce(); k != nil && k.knows(sealKeyID) {
		return k, nil
	}
	e, err := s.lookUp()
	if err != nil {
		return nil, err
	}
	return s.m.keysFor(ctx, e, sealKeyID)
}

// atOnce returns cached keys for which there is nothing to do but return them,
// or nil. An entry that is no longer the scope's has none.
func (s *ScopeKeys) atOnce() *Keys {
	e := s.entry.Load()
	if e == nil || s.m.closed.Load() {
		return nil
	}
	if o := e.cached.Load(); o != nil && s.m.before(o.refreshAt) {
		e.touch()
		return o.keys
	}
	return nil
}

func (s *ScopeKeys) lookUp() (*entry, error) {
	e, err := s.m.entry(s.scope)
	if err == nil && e != s.entry.Load() {
		s.entry.Store(e)
	}
	return e, err
}

// before reports whether it is earlier than t. Where the clock is Go's own, it
// reads the monotonic time alone, which is what comparing would go by.
func (m *Manager) before(t time.Time) bool {
	if m.ownClock {
		return time.Until(t) > 0
	}
	return m.cfg.Now().Before(t)
}
