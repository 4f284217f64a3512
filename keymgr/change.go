package keymgr

import (
	"context"
	"fmt"
	"time"
)

// AddKey adds a new random key to one of a scope's keysets and returns its id.
// The key is pending: it opens and searches, and does not write before
// [Manager.PromoteKey]. ErrConflict if the scope is changed meanwhile.
//
// Every change of a keyset makes a new data key and a new version. It opens
// the scope through the KMS, whatever is cached.
func (m *Manager) AddKey(ctx context.Context, s Scope, p Purpose) (keyID uint32, err error) {
	return m.change(ctx, s, p, "keymgr: key added", func(d *draft) (uint32, error) {
		return d.add(p, StatePending)
	})
}

// change replaces the stored version of a scope by what edit makes of it, and
// returns the key that edit names.
func (m *Manager) change(ctx context.Context, s Scope, p Purpose, done string, edit func(*draft) (uint32, error)) (keyID uint32, err error) {
	if p != Seal && p != Index {
		return 0, fmt.Errorf("%w: there is no such purpose of keys", ErrKeyState)
	}
	e, ctx, end, err := m.beginChange(ctx, s)
	if err != nil {
		return 0, err
	}
	defer end()
	began := m.cfg.Now()
	old, err := m.open(ctx, e, e.floor())
	if err != nil {
		return 0, err
	}
	next := func() (d *draft, err error) {
		d = old.next(m.cfg.Now(), ActorFrom(ctx))
		keyID, err = edit(d)
		return d, err
	}
	if _, err := next(); err != nil { // before the KMS is asked for anything new
		return 0, err
	}
	dataKey, wraps, err := m.newDataKey(ctx, e)
	if err != nil {
		return 0, err
	}
	defer clear(dataKey)
	keys, err := m.put(ctx, e, dataKey, wraps, m.cfg.Store.Replace, next)
	if err != nil {
		return 0, err
	}
	m.cfg.Logger.Info(done, "scope", e.label, "purpose", p, "key", keyID, "version", keys.version, "actor", ActorFrom(ctx))
	m.note(e, keys, began)
	return keyID, nil
}

// note caches the keys that a change by this Manager has made. If e is gone by
// now, the heartbeats since then did not know of the change, and the keys may have
// been overtaken: the next use opens the scope.
func (m *Manager) note(e *entry, keys *Keys, began time.Time) {
	report := func() {}
	defer func() { report() }()
	room := m.makeRoom(e)
	defer func() { room.giveBack() }()
	live := m.lock(e)
	defer live.mu.Unlock()
	defer m.shed(live)
	current := live == e && keys.version >= max(e.highest, e.stored) // else another change has come after it
	live.highest = max(live.highest, keys.version)
	if o := e.cached.Load(); current && room.fits(e) && (o == nil || o.keys.version <= keys.version) {
		report = m.keep(e, keys, began, &room)
	}
}
