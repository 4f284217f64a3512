package keymgr

import (
	"context"
	"fmt"
	"time"
)

// PromoteKey makes a pending or active key the primary, which writes.
//
// A process that still has the keysets of before would not find what the new
// index key writes. So either every instance that reports to the store has
// acknowledged the key, and there is one: it holds a version that has the key, or
// has looked at the store since the key was there and holds none of the scope
// (ErrInstancesBehind otherwise; [Manager.WaitPromotable] waits for it). Or the key
// is older than any process's cache can be: the largest MaxStale + CacheTTL of the
// instances and of this Manager (ErrKeyState if it is not, and no instance
// reports, as with a store that is no [InstanceStore]). Clocks of processes may
// differ by less than CacheTTL.
//
// Processes that do not report (Config.Heartbeat is negative, Lazy, or a version of
// this library before there were instances) are not waited for: while there are
// any, promote by age alone.
//
// Further errors: ErrKeyState if the key is in another state; ErrUnknownKey;
// ErrConflict if the scope is changed meanwhile.
func (m *Manager) PromoteKey(ctx context.Context, s Scope, p Purpose, keyID uint32) error {
	var status PromoteStatus
	asked := false
	_, err := m.change(ctx, s, p, "keymgr: key promoted", func(d *draft) (uint32, error) {
		c, err := d.promotable(p, keyID)
		if err != nil {
			return 0, err
		}
		if !asked { // the key was seen in the store: now is the time to ask
			if status, err = m.promotable(ctx, s, c); err != nil {
				return 0, err
			}
			asked = true
		}
		oldest := d.now.Add(c.since.Sub(status.AgeAt)) // since when readers must have had it
		if status.acknowledged() {
			oldest = d.now.Add(24 * time.Hour)
		}
		if len(status.Behind) > 0 && c.since.After(oldest) {
			return 0, fmt.Errorf("%w: %d of %d: %s; wait for them (Manager.WaitPromotable, `fieldcrypt keys promote --wait`), end those that hang, forget those that are dead (`fieldcrypt keys forget`), or promote key %d from %s on",
				ErrInstancesBehind, len(status.Behind), status.Instances, describe(status.Behind, s, status.Now), keyID, status.AgeAt.UTC().Format(time.RFC3339))
		}
		return keyID, d.promote(p, keyID, oldest)
	})
	return err
}

// PromoteStatus is whether a key can become the primary.
type PromoteStatus struct {
	Ready     bool       // PromoteKey can succeed
	Instances int        // that report and are not gone
	Behind    []Instance // of these, those that have not acknowledged the key
	Now       time.Time  // the store's clock; zero if the store is no InstanceStore
	AgeAt     time.Time  // from when on the key's age alone suffices
}

func (s PromoteStatus) acknowledged() bool { return s.Instances > 0 && len(s.Behind) == 0 }

// String says what is waited for, in one line.
func (s PromoteStatus) String() string {
	switch {
	case s.Ready:
		return "ready"
	case s.Instances == 0:
		return "no instance reports; the key is old enough at " + s.AgeAt.UTC().Format(time.RFC3339)
	}
	text := fmt.Sprintf("%d of %d instances are behind, the key is old enough at %s:", len(s.Behind), s.Instances, s.AgeAt.UTC().Format(time.RFC3339))
	for _, i := range s.Behind {
		text += fmt.Sprintf(" %s (%s)", i.Host, i.ID)
	}
	return text
}

// WaitPromotable waits until PromoteKey can succeed, or ctx ends, whose error it
// then returns. It opens the scope through the KMS once and asks the store about
// every second. tell, if not nil, is called after each time. Errors are those of
// PromoteKey, but for those that are waited for.
func (m *Manager) WaitPromotable(ctx context.Context, s Scope, p Purpose, keyID uint32, tell func(PromoteStatus)) error {
	e, ctx, end, err := m.beginChange(ctx, s)
	if err != nil {
		return err
	}
	defer end()
	keys, err := m.open(ctx, e, e.floor())
	if err != nil {
		return err
	}
	c, err := keys.next(m.cfg.Now(), "").promotable(p, keyID)
	if err != nil {
		return err
	}
	const pause = time.Second
	for {
		status, err := m.promotable(ctx, s, c)
		if err != nil && !unanswered(err) {
			return err
		}
		if err == nil && tell != nil {
			tell(status)
		}
		if err == nil && status.Ready {
			return nil
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			if m.closed.Load() {
				return ErrClosed
			}
			return fmt.Errorf("keymgr: waiting to promote key %d: %w", keyID, context.Cause(ctx))
		}
	}
}

// promotable asks the store about the key, which the caller has seen there.
func (m *Manager) promotable(ctx context.Context, s Scope, c candidate) (PromoteStatus, error) {
	status := PromoteStatus{AgeAt: c.since.Add(m.maxAge())}
	if m.instances() != nil {
		var f Fleet
		err := m.inInstances(ctx, "list", func(ctx context.Context, store InstanceStore) (err error) {
			f, err = store.Instances(ctx, s)
			return err
		})
		if err != nil {
			return PromoteStatus{}, err
		}
		var maxAge time.Duration
		status.Behind, maxAge, status.Instances = m.lagging(f, s, c.seen, c.has)
		status.Now, status.AgeAt = f.Now, c.since.Add(maxAge)
	}
	status.Ready = status.acknowledged() || !m.cfg.Now().Before(status.AgeAt)
	return status, nil
}

// candidate is a key that can become the primary.
type candidate struct {
	since time.Time                // every version since then lets readers use it
	seen  observation              // what the instances must have acknowledged,
	has   func(InstanceScope) bool // which those have that this tells of
}

// promotable returns a key that can become primary: ErrUnknownKey or ErrKeyState.
//
// A pending key was never disabled: who has it has it for good. An active one may
// have been, so that only the current version tells that it can be read.
func (d *draft) promotable(p Purpose, id uint32) (candidate, error) {
	if p != Seal && p != Index {
		return candidate{}, fmt.Errorf("%w: there is no such purpose of keys", ErrKeyState)
	}
	k, err := d.key(p, id)
	if err != nil {
		return candidate{}, err
	}
	c := candidate{since: d.info.readableSince(p, id)}
	switch k.State {
	case StatePending:
		c.seen, c.has = observation{scope: d.scope, key: id}, hasKey(p, id)
	case StateActive:
		current := d.version - 1
		c.seen, c.has = observation{scope: d.scope, version: current}, func(h InstanceScope) bool { return h.Version >= current }
	default:
		return candidate{}, fmt.Errorf("%w: key %d is %s: only a pending or active key can become primary", ErrKeyState, id, k.State)
	}
	return c, nil
}
