package keymgr

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// newDataKey makes a data key with the first of the scope's KEKs and wraps it
// under all of them. The caller clears it.
func (m *Manager) newDataKey(ctx context.Context, e *entry) (dataKey []byte, wraps []Wrap, err error) {
	keks, err := m.wrapKEKs(ctx, e)
	if err != nil {
		return nil, nil, err
	}
	wc := e.wrapContext()
	add := func(k KEK, wrapped []byte) {
		wraps = append(wraps, Wrap{KEKURI: k.URI(), Wrapped: wrapped, TenantContext: wc.TenantContext})
	}
	err = m.inKMS(ctx, e, keks[0], OpGenerateDataKey, func(ctx context.Context) error {
		plaintext, wrapped, err := keks[0].GenerateDataKey(ctx, wc)
		dataKey = plaintext
		add(keks[0], wrapped)
		return err
	})
	for _, k := range keks[1:] {
		if err != nil {
			break
		}
		err = m.inKMS(ctx, e, k, OpWrap, func(ctx context.Context) error {
			wrapped, err := k.Wrap(ctx, dataKey, wc)
			add(k, wrapped)
			return err
		})
	}
	if err != nil {
		clear(dataKey)
		return nil, nil, err
	}
	sortWraps(wraps)
	return dataKey, wraps, nil
}

// load reads the scope's record: ErrRollback if it is older than the floor.
func (m *Manager) load(ctx context.Context, e *entry, floor uint64) (Record, error) {
	var r Record
	err := m.inStore(ctx, e, func(ctx context.Context) (err error) {
		r, err = m.cfg.Store.Load(ctx, e.scope)
		return err
	})
	switch {
	case errors.Is(err, ErrScopeNotFound):
		return Record{}, fmt.Errorf("%w (`fieldcrypt keys create` makes them, or Manager.Create of a Manager that was opened Lazy)", err)
	case err != nil:
		return Record{}, err
	case r.Scope != e.scope:
		return Record{}, fmt.Errorf("%w: scope %s: the store returned another scope's", ErrKeysetInvalid, e.label)
	case r.Version < floor:
		return Record{}, fmt.Errorf("%w: scope %s: version %d is stored, %d was seen or is required", ErrRollback, e.label, r.Version, floor)
	case r.Version == 0 || r.Version > maxVersion:
		return Record{}, fmt.Errorf("%w: scope %s: version %d cannot be", ErrKeysetInvalid, e.label, r.Version)
	}
	return r, nil
}

// unlock unwraps the data key of a record and opens the keysets with it, by
// the first allowed KEK that does so. The caller clears the data key.
func (m *Manager) unlock(ctx context.Context, e *entry, r Record) (*Keys, []byte, error) {
	allowed, err := m.openKEKs(ctx, e)
	if err != nil {
		return nil, nil, err
	}
	began := time.Now()
	list := attempts(allowed, r)
	if len(list) == 0 {
		listed := make([]string, len(allowed))
		for i, k := range allowed {
			listed[i] = k.URI()
		}
		return nil, nil, fmt.Errorf("%w: scope %s is wrapped under [%s], the configuration lists [%s]",
			ErrKEKNotAllowed, e.label, strings.Join(kekURIs(r.Wraps), " "), strings.Join(listed, " "))
	}
	won := m.firstOf(ctx, e, r, list)
	var answers []error
	for _, a := range list {
		if *a.answer != nil {
			answers = append(answers, *a.answer)
		}
	}
	if won.err != nil {
		return nil, nil, strongest(answers)
	}
	m.counts.opens.Add(1)
	o := ScopeOpened{
		Domain: e.scope.Domain, Scope: e.label, Version: r.Version,
		KEK: list[won.at].kek.URI(), Failover: failover(won.at, answers), Duration: time.Since(began),
	}
	switch {
	case o.Failover == "":
	case len(answers) > 0:
		m.cfg.Logger.Warn("keymgr: only another KEK opens the scope", "scope", e.label, "kek", o.KEK, "error", strongest(answers))
	default:
		m.cfg.Logger.Warn("keymgr: another KEK opened the scope, the first is slow", "scope", e.label, "kek", o.KEK, "slow", list[0].kek.URI())
	}
	m.observe(ctx, o)
	return won.keys, won.dataKey, nil
}

// failover says why the attempt that won was not the first.
func failover(won int, answers []error) Class {
	switch {
	case won == 0:
		return ""
	case len(answers) > 0:
		return classOf(strongest(answers))
	}
	return ClassSlow
}

// unlockWith opens a record by one wrap of its data key.
func (m *Manager) unlockWith(ctx context.Context, e *entry, r Record, k KEK, w Wrap) (keys *Keys, dataKey []byte, err error) {
	if w.TenantContext != TenantPlain && w.TenantContext != TenantSHA256 {
		return nil, nil, fmt.Errorf("%w: scope %s: a wrap has an unknown tenant context", ErrKeysetInvalid, e.label)
	}
	err = m.inKMS(ctx, e, k, OpUnwrap, func(ctx context.Context) (err error) {
		dataKey, err = k.Unwrap(ctx, w.Wrapped, WrapContext{Scope: e.scope, TenantContext: w.TenantContext})
		return err
	})
	if err == nil {
		if keys, err = r.decrypt(dataKey); err != nil {
			err = fmt.Errorf("scope %s: %w", e.label, err)
		}
	}
	if err != nil {
		clear(dataKey)
		return nil, nil, err
	}
	return keys, dataKey, nil
}

// open reads and unlocks a scope: one call of the store and one of the KMS,
// where the first KEK answers.
func (m *Manager) open(ctx context.Context, e *entry, floor uint64) (*Keys, error) {
	r, err := m.load(ctx, e, floor)
	if err != nil {
		return nil, err
	}
	keys, dataKey, err := m.unlock(ctx, e, r)
	clear(dataKey)
	return keys, err
}
