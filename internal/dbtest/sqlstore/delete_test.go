package sqlstore_test

import (
	"crypto/rand"
	"strings"
	"testing"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
)

// An application that makes no scopes needs to read the keysets alone. One that
// does must be able to see that a scope was destroyed.
func TestARoleThatMayNotReadTheLog(t *testing.T) {
	d := postgres(t)
	admin := migrated(t, d)
	if count(t, admin, `SELECT rolsuper::int FROM pg_roles WHERE rolname = current_user`) == 0 {
		t.Skip("roles can be made and taken on by a superuser alone")
	}
	role := "fieldcrypt_test_" + strings.ToLower(rand.Text()[:12]) // of the whole server
	t.Cleanup(func() {
		for _, statement := range []string{`DROP OWNED BY ` + role, `DROP ROLE ` + role} {
			if _, err := admin.Exec(statement); err != nil {
				t.Error(err)
			}
		}
	})
	for _, statement := range []string{
		`CREATE ROLE ` + role,
		`GRANT SELECT, INSERT ON fieldcrypt_keysets, fieldcrypt_keyset_wraps TO ` + role,
		`GRANT INSERT ON fieldcrypt_key_events TO ` + role,
		`GRANT DELETE ON fieldcrypt_keyset_wraps TO ` + role,
	} {
		_, err := admin.ExecContext(t.Context(), statement)
		ok(t, err)
	}
	operator, app := sqlstore.New(admin), sqlstore.New(d.with(t, "role", role).pool(t))
	want := record(medical, 1, "operator")
	ok(t, operator.Create(t.Context(), want, nil))
	if !same(load(t, app, medical), want) {
		t.Error("another record")
	}
	ok(t, operator.Delete(t.Context(), medical, 1, []keymgr.Event{{Scope: medical, Version: 1, Kind: keymgr.EventScopeDestroyed}}))
	_, err := app.Load(t.Context(), medical)
	wantErr(t, err, keymgr.ErrScopeNotFound)
	_, err = app.Version(t.Context(), medical)
	wantErr(t, err, keymgr.ErrScopeNotFound)
	wantErr(t, app.Create(t.Context(), record(medical, 1, "app"), nil), keymgr.ErrStoreUnavailable)
	_, err = operator.Load(t.Context(), medical)
	wantErr(t, err, keymgr.ErrScopeDestroyed)
}
