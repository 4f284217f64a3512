package keymgr

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// rewrapPage is how many names of scopes are read at once.
const rewrapPage = 500

// rewrapTries is how often a scope is tried that others change meanwhile.
const rewrapTries = 3

// RewrapAll re-wraps, as [Manager.Rewrap] does, every scope of the Config's domains
// that is not yet wrapped under exactly the KEKs that the Config lists for it. A
// scope that is costs no KMS call, or one where a KEK is named by an alias. So
// after an interruption, also by a kill, running it again goes on.
//
// A scope that fails keeps its old wraps, and the others go on; in the end there
// is ErrRewrapFailed. When ctx ends no further scope is begun, those under way
// are finished, and the error is that of ctx. The report is there in any case.
// It caches no keys. Other errors: ErrConfig, ErrUnknownDomain, ErrClosed;
// ErrStoreUnavailable if the store does not list its scopes.
func (m *Manager) RewrapAll(ctx context.Context, o RewrapOptions) (RewrapReport, error) {
	if err := o.complete(m); err != nil {
		return RewrapReport{}, err
	}
	inner, end, err := m.begin(context.WithoutCancel(ctx))
	if err != nil {
		return RewrapReport{}, err
	}
	defer end()
	run := &rewrapRun{RewrapOptions: o, pace: newPace(o.Rate)}
	run.report.NotOpened = o.WithoutOpening
	scopes := make(chan Scope)
	var workers sync.WaitGroup
	for range o.Concurrency {
		workers.Go(func() {
			for s := range scopes {
				run.tell(m.rewrapUntilStill(inner, s, run))
			}
		})
	}
	err = m.eachScope(ctx, run, func(s Scope) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		select {
		case scopes <- s:
			run.setLast(s)
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-inner.Done():
			return ErrClosed
		}
	})
	close(scopes)
	workers.Wait()
	report := run.report
	report.KMSCalls = run.pace.made()
	switch {
	case m.closing.Err() != nil:
		return report, ErrClosed
	case err != nil && ctx.Err() != nil:
		return report, fmt.Errorf("keymgr: re-wrapping: %w", context.Cause(ctx))
	case err != nil:
		return report, err
	case report.Failed > 0:
		return report, fmt.Errorf("%w: %d of %d; one of them: %v", ErrRewrapFailed, report.Failed, report.Scopes, report.Failures[0].Err)
	}
	return report, nil
}

// rewrapRun is what the scopes of one re-wrap share.
type rewrapRun struct {
	RewrapOptions
	pace    *pace
	aliases aliases

	mu     sync.Mutex
	report RewrapReport
}

// tell counts a result and tells Progress of it.
func (run *rewrapRun) tell(res RewrapResult) {
	run.mu.Lock()
	defer run.mu.Unlock()
	run.report.add(res)
	if run.Progress != nil {
		run.Progress(RewrapProgress{RewrapResult: res, Done: run.report.Scopes, Failed: run.report.Failed})
	}
}

func (run *rewrapRun) setLast(s Scope) {
	run.mu.Lock()
	defer run.mu.Unlock()
	run.report.Last = s
}

func (run *rewrapRun) add(count func(*RewrapReport)) {
	run.mu.Lock()
	defer run.mu.Unlock()
	count(&run.report)
}

// eachScope calls f with the scopes of a run, in order, until it fails.
func (m *Manager) eachScope(ctx context.Context, run *rewrapRun, f func(Scope) error) error {
	if len(run.Scopes) > 0 {
		for _, s := range slices.SortedFunc(slices.Values(run.Scopes), Scope.compare) {
			if s.compare(run.After) <= 0 {
				continue
			}
			if err := f(s); err != nil {
				return err
			}
		}
		return nil
	}
	for after := run.After; ; {
		page, err := m.listScopes(ctx, after)
		if err != nil {
			return err
		}
		for _, s := range page {
			if _, ok := m.cfg.Domains[s.Domain]; !ok {
				run.add(func(r *RewrapReport) { r.Unlisted++ })
				continue
			}
			if len(run.Domains) > 0 && !slices.Contains(run.Domains, s.Domain) {
				continue
			}
			if err := f(s); err != nil {
				return err
			}
		}
		if len(page) < rewrapPage {
			return nil
		}
		after = page[len(page)-1]
	}
}

func (m *Manager) listScopes(ctx context.Context, after Scope) ([]Scope, error) {
	ctx, cancel := context.WithTimeout(ctx, m.cfg.StoreTimeout)
	defer cancel()
	page, err := m.cfg.Store.Scopes(ctx, after, rewrapPage)
	return page, storeError(err)
}

// rewrapUntilStill re-wraps one scope, and once more if another has changed it
// meanwhile: what that one did may be all there was to do.
func (m *Manager) rewrapUntilStill(ctx context.Context, s Scope, run *rewrapRun) (res RewrapResult) {
	for range rewrapTries {
		res, _ = m.rewrapScope(ctx, s, run)
		if !errors.Is(res.Err, ErrConflict) {
			break
		}
		run.add(func(r *RewrapReport) { r.Conflicts++ })
	}
	gone := errors.Is(res.Err, ErrScopeNotFound) || errors.Is(res.Err, ErrScopeDestroyed)
	if gone && len(run.Scopes) == 0 {
		return RewrapResult{Scope: s, Outcome: RewrapGone}
	}
	if res.Err != nil {
		m.cfg.Logger.Error("keymgr: rewrap failed, the old wraps stay", "scope", m.labelOf(s), "class", res.Class, "error", res.Err)
	}
	return res
}
