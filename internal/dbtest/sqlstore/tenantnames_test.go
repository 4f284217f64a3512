package sqlstore_test

import (
	"context"
	"strings"
	"testing"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
)

// Where a tenant's name is personal data no error shows it, whatever the store
// says of it.
func TestErrorsDoNotNameTenantsThatAreHashed(t *testing.T) {
	const name = "jane.roe"
	s := keymgr.Scope{Domain: "records", Tenant: name}
	onBoth(t, func(t *testing.T, d database) {
		db := migrated(t, d)
		m, err := keymgr.Open(t.Context(), keymgr.Config{
			Store: sqlstore.New(db), Lazy: true,
			Domains: map[string]keymgr.Domain{"records": {
				KEKs: []keymgr.KEK{keymgrtest.NewKEK("key")}, PerTenant: true, TenantContext: keymgr.TenantSHA256,
			}},
		})
		ok(t, err)
		t.Cleanup(func() { m.Close() })
		uses := map[string]func(context.Context) error{
			"Keys": func(ctx context.Context) error {
				_, err := m.Keys(ctx, s)
				return err
			},
			"AddKey": func(ctx context.Context) error {
				_, err := m.AddKey(ctx, s, keymgr.Seal)
				return err
			},
			"Rewrap": func(ctx context.Context) error { return m.Rewrap(ctx, s) },
			"DestroyScope": func(ctx context.Context) error {
				_, err := m.DestroyScope(ctx, s, "test")
				return err
			},
			"DisableKey": func(ctx context.Context) error {
				return m.DisableKey(ctx, s, keymgr.Seal, 1, keymgr.Proof{Override: "test"})
			},
		}
		fail := func(want error) {
			t.Helper()
			for what, use := range uses {
				m.Evict(s)
				err := use(t.Context())
				wantErr(t, err, want)
				if err != nil && strings.Contains(err.Error(), name) {
					t.Errorf("%s names the tenant: %v", what, err)
				}
			}
		}
		fail(keymgr.ErrScopeNotFound)
		ok(t, m.Create(t.Context(), s))
		_, err = m.DestroyScope(t.Context(), s, "test")
		ok(t, err)
		fail(keymgr.ErrScopeDestroyed)
		uses["Create"] = func(ctx context.Context) error { return m.Create(ctx, s) }
		fail(keymgr.ErrScopeDestroyed)
		db.Close()
		fail(keymgr.ErrStoreUnavailable)
	})
}
