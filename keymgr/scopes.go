package keymgr

import "context"

// EachScope calls f with every scope of a domain that the store has, in order of
// their tenants, until f fails. It makes no KMS calls. ErrUnknownDomain, ErrClosed,
// ErrStoreUnavailable.
func (m *Manager) EachScope(ctx context.Context, domain string, f func(Scope) error) error {
	if _, err := m.PerTenant(domain); err != nil {
		return err
	}
	ctx, end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	return m.eachScope(ctx, &rewrapRun{RewrapOptions: RewrapOptions{Domains: []string{domain}}}, f)
}

// UnverifiedRecord returns what the store has of a scope, without opening anything:
// see [Record.UnverifiedInfo]. ErrScopeNotFound, ErrScopeDestroyed, ErrClosed,
// ErrStoreUnavailable.
func (m *Manager) UnverifiedRecord(ctx context.Context, s Scope) (Record, error) {
	ctx, end, err := m.begin(ctx)
	if err != nil {
		return Record{}, err
	}
	defer end()
	ctx, cancel := context.WithTimeout(ctx, m.cfg.StoreTimeout)
	defer cancel()
	r, err := m.cfg.Store.Load(ctx, s)
	return r, storeError(err)
}
