package keymgr

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Key ids come from stored rows, and who can write rows can plant ids that do
// not exist. Asking for them must cost little: per scope at most probeBurst
// reads of the stored version at once and one per probeEvery after that, none
// for an id that was found unknown within unknownFor.
const (
	unknownFor = time.Minute
	unknownMax = 1024 // ids remembered per scope
	probeBurst = 8
	probeEvery = time.Second
)

// unknownIDs is what a cache line knows of key ids that its keys lack.
type unknownIDs struct {
	mu      sync.Mutex
	until   map[uint32]time.Time
	budget  float64 // probes that may start now
	filled  time.Time
	probe   *flight[*Keys] // looks for newer keys; nil: none under way
	lastErr error          // of the last probe
}

// reset forgets everything: the keys are others now.
func (u *unknownIDs) reset(now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.until, u.budget, u.filled, u.lastErr = nil, probeBurst, now, nil
}

func (u *unknownIDs) remember(id uint32, now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.until == nil || len(u.until) >= unknownMax {
		u.until = map[uint32]time.Time{} // the budget holds without it too
	}
	u.until[id] = now.Add(unknownFor)
}

// admit says what to do about an unknown id: wait for the flight, whose work
// is the caller's to start if start is true, or fail with the error. The
// caller holds u.mu.
func (u *unknownIDs) admit(id uint32, now time.Time) (f *flight[*Keys], start bool, err error) {
	if now.Before(u.until[id]) {
		return nil, false, fmt.Errorf("%w: %d", ErrUnknownKey, id)
	}
	if u.probe != nil {
		return u.probe, false, nil
	}
	u.budget = min(probeBurst, u.budget+max(0, now.Sub(u.filled).Seconds()/probeEvery.Seconds()))
	u.filled = now
	switch {
	case u.budget >= 1:
		u.budget--
		u.probe = newFlight[*Keys]()
		return u.probe, true, nil
	case u.lastErr != nil:
		return nil, false, u.lastErr
	}
	return nil, false, fmt.Errorf("%w: %d (not looked up again: too many unknown ids)", ErrUnknownKey, id)
}

func (u *unknownIDs) probed(f *flight[*Keys], k *Keys, err error) {
	u.mu.Lock()
	u.probe, u.lastErr = nil, err
	u.mu.Unlock()
	f.land(k, err)
}

// KeysFor is [Manager.Keys] for opening what the seal key of the given id has
// sealed. If the cached keys do not know the id, it reads the stored version,
// and opens the scope again if that is another one; if the id is still not
// known, it fails with ErrUnknownKey. Ids that do not exist cost at most 8
// store calls at once and one a second per scope, and no KMS calls while the
// version stands.
//
// It returns the keys of a scope that has disabled or destroyed the key, too:
// [Keys.SealKey] then gives ErrKeyDisabled.
func (m *Manager) KeysFor(ctx context.Context, s Scope, sealKeyID uint32) (*Keys, error) {
	e, err := m.entry(s)
	if err != nil {
		return nil, err
	}
	return m.keysFor(ctx, e, sealKeyID)
}

func (m *Manager) keysFor(ctx context.Context, e *entry, id uint32) (*Keys, error) {
	k, err := m.keys(ctx, e)
	if err != nil || k.knows(id) {
		return k, err
	}
	return m.seek(ctx, e, id)
}

// seek looks for newer keys than the cached ones, which lack the id.
func (m *Manager) seek(ctx context.Context, e *entry, id uint32) (*Keys, error) {
	now := m.cfg.Now()
	u := &e.unknown
	u.mu.Lock()
	// A probe that has ended since has cached what it found.
	if o := e.cached.Load(); o != nil && o.keys.knows(id) {
		u.mu.Unlock()
		return o.keys, nil
	}
	f, start, err := u.admit(id, now)
	u.mu.Unlock()
	if err != nil {
		return nil, fmt.Errorf("scope %s: %w", e.label, err)
	}
	if start && !m.launch(ctx, func(ctx context.Context) { m.probe(ctx, e, f) }) {
		u.probed(f, nil, ErrClosed)
	}
	k, err := f.wait(ctx)
	if err != nil || k.knows(id) {
		return k, err
	}
	u.remember(id, now)
	return nil, fmt.Errorf("scope %s: %w: %d", e.label, ErrUnknownKey, id)
}

// probe reads the stored version and, if that is not the cached one, opens the
// scope.
func (m *Manager) probe(ctx context.Context, e *entry, f *flight[*Keys]) {
	var version uint64
	err := m.inStore(ctx, e, func(ctx context.Context) (err error) {
		version, err = m.cfg.Store.Version(ctx, e.scope)
		return err
	})
	if errors.Is(err, ErrScopeNotFound) || errors.Is(err, ErrScopeDestroyed) {
		version, err = 0, nil // the opening finds the same and drops what is cached
	}
	var k *Keys
	// The opening that is joined first may have read the store too early.
	for try := 0; err == nil && try < 3; try++ {
		o := e.cached.Load()
		if o != nil {
			k = o.keys
		}
		if k != nil && k.version == version || try == 2 {
			break
		}
		opening := m.join(ctx, e, o, false)
		if k, err = opening.wait(ctx); err == nil {
			err = opening.missed
		}
	}
	e.unknown.probed(f, k, err)
}
