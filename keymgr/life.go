package keymgr

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tink-crypto/tink-go/v2/keyset"
)

// DisableKey takes an active or pending key out of use: what it sealed does not
// open any more, and searches do not look for its blind indexes. Running
// instances learn of it as they open their keys anew, within Config.CacheTTL.
// [Manager.EnableKey] undoes it.
//
// The proof says that no row needs the key, or why it may go without one. Unless
// that is an override, every instance must have a version of the keysets in which
// the key is not the primary: [ErrKeyInUse] otherwise. ErrKeyState for the
// primary, for a key in another state, and while a blind index is being moved to
// it; ErrUnknownKey; ErrConflict if the scope is changed meanwhile.
func (m *Manager) DisableKey(ctx context.Context, s Scope, p Purpose, keyID uint32, proof Proof) error {
	_, err := m.change(ctx, s, p, "keymgr: key disabled", func(d *draft) (uint32, error) {
		if err := d.mayDisable(p, keyID); err != nil {
			return 0, err
		}
		if err := proof.check(d.subject(p, keyID), time.Time{}, d.now, m.cfg.CacheTTL); err != nil {
			return 0, err
		}
		if proof.reason() == "" {
			if err := m.allHave(ctx, s, d.version-1, proof.BeganAt); err != nil {
				return 0, err
			}
		}
		return keyID, d.disable(p, keyID, proof.detail())
	})
	m.logOverride(s, p, keyID, proof, err)
	return err
}

// EnableKey makes a disabled key read again: it becomes active. Instances that
// have seen it disabled read with it once they have opened their keys anew.
// ErrKeyState for a key in another state; ErrUnknownKey; ErrConflict if the
// scope is changed meanwhile.
func (m *Manager) EnableKey(ctx context.Context, s Scope, p Purpose, keyID uint32) error {
	_, err := m.change(ctx, s, p, "keymgr: key enabled", func(d *draft) (uint32, error) {
		return keyID, d.enable(p, keyID)
	})
	return err
}

// DestroyKey removes the bytes of a disabled key from its keyset, for ever. Its
// id stays listed, and is never used again. Backups of the table of keysets
// still hold it for as long as a KMS key opens them.
//
// No instance may be able to write with the key any more: it must have been
// disabled for longer than Config.MaxStale plus Config.CacheTTL, of which this
// Manager's must be the largest in use. ErrKeyState, naming the time from which
// it will have been, or for a key in another state. The proof says that no row needs
// the key, and must have begun after that time, so that it saw what a last
// instance wrote; or it says why the key may go without: [ErrKeyInUse] otherwise.
// ErrUnknownKey; ErrConflict if the scope is changed meanwhile.
func (m *Manager) DestroyKey(ctx context.Context, s Scope, p Purpose, keyID uint32, proof Proof) error {
	_, err := m.change(ctx, s, p, "keymgr: key destroyed", func(d *draft) (uint32, error) {
		k, err := d.key(p, keyID)
		if err != nil {
			return 0, err
		}
		age, err := m.largestAge(ctx, s)
		if err != nil {
			return 0, err
		}
		from := k.Changed.Add(age)
		switch {
		case k.State != StateDisabled:
			return 0, fmt.Errorf("%w: key %d is %s: only a disabled key can be destroyed", ErrKeyState, keyID, k.State)
		case d.now.Before(from):
			return 0, fmt.Errorf("%w: key %d was disabled a short time ago and some instance may still use it: destroy it from %s on, with a proof that began after that",
				ErrKeyState, keyID, from.Format(time.RFC3339))
		}
		if err := proof.check(d.subject(p, keyID), from, d.now, m.cfg.CacheTTL); err != nil {
			return 0, err
		}
		return keyID, d.destroy(p, keyID, proof.detail())
	})
	m.logOverride(s, p, keyID, proof, err)
	return err
}

// logOverride says aloud that a key went without a census.
func (m *Manager) logOverride(s Scope, p Purpose, keyID uint32, proof Proof, err error) {
	if err == nil && proof.reason() != "" {
		m.cfg.Logger.Warn("keymgr: no proof that nothing needs the key, overridden",
			"scope", label(s, m.cfg.Domains[s.Domain].TenantContext), "purpose", p, "key", keyID, "reason", proof.reason())
	}
}

// subject is what a proof must be of.
func (d *draft) subject(p Purpose, id uint32) Proof {
	return Proof{Scope: d.scope, Purpose: p, KeyID: id, Version: d.version - 1}
}

// key returns a key of the draft: ErrUnknownKey.
func (d *draft) key(p Purpose, id uint32) (*keyInfo, error) {
	list := *d.info.list(p)
	i := slices.IndexFunc(list, func(k keyInfo) bool { return k.ID == id })
	if i < 0 {
		return nil, fmt.Errorf("%w: the %s keyset of %s has no key %d", ErrUnknownKey, p, d.scope.Domain, id)
	}
	return &list[i], nil
}

func (d *draft) mayDisable(p Purpose, id uint32) error {
	k, err := d.key(p, id)
	if err != nil {
		return err
	}
	named := slices.IndexFunc(d.info.Reindex, func(r reindex) bool { return r.Key == id })
	switch {
	case k.State == StatePrimary:
		return fmt.Errorf("%w: key %d is the primary: promote another first", ErrKeyState, id)
	case k.State != StateActive && k.State != StatePending:
		return fmt.Errorf("%w: key %d is %s: only an active or pending key can be disabled", ErrKeyState, id, k.State)
	case named >= 0:
		return fmt.Errorf("%w: index %s is being moved to key %d: end that first", ErrKeyState, d.info.Reindex[named].Column, id)
	}
	return nil
}

func (d *draft) disable(p Purpose, id uint32, detail string) error {
	return d.moveTo(StateDisabled, EventKeyDisabled, p, id, detail, (*keyset.Manager).Disable)
}

func (d *draft) enable(p Purpose, id uint32) error {
	k, err := d.key(p, id)
	if err != nil {
		return err
	}
	if k.State != StateDisabled {
		return fmt.Errorf("%w: key %d is %s: only a disabled key can be enabled", ErrKeyState, id, k.State)
	}
	return d.moveTo(StateActive, EventKeyEnabled, p, id, "", (*keyset.Manager).Enable)
}

func (d *draft) destroy(p Purpose, id uint32, detail string) error {
	return d.moveTo(StateDestroyed, EventKeyDestroyed, p, id, detail, (*keyset.Manager).Delete)
}

// moveTo changes the state of a key, in the keyset and in the info.
func (d *draft) moveTo(to KeyState, kind EventKind, p Purpose, id uint32, detail string, do func(*keyset.Manager, uint32) error) error {
	k, err := d.key(p, id)
	if err != nil {
		return err
	}
	m := keyset.NewManagerFromHandle(*d.handle(p))
	if err := do(m, id); err != nil {
		return fmt.Errorf("%w: %s keyset: %v", ErrKeysetInvalid, p, err)
	}
	if err := d.take(p, m, id, false); err != nil {
		return err
	}
	k.State, k.Changed = to, d.info.changedAt(p, d.now)
	d.log(kind, p, id)
	d.events[len(d.events)-1].Detail = detail
	return nil
}
