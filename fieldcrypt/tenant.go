package fieldcrypt

import (
	"context"

	"github.com/fieldcrypt/go/keymgr"
)

type tenantKey struct{}

// WithTenant returns a context in which values of per-tenant domains are
// written and searched under the tenant's keys.
func WithTenant(ctx context.Context, tenant string) context.Context {
	return context.WithValue(ctx, tenantKey{}, tenant)
}

// TenantFrom returns the tenant of [WithTenant], or "".
func TenantFrom(ctx context.Context) string {
	tenant, _ := ctx.Value(tenantKey{}).(string)
	return tenant
}

// TenantOf returns the tenant under which a row is written: the context's, or
// rowTenant, the row's own, where the context names none.
//
// Errors: [ErrTenantMismatch] if they differ, [ErrNoTenant] if neither is there.
func TenantOf(ctx context.Context, rowTenant string) (string, error) {
	tenant := TenantFrom(ctx)
	switch {
	case tenant == "":
		tenant = rowTenant
	case rowTenant != "" && rowTenant != tenant:
		return "", ErrTenantMismatch
	}
	if tenant == "" {
		return "", ErrNoTenant
	}
	return tenant, nil
}

// scope is where values are sealed and searched: the context's tenant rules, and
// the row's must not be another.
func (c *Crypter) scope(ctx context.Context, domain string, perTenant bool, rowTenant string) (keymgr.Scope, error) {
	if !perTenant {
		return keymgr.Scope{Domain: domain}, nil
	}
	tenant, err := TenantOf(ctx, rowTenant)
	if err != nil {
		return keymgr.Scope{}, err
	}
	return keymgr.Scope{Domain: domain, Tenant: tenant}, nil
}

// readScope is where a stored value is opened: the row's tenant rules.
func (c *Crypter) readScope(ctx context.Context, f *Field, rowTenant string) (keymgr.Scope, error) {
	if f.PerTenant && rowTenant != "" {
		return keymgr.Scope{Domain: f.Domain, Tenant: rowTenant}, nil
	}
	return c.scope(ctx, f.Domain, f.PerTenant, "")
}
