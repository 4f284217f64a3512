package keymgr

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// moved returns the KEKs, named by an alias, that do not open what is wrapped
// under their URI: one KMS call for each alias. That a KMS does not answer is an
// error only if the caller must know.
func (w *rewrapping) moved(ctx context.Context, must bool) (list []MovedAlias, err error) {
	for _, k := range w.sources {
		wrap, ok := w.r.wrap(k.URI())
		if !ok {
			continue
		}
		t := w.run.aliases.target(ctx, w.m, w.e, k)
		if !t.alias {
			continue
		}
		err := w.probe(ctx, k, wrap)
		switch {
		case errors.Is(err, ErrKEKNotAllowed):
			list = append(list, MovedAlias{KEK: k.URI(), Now: t.uri})
		case err != nil && (must || !errors.Is(err, ErrKMSUnavailable)):
			return list, err
		}
	}
	return list, nil
}

// noteMoved adds a KEK that has answered that it did not wrap what it should have.
func (w *rewrapping) noteMoved(ctx context.Context, k KEK, res *RewrapResult) {
	t := w.run.aliases.target(ctx, w.m, w.e, k)
	if t.alias && !res.hasMoved(k) {
		res.Moved = append(res.Moved, MovedAlias{KEK: k.URI(), Now: t.uri})
	}
}

func (res *RewrapResult) hasMoved(k KEK) bool {
	return slices.ContainsFunc(res.Moved, func(a MovedAlias) bool { return a.KEK == k.URI() })
}

// probe asks the KMS whether k opens a wrap, in the way that the run allows.
func (w *rewrapping) probe(ctx context.Context, k KEK, wrap Wrap) error {
	if w.run.WithoutOpening {
		return w.reencrypt(ctx, k, wrap)
	}
	_, dataKey, err := w.m.unlockWith(ctx, w.e, w.r, k, wrap)
	clear(dataKey)
	return err
}

// reencrypt moves a wrap of k's to k itself, and drops what comes of it.
func (w *rewrapping) reencrypt(ctx context.Context, k KEK, wrap Wrap) error {
	to, ok := k.(Rewrapper)
	if !ok || !to.CanRewrap(k) {
		return fmt.Errorf("%w: scope %s: %s moves nothing inside the KMS", ErrKEKNotAllowed, w.e.label, k.URI())
	}
	wc := WrapContext{Scope: w.e.scope, TenantContext: wrap.TenantContext}
	return w.m.inKMS(ctx, w.e, k, func(ctx context.Context) error {
		_, err := to.Rewrap(ctx, wrap.Wrapped, k, wc, wc)
		return err
	})
}

// try finds out what it can, without changing anything, of whether the re-wrap
// would work: what the lists of KEKs tell, and what the KMS says where an alias
// was moved.
func (w *rewrapping) try(ctx context.Context, res *RewrapResult) error {
	moved := len(res.Moved) > 0
	candidates := attempts(w.sources, w.r)
	if len(candidates) == 0 {
		listed := make([]string, len(w.sources))
		for i, k := range w.sources {
			listed[i] = k.URI()
		}
		return fmt.Errorf("%w: scope %s is wrapped under [%s], the configuration lists [%s]",
			ErrKEKNotAllowed, w.e.label, strings.Join(kekURIs(w.r.Wraps), " "), strings.Join(listed, " "))
	}
	if !w.run.WithoutOpening {
		if !moved {
			return nil
		}
		_, dataKey, err := w.m.unlock(ctx, w.e, w.r)
		clear(dataKey)
		return err
	}
	for _, k := range w.targets {
		to, ok := k.(Rewrapper)
		ok = ok && slices.ContainsFunc(candidates, func(a attempt) bool { return to.CanRewrap(a.kek) })
		if !ok {
			return fmt.Errorf("%w: scope %s: %s can take over inside the KMS from none of the listed KEKs that wrap it: [%s]",
				ErrKEKNotAllowed, w.e.label, k.URI(), strings.Join(kekURIs(w.r.Wraps), " "))
		}
		if moved {
			if _, err := w.takeOver(ctx, k, res); err != nil {
				return err
			}
		}
	}
	return nil
}

// explain adds to an error what the aliases have to do with it.
func (w *rewrapping) explain(ctx context.Context, res *RewrapResult, err error) error {
	if !errors.Is(err, ErrKEKNotAllowed) {
		return err
	}
	if len(res.Moved) == 0 {
		if moved, err := w.moved(ctx, true); err == nil {
			res.Moved = moved
		}
	}
	for _, a := range res.Moved {
		now := a.Now
		if now == "" {
			now = "another key, which the KMS does not tell"
		}
		err = fmt.Errorf("wrapped by a key that the alias no longer names: %s is now %s; list the ARN of the old key in DecryptOnly and re-wrap: %w",
			a.KEK, now, err)
	}
	return err
}

// keepTenantContext makes new wraps name the tenant as the record's do.
func (e *entry) keepTenantContext(r Record) error {
	for _, w := range r.Wraps {
		if w.TenantContext != r.Wraps[0].TenantContext {
			return fmt.Errorf("%w: scope %s: its wraps name the tenant in different ways: say which one to take", ErrConfig, e.label)
		}
		if w.TenantContext != TenantPlain && w.TenantContext != TenantSHA256 {
			return fmt.Errorf("%w: scope %s: a wrap has an unknown tenant context", ErrKeysetInvalid, e.label)
		}
	}
	if len(r.Wraps) > 0 {
		e.domain.TenantContext = r.Wraps[0].TenantContext
		e.label = label(e.scope, e.domain.TenantContext)
	}
	return nil
}
