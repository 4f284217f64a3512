package keymgr

import (
	"context"
	"errors"
	"fmt"
)

// maxDraws is how often new keys are drawn when the store has seen their ids
// before: with a billion ids used, one draw in four hits.
const maxDraws = 32

// Create makes the keysets of a scope: ErrScopeExists if it has some,
// ErrScopeDestroyed if they were destroyed. It costs one call of each of the
// domain's KEKs.
func (m *Manager) Create(ctx context.Context, s Scope) error {
	e, ctx, end, err := m.beginChange(ctx, s)
	if err != nil {
		return err
	}
	defer end()
	// Asking first saves the KMS calls.
	err = m.inStore(ctx, e, func(ctx context.Context) error {
		_, err := m.cfg.Store.Version(ctx, s)
		return err
	})
	switch {
	case err == nil:
		return fmt.Errorf("%w: %s", ErrScopeExists, e.label)
	case !errors.Is(err, ErrScopeNotFound):
		return err
	}
	began := m.cfg.Now()
	keys, err := m.create(ctx, e)
	if err != nil {
		return err
	}
	m.note(e, keys, began)
	return nil
}

// Ensure opens a scope, and creates it if it is missing and its domain says
// AutoCreate. Drivers call it before they begin a transaction: no scope is
// made inside one. Errors are those of [Manager.Keys].
func (m *Manager) Ensure(ctx context.Context, s Scope) error {
	e, err := m.entry(s)
	if err != nil {
		return err
	}
	_, err = m.keys(ctx, e)
	for errors.Is(err, ErrScopeNotFound) && e.domain.AutoCreate {
		o := m.join(ctx, e, nil, true)
		if _, err = o.wait(ctx); o.create {
			break
		}
	}
	return err
}

// create makes version 1 of a scope and stores it.
//
// A scope that had keysets before, as this Manager or its Config knows, does not
// get others in their place: what the old keys have sealed would be lost from
// sight without an error.
func (m *Manager) create(ctx context.Context, e *entry) (*Keys, error) {
	if floor := e.floor(); floor > 0 {
		return nil, fmt.Errorf("%w: scope %s: the keysets are gone, version %d was seen or is required", ErrRollback, e.label, floor)
	}
	dataKey, wraps, err := m.newDataKey(ctx, e)
	if err != nil {
		return nil, err
	}
	defer clear(dataKey)
	keys, err := m.put(ctx, e, dataKey, wraps, m.cfg.Store.Create, func() (*draft, error) {
		return firstDraft(e.scope, m.cfg.Now(), ActorFrom(ctx))
	})
	if err != nil {
		return nil, err
	}
	m.cfg.Logger.Info("keymgr: scope created", "scope", e.label, "actor", ActorFrom(ctx), "keks", kekURIs(wraps))
	return keys, nil
}

// put encrypts a draft and stores it, drawing again while ids are taken.
func (m *Manager) put(ctx context.Context, e *entry, dataKey []byte, wraps []Wrap,
	store func(context.Context, Record, []Event) error, make func() (*draft, error)) (*Keys, error) {
	var err error
	for range maxDraws {
		var d *draft
		if d, err = make(); err != nil {
			return nil, err
		}
		var r Record
		if r, err = d.encrypt(dataKey); err != nil {
			return nil, err
		}
		r.Wraps = wraps
		var keys *Keys
		if keys, err = r.decrypt(dataKey); err != nil { // never store what does not open
			return nil, err
		}
		err = m.inStore(ctx, e, func(ctx context.Context) error { return store(ctx, r, d.events) })
		if err == nil {
			return keys, nil
		}
		if !errors.Is(err, ErrKeyIDTaken) || d.fixedIDs {
			break
		}
	}
	return nil, err
}

// beginChange begins an operation of the caller's that changes a scope.
func (m *Manager) beginChange(ctx context.Context, s Scope) (*entry, context.Context, func(), error) {
	e, err := m.entry(s)
	if err != nil {
		return nil, nil, nil, err
	}
	ctx, end, err := m.begin(ctx)
	return e, ctx, func() {
		e.mu.Lock()
		m.shed(e)
		e.mu.Unlock()
		end()
	}, err
}
