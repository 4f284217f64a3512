package keymgr

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
)

// entry returns the cache entry of a scope that the Config allows.
func (m *Manager) entry(s Scope) (*entry, error) {
	if m.closed.Load() {
		return nil, ErrClosed
	}
	// Only checked scopes are in the map.
	if e, ok := m.entries.Load(s); ok {
		return e.(*entry), nil
	}
	d, err := m.domainOf(s)
	if err != nil {
		return nil, err
	}
	return m.entryOf(s, d), nil
}

// domainOf returns the domain of a scope that the Config allows.
func (m *Manager) domainOf(s Scope) (Domain, error) {
	d, ok := m.cfg.Domains[s.Domain]
	switch {
	case !ok:
		return d, fmt.Errorf("%w: %q", ErrUnknownDomain, clip(s.Domain))
	case d.PerTenant && s.Tenant == "":
		return d, fmt.Errorf("%w: domain %q has keys per tenant", ErrNoTenant, s.Domain)
	case !d.PerTenant && s.Tenant != "":
		return d, fmt.Errorf("%w: domain %q is not per tenant", ErrInvalidScope, s.Domain)
	}
	return d, s.Validate()
}

// detached returns an entry that is not in the cache: for work on many scopes,
// of which nothing shall be kept.
func (m *Manager) detached(s Scope) (*entry, error) {
	d, err := m.domainOf(s)
	if err != nil {
		return nil, err
	}
	e := m.newEntry(s, d)
	if kept, ok := m.entries.Load(s); ok {
		e.highest = max(e.highest, kept.(*entry).floor())
	}
	return e, nil
}

func (m *Manager) entryOf(s Scope, d Domain) *entry {
	kept, _ := m.entries.LoadOrStore(s, m.newEntry(s, d))
	return kept.(*entry)
}

func (m *Manager) newEntry(s Scope, d Domain) *entry {
	e := &entry{scope: s, domain: d, label: label(s, d.TenantContext), highest: max(m.cfg.MinVersions[s], m.floors.of(s))}
	e.unknown.reset(m.cfg.Now())
	return e
}

// labelOf is the label of a scope that the Config may not allow.
func (m *Manager) labelOf(s Scope) string { return label(s, m.cfg.Domains[s.Domain].TenantContext) }

// label names a scope in errors and log lines, without the tenant's name where
// that is personal data.
func label(s Scope, tc TenantContext) string {
	if s.Tenant != "" && tc == TenantSHA256 {
		sum := sha256.Sum256([]byte(s.Tenant))
		s.Tenant = "sha256:" + hex.EncodeToString(sum[:])
	}
	return s.String()
}

// wrapKEKs are the KEKs under which the scope's data keys are wrapped, at
// least one.
func (m *Manager) wrapKEKs(ctx context.Context, e *entry) ([]KEK, error) {
	if e.domain.TenantKEK == nil {
		return e.domain.KEKs, nil
	}
	ctx, cancel := context.WithTimeout(ctx, m.cfg.KMSTimeout)
	defer cancel()
	keks, err := e.domain.TenantKEK(ctx, e.scope.Tenant)
	if err != nil {
		return nil, fmt.Errorf("scope %s: TenantKEK: %w", e.label, kmsError(err))
	}
	if len(keks) == 0 {
		return nil, fmt.Errorf("%w: scope %s: TenantKEK lists none", ErrKEKNotAllowed, e.label)
	}
	if problem := checkKEKs(keks); problem != "" {
		return nil, fmt.Errorf("%w: scope %s: TenantKEK: %s", ErrKEKNotAllowed, e.label, problem)
	}
	return keks, nil
}

// openKEKs are the KEKs that may open the scope: the allow list.
func (m *Manager) openKEKs(ctx context.Context, e *entry) ([]KEK, error) {
	keks, err := m.wrapKEKs(ctx, e)
	return slices.Concat(keks, e.domain.DecryptOnly), err
}

// kmsErrors are what a KEK may answer, the most definite first.
func kmsErrors() []error {
	return []error{ErrKMSDenied, ErrKEKNotAllowed, ErrKeysetInvalid, ErrKMSUnavailable}
}

// kmsError gives an error of a KEK one of the classes that it must have.
func kmsError(err error) error {
	return classify(err, ErrKMSUnavailable, kmsErrors()...)
}

// storeError gives an error of a Store one of the classes that it must have.
func storeError(err error) error {
	return classify(err, ErrStoreUnavailable, ErrScopeNotFound, ErrScopeDestroyed, ErrScopeExists, ErrConflict, ErrKeyIDTaken, ErrKeysetInvalid)
}

func classify(err, otherwise error, classes ...error) error {
	if err == nil || errors.Is(err, otherwise) {
		return err
	}
	if slices.ContainsFunc(classes, func(class error) bool { return errors.Is(err, class) }) {
		return err
	}
	return fmt.Errorf("%w: %w", otherwise, err)
}

// strongest merges what several KEKs answered into one error of one class: a
// definite answer beats one that may pass.
func strongest(answers []error) error {
	for _, class := range kmsErrors() {
		i := slices.IndexFunc(answers, func(err error) bool { return errors.Is(err, class) })
		if i < 0 {
			continue
		}
		err := answers[i]
		for j, other := range answers {
			if j != i {
				err = fmt.Errorf("%w; also: %v", err, other)
			}
		}
		return err
	}
	return errors.Join(answers...)
}

// inStore makes one call of the store.
func (m *Manager) inStore(ctx context.Context, e *entry, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, m.cfg.StoreTimeout)
	defer cancel()
	if err := storeError(call(ctx)); err != nil {
		return fmt.Errorf("scope %s: %w", e.label, err)
	}
	return nil
}
