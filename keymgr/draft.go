package keymgr

import (
	"fmt"
	"slices"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead/xaesgcm"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf/hmacprf"
	"github.com/tink-crypto/tink-go/v2/secretdata"

	"github.com/fieldcrypt/go/internal/xaes"
)

// draft is a version of a scope's keysets in the making.
type draft struct {
	scope       Scope
	version     uint64
	now         time.Time
	actor       string
	info        info
	seal, index *keyset.Handle // nil while there is no key
	events      []Event
	fixedIDs    bool // a new key has an id that cannot be drawn again
}

// firstDraft makes version 1: one key of each purpose.
func firstDraft(s Scope, now time.Time, actor string) (*draft, error) {
	d := &draft{scope: s, version: 1, now: now, actor: actor, info: info{Format: infoFormat}}
	d.log(EventCreated, "", 0)
	for _, p := range []Purpose{Seal, Index} {
		if _, err := d.add(p, StatePrimary); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// next is a draft of the version that follows k.
func (k *Keys) next(now time.Time, actor string) *draft {
	d := &draft{scope: k.scope, version: k.version + 1, now: now, actor: actor, info: k.info, seal: k.seal, index: k.index}
	d.info.Seal, d.info.Index = slices.Clone(k.info.Seal), slices.Clone(k.info.Index)
	return d
}

func (d *draft) handle(p Purpose) **keyset.Handle {
	if p == Seal {
		return &d.seal
	}
	return &d.index
}

// add adds a new random key and returns its id.
func (d *draft) add(p Purpose, state KeyState) (uint32, error) {
	for {
		m := keyset.NewManager()
		if h := *d.handle(p); h != nil {
			m = keyset.NewManagerFromHandle(h)
		}
		id, err := addRandomKey(m, p)
		if err != nil {
			return 0, fmt.Errorf("%w: new %s key: %v", ErrKeysetInvalid, p, err)
		}
		if id == 0 || d.info.knows(id) {
			continue // 0 is no id, and the other keyset and tombstones have ids too
		}
		if err := d.take(p, m, id, state == StatePrimary); err != nil {
			return 0, err
		}
		list := d.info.list(p)
		*list = append(*list, keyInfo{ID: id, State: state, Created: stampOf(d.now), Changed: stampOf(d.now)})
		d.log(EventKeyAdded, p, id)
		return id, nil
	}
}

// addRandomKey adds a new key of the type that the format asks for under a
// random id.
func addRandomKey(m *keyset.Manager, p Purpose) (uint32, error) {
	if p == Seal {
		params, err := xaesgcm.NewParameters(xaesgcm.VariantTink, xaes.SaltSize)
		if err != nil {
			return 0, err
		}
		return m.AddNewKeyFromParameters(params)
	}
	params, err := hmacprf.NewParameters(32, hmacprf.SHA256)
	if err != nil {
		return 0, err
	}
	raw, err := secretdata.NewBytesFromRand(32)
	if err != nil {
		return 0, err
	}
	k, err := hmacprf.NewKey(raw, params)
	if err != nil {
		return 0, err
	}
	return m.AddKey(k)
}

// take makes what m holds the keyset, with the key as its primary or not.
func (d *draft) take(p Purpose, m *keyset.Manager, id uint32, primary bool) (err error) {
	if primary {
		err = m.SetPrimary(id)
	}
	if err == nil {
		*d.handle(p), err = m.Handle()
	}
	if err != nil {
		return fmt.Errorf("%w: %s keyset: %v", ErrKeysetInvalid, p, err)
	}
	return nil
}

// promote makes a key the primary of its keyset, which must have been added
// at or before oldest: ErrUnknownKey or ErrKeyState.
func (d *draft) promote(p Purpose, id uint32, oldest time.Time) error {
	c, err := d.promotable(p, id)
	if err != nil {
		return err
	}
	if c.since.After(oldest) {
		return fmt.Errorf("%w: key %d is too young: some instance may not have read it yet; promote it from %s on",
			ErrKeyState, id, c.since.Add(d.now.Sub(oldest)).Format(time.RFC3339))
	}
	list := *d.info.list(p)
	i := slices.IndexFunc(list, func(k keyInfo) bool { return k.ID == id })
	if err := d.take(p, keyset.NewManagerFromHandle(*d.handle(p)), id, true); err != nil {
		return err
	}
	at := d.info.changedAt(p, d.now)
	for j := range list {
		switch {
		case j == i:
			list[j].State, list[j].Changed = StatePrimary, at
		case list[j].State == StatePrimary:
			list[j].State, list[j].Changed = StateActive, at
		}
	}
	d.log(EventKeyPromoted, p, id)
	return nil
}

func (d *draft) log(kind EventKind, p Purpose, id uint32) {
	d.events = append(d.events, Event{
		Scope: d.scope, Version: d.version, Kind: kind, Purpose: p, KeyID: id,
		Actor: d.actor, At: eventTime(d.now),
	})
}

// eventTime is the precision that stores keep.
func eventTime(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
