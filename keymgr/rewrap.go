package keymgr

import (
	"context"
	"errors"
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
// the scope is changed meanwhile. [Manager.RewrapAll] is for many scopes.
func (m *Manager) Rewrap(ctx context.Context, s Scope) error {
	_, err := m.RewrapWith(ctx, s, RewrapOptions{Force: true})
	return err
}

// RewrapWith is Rewrap with options. The result says what was done, or would be,
// and holds the error too.
func (m *Manager) RewrapWith(ctx context.Context, s Scope, o RewrapOptions) (RewrapResult, error) {
	if err := o.complete(m); err != nil {
		return RewrapResult{Scope: s, Outcome: RewrapFailed, Class: class(err), Err: err}, err
	}
	e, ctx, end, err := m.beginChange(ctx, s)
	if err != nil {
		return RewrapResult{Scope: s, Outcome: RewrapFailed, Class: class(err), Err: err}, err
	}
	defer end()
	began := m.cfg.Now()
	res, keys := m.rewrapScope(ctx, s, &rewrapRun{RewrapOptions: o, pace: newPace(o.Rate)})
	if keys != nil {
		m.note(e, keys, began)
	}
	return res, res.Err
}

// rewrapScope re-wraps one scope. The keys are nil if it did not open them.
func (m *Manager) rewrapScope(ctx context.Context, s Scope, run *rewrapRun) (res RewrapResult, keys *Keys) {
	res = RewrapResult{Scope: s}
	e, err := m.detached(s)
	if err == nil {
		e.pace = run.pace
		keys, err = m.rewrapEntry(ctx, e, run, &res)
	}
	if err != nil {
		res.Outcome, res.Class, res.Err = RewrapFailed, class(err), err
	}
	return res, keys
}

func (m *Manager) rewrapEntry(ctx context.Context, e *entry, run *rewrapRun, res *RewrapResult) (*Keys, error) {
	r, err := m.load(ctx, e, e.floor())
	if err != nil {
		return nil, err
	}
	res.Version, res.From = r.Version, kekURIs(r.Wraps)
	if run.KeepTenantContext {
		if err := e.keepTenantContext(r); err != nil {
			return nil, err
		}
	}
	targets, err := m.wrapKEKs(ctx, e)
	if err != nil {
		return nil, err
	}
	for _, k := range targets {
		res.To = append(res.To, k.URI())
	}
	slices.Sort(res.To)
	res.TenantContext = e.domain.TenantContext
	w := &rewrapping{m: m, e: e, r: r, run: run, targets: targets, sources: slices.Concat(targets, e.domain.DecryptOnly)}
	settled := !run.Force && w.settled()
	if settled || run.DryRun {
		if res.Moved, err = w.moved(ctx, settled); err != nil {
			return nil, err
		}
	}
	switch {
	case settled && len(res.Moved) == 0:
		res.Outcome = RewrapUnchanged
		return nil, nil
	case run.DryRun:
		res.Outcome = RewrapPlanned
		return nil, w.explain(ctx, res, w.try(ctx, res))
	}
	keys, err := w.do(ctx, res)
	if err != nil {
		return nil, w.explain(ctx, res, err)
	}
	res.Outcome, res.NotOpened = RewrapDone, run.WithoutOpening
	return keys, nil
}

// rewrapping is the re-wrap of one scope's record.
type rewrapping struct {
	m                *Manager
	e                *entry
	r                Record
	run              *rewrapRun
	targets, sources []KEK
}

// settled reports whether the record names exactly the targets.
func (w *rewrapping) settled() bool {
	if len(w.r.Wraps) != len(w.targets) {
		return false
	}
	return !slices.ContainsFunc(w.targets, func(k KEK) bool {
		wrap, ok := w.r.wrap(k.URI())
		return !ok || wrap.TenantContext != w.e.domain.TenantContext
	})
}

// do makes new wraps, verifies them, and puts them in place of the old ones.
func (w *rewrapping) do(ctx context.Context, res *RewrapResult) (keys *Keys, err error) {
	m, e, r := w.m, w.e, w.r
	wraps, err := w.wrap(ctx, res)
	if err != nil {
		return nil, err
	}
	if w.run.WithoutOpening {
		err = w.authenticate(ctx, wraps)
	} else {
		keys, err = w.verify(ctx, wraps)
	}
	if err != nil {
		return nil, err
	}
	sortWraps(wraps)
	from, to := kekURIs(r.Wraps), kekURIs(wraps)
	detail := fmt.Sprintf("from %s to %s", strings.Join(from, " "), strings.Join(to, " "))
	if w.run.WithoutOpening {
		detail += " (not opened)"
	}
	event := Event{
		Scope: e.scope, Version: r.Version, Kind: EventRewrapped, Actor: ActorFrom(ctx), At: eventTime(m.cfg.Now()),
		Detail: detail,
	}
	err = m.inStore(ctx, e, func(ctx context.Context) error {
		return m.cfg.Store.SwapWraps(ctx, e.scope, r.Version, r.Wraps, wraps, []Event{event})
	})
	if err != nil {
		return nil, err
	}
	m.cfg.Logger.Info("keymgr: scope rewrapped", "scope", e.label, "version", r.Version, "from", from, "to", to,
		"actor", event.Actor, "opened", keys != nil)
	return keys, nil
}

// wrap wraps the record's data key under each of the targets.
func (w *rewrapping) wrap(ctx context.Context, res *RewrapResult) ([]Wrap, error) {
	var dataKey []byte // unwrapped only if a target needs it
	defer func() { clear(dataKey) }()
	wc := w.e.wrapContext()
	var wraps []Wrap
	for _, k := range w.targets {
		wrapped, err := w.takeOver(ctx, k, res)
		if wrapped == nil && w.run.WithoutOpening {
			return nil, err
		}
		if wrapped == nil {
			if dataKey == nil {
				if _, dataKey, err = w.m.unlock(ctx, w.e, w.r); err != nil {
					return nil, err
				}
			}
			err := w.m.inKMS(ctx, w.e, k, OpWrap, func(ctx context.Context) (err error) {
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
// with which that works, or says why it works with none.
func (w *rewrapping) takeOver(ctx context.Context, k KEK, res *RewrapResult) (wrapped []byte, err error) {
	to, ok := k.(Rewrapper)
	var answers []error
	for _, a := range attempts(w.sources, w.r) {
		if !ok || !to.CanRewrap(a.kek) || a.after != nil && !errors.Is(*a.after, ErrKEKNotAllowed) {
			continue
		}
		if a.after == nil && res.hasMoved(a.kek) { // as it has answered before
			*a.answer = fmt.Errorf("%w: scope %s: another key than %s has wrapped it", ErrKEKNotAllowed, w.e.label, a.kek.URI())
			answers = append(answers, *a.answer)
			continue
		}
		err := w.m.inKMS(ctx, w.e, k, OpRewrap, func(ctx context.Context) (err error) {
			old := WrapContext{Scope: w.e.scope, TenantContext: a.wrap.TenantContext}
			wrapped, err = to.Rewrap(ctx, a.wrap.Wrapped, a.kek, old, w.e.wrapContext())
			return err
		})
		if err == nil {
			return wrapped, nil
		}
		w.m.cfg.Logger.Warn("keymgr: rewrap inside the KMS failed",
			"scope", w.e.label, "from", a.kek.URI(), "to", k.URI(), "class", class(err), "error", err)
		*a.answer = err
		answers = append(answers, err)
		if a.after == nil && errors.Is(err, ErrKEKNotAllowed) {
			w.noteMoved(ctx, a.kek, res)
		}
	}
	if len(answers) == 0 {
		return nil, fmt.Errorf("%w: scope %s: %s can take over inside the KMS from none of the listed KEKs that wrap it: [%s]",
			ErrKEKNotAllowed, w.e.label, k.URI(), strings.Join(kekURIs(w.r.Wraps), " "))
	}
	return nil, strongest(answers)
}

// verify opens the record through every one of the new wraps.
func (w *rewrapping) verify(ctx context.Context, wraps []Wrap) (keys *Keys, err error) {
	for i, k := range w.targets {
		var dataKey []byte
		if keys, dataKey, err = w.m.unlockWith(ctx, w.e, w.r, k, wraps[i]); err != nil {
			return nil, fmt.Errorf("the new wrap does not open, the old ones stay: %w", err)
		}
		clear(dataKey)
	}
	return keys, nil
}

// authenticate moves every one of the new wraps once more inside the KMS, and
// drops what comes of it.
func (w *rewrapping) authenticate(ctx context.Context, wraps []Wrap) error {
	for i, k := range w.targets {
		if err := w.reencrypt(ctx, k, wraps[i]); err != nil {
			return fmt.Errorf("the new wrap does not authenticate, the old ones stay: %w", err)
		}
	}
	return nil
}
