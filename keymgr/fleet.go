package keymgr

import (
	"context"
	"fmt"
	"time"
)

// allHave returns ErrKeyInUse, naming them, while instances that may hold the
// scope have a version of its keysets below the given one, which somebody saw in
// the store at the given time. Of a fleet that does not report nothing is known;
// then only time tells ([Manager.DestroyKey]).
func (m *Manager) allHave(ctx context.Context, s Scope, version uint64, at time.Time) error {
	if m.instances() == nil {
		return nil
	}
	f, err := m.Instances(ctx, s)
	if err != nil {
		return err
	}
	seen := observation{scope: s, version: version}
	m.observed.at(seen, at.Add(m.cfg.CacheTTL)) // by another clock than the store's
	behind, _, of := m.lagging(f, s, seen, func(h InstanceScope) bool { return h.Version >= version })
	if len(behind) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %d of %d instances may still write with it, they have not acknowledged version %d: %s; wait for them, end those that hang, or forget those that are dead (`fieldcrypt keys forget`)",
		ErrKeyInUse, len(behind), of, version, describe(behind, s, f.Now))
}

// largestAge is how long after a change of keysets an instance may still serve
// from what it read before: the largest MaxStale plus CacheTTL of the fleet. The
// scope only spares the store to list what all instances hold.
func (m *Manager) largestAge(ctx context.Context, s Scope) (time.Duration, error) {
	largest := m.maxAge()
	if m.instances() == nil {
		return largest, nil
	}
	f, err := m.Instances(ctx, s)
	if err != nil {
		return 0, err
	}
	for _, i := range f.Instances {
		if !i.Gone(f.Now) {
			largest = max(largest, i.MaxAge)
		}
	}
	return largest, nil
}
