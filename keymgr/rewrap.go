package keymgr

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Rewrap wraps the current data key of a scope under exactly the KEKs that the
// Config lists for it now, whatever it is wrapped under: the way to another
// KMS key, to several, or away from one in DecryptOnly. It changes no key and
// no version. Where a KEK is a [Rewrapper] the data key moves inside the KMS,
// else it is unwrapped and wrapped here.
//
// Before the new wraps replace the old ones, each is unwrapped and the
// keysets opened with it; when anything fails, the old ones stay. ErrConflict if
// the scope is changed meanwhile.
func (m *Manager) Rewrap(ctx context.Context, s Scope) error {
	e, ctx, end, err := m.beginChange(ctx, s)
	if err != nil {
		return err
	}
	defer end()
	began := m.cfg.Now()
	r, err := m.load(ctx, e, e.floor())
	if err != nil {
		return err
	}
	targets, err := m.wrapKEKs(ctx, e)
	if err != nil {
		return err
	}
	wraps, err := m.rewrap(ctx, e, r, targets)
	if err != nil {
		return err
	}
	keys, err := m.verify(ctx, e, r, targets, wraps)
	if err != nil {
		return err
	}
	sortWraps(wraps)
	from, to := kekURIs(r.Wraps), kekURIs(wraps)
	event := Event{
		Scope: s, Version: r.Version, Kind: EventRewrapped, Actor: ActorFrom(ctx), At: eventTime(m.cfg.Now()),
		Detail: fmt.Sprintf("from %s to %s", strings.Join(from, " "), strings.Join(to, " ")),
	}
	err = m.inStore(ctx, e, func(ctx context.Context) error {
		return m.cfg.Store.SwapWraps(ctx, s, r.Version, r.Wraps, wraps, []Event{event})
	})
	if err != nil {
		return err
	}
	m.cfg.Logger.Info("keymgr: scope rewrapped", "scope", e.label, "version", r.Version, "from", from, "to", to, "actor", event.Actor)
	m.note(e, keys, began)
	return nil
}

// rewrap wraps the record's data key under each of the targets.
func (m *Manager) rewrap(ctx context.Context, e *entry, r Record, targets []KEK) ([]Wrap, error) {
	sources := slices.Concat(targets, e.domain.DecryptOnly)
	var dataKey []byte // unwrapped only if a target needs it
	defer func() { clear(dataKey) }()
	wc := e.wrapContext()
	var wraps []Wrap
	for _, k := range targets {
		wrapped := m.takeOver(ctx, e, r, sources, k)
		if wrapped == nil {
			if dataKey == nil {
				var err error
				if _, dataKey, err = m.unlock(ctx, e, r); err != nil {
					return nil, err
				}
			}
			err := m.inKMS(ctx, e, k, OpWrap, func(ctx context.Context) (err error) {
				wrapped, err = k.Wrap(ctx, dataKey, wc)
				return err
			})
			if err != nil {
				return nil, err
			}
		}
		wraps = append(wraps, Wrap{KEKURI: k.URI(), Wrapped: wrapped, TenantContext: wc.TenantContext})
	}
	return wraps, nil
}

// takeOver moves the data key under k inside the KMS, from the first source
// with which that works. It returns nil if it works with none.
func (m *Manager) takeOver(ctx context.Context, e *entry, r Record, sources []KEK, k KEK) (wrapped []byte) {
	to, ok := k.(Rewrapper)
	if !ok {
		return nil
	}
	for _, from := range sources {
		w, ok := r.wrap(from.URI())
		if !ok || !to.CanRewrap(from) {
			continue
		}
		err := m.inKMS(ctx, e, k, OpRewrap, func(ctx context.Context) (err error) {
			old := WrapContext{Scope: e.scope, TenantContext: w.TenantContext}
			wrapped, err = to.Rewrap(ctx, w.Wrapped, from, old, e.wrapContext())
			return err
		})
		if err == nil {
			return wrapped
		}
		m.cfg.Logger.Warn("keymgr: rewrap inside the KMS failed",
			"scope", e.label, "from", from.URI(), "to", k.URI(), "class", class(err), "error", err)
	}
	return nil
}

// verify opens the record through every one of the new wraps.
func (m *Manager) verify(ctx context.Context, e *entry, r Record, targets []KEK, wraps []Wrap) (keys *Keys, err error) {
	for i, k := range targets {
		var dataKey []byte
		if keys, dataKey, err = m.unlockWith(ctx, e, r, k, wraps[i]); err != nil {
			return nil, fmt.Errorf("the new wrap does not open, the old ones stay: %w", err)
		}
		clear(dataKey)
	}
	return keys, nil
}
