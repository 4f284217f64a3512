package keymgr

import (
	"context"
	"errors"
	"fmt"
	"strings"
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
	err = m.inKMS(ctx, e, keks[0], func(ctx context.Context) error {
		plaintext, wrapped, err := keks[0].GenerateDataKey(ctx, wc)
		dataKey = plaintext
		add(keks[0], wrapped)
		return err
	})
	for _, k := range keks[1:] {
		if err != nil {
			break
		}
		err = m.inKMS(ctx, e, k, func(ctx context.Context) error {
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
// the first allowed KEK that can do so. The caller clears the data key.
func (m *Manager) unlock(ctx context.Context, e *entry, r Record) (*Keys, []byte, error) {
	allowed, err := m.openKEKs(ctx, e)
	if err != nil {
		return nil, nil, err
	}
	var answers []error
	for _, a := range attempts(allowed, r) {
		if a.after != nil && !errors.Is(*a.after, ErrKEKNotAllowed) {
			continue
		}
		keys, dataKey, err := m.unlockWith(ctx, e, r, a.kek, a.wrap)
		if err == nil {
			if len(answers) > 0 {
				m.cfg.Logger.Warn("keymgr: only another KEK opens the scope", "scope", e.label, "kek", a.kek.URI(), "error", strongest(answers))
			}
			return keys, dataKey, nil
		}
		*a.answer = err
		answers = append(answers, err)
	}
	if len(answers) == 0 {
		listed := make([]string, len(allowed))
		for i, k := range allowed {
			listed[i] = k.URI()
		}
		return nil, nil, fmt.Errorf("%w: scope %s is wrapped under [%s], the configuration lists [%s]",
			ErrKEKNotAllowed, e.label, strings.Join(kekURIs(r.Wraps), " "), strings.Join(listed, " "))
	}
	return nil, nil, strongest(answers)
}

// attempt is a try to unwrap a data key.
type attempt struct {
	kek    KEK
	wrap   Wrap
	answer *error // what the KMS said
	after  *error // another's answer: made only if that is ErrKEKNotAllowed; nil: made
}

// attempts lists what may open a record, in order: each allowed KEK with what
// is wrapped under its URI. An alias that was moved to another KMS key answers
// that this one did not wrap it; then the other allowed KEKs of its KMS may, so
// that listing the old key itself in DecryptOnly is the way out. Every attempt
// pins the key that the configuration names.
func attempts(allowed []KEK, r Record) (list []attempt) {
	var moved []attempt
	for _, k := range allowed {
		w, ok := r.wrap(k.URI())
		if !ok {
			continue
		}
		answer := new(error)
		list = append(list, attempt{kek: k, wrap: w, answer: answer})
		for _, other := range allowed {
			if o, ok := other.(Rewrapper); ok && other.URI() != k.URI() && o.CanRewrap(k) {
				moved = append(moved, attempt{kek: other, wrap: w, answer: new(error), after: answer})
			}
		}
	}
	return append(list, moved...)
}

// unlockWith opens a record by one wrap of its data key.
func (m *Manager) unlockWith(ctx context.Context, e *entry, r Record, k KEK, w Wrap) (keys *Keys, dataKey []byte, err error) {
	if w.TenantContext != TenantPlain && w.TenantContext != TenantSHA256 {
		return nil, nil, fmt.Errorf("%w: scope %s: a wrap has an unknown tenant context", ErrKeysetInvalid, e.label)
	}
	err = m.inKMS(ctx, e, k, func(ctx context.Context) (err error) {
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
