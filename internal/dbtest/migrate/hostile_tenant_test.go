package migrate_test

import (
	"context"
	"testing"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
)

// TestHostileTenantsThatSQLiteHoldsAsBytes are read as text by an application, so
// that their rows need the key too.
func TestHostileTenantsThatSQLiteHoldsAsBytes(t *testing.T) {
	acme := keymgr.Scope{Domain: "tenants", Tenant: "acme"}
	j := sqliteJobs(t, &jobsClient{})
	j.clients(t, 40)
	j.raw(t, `UPDATE clients SET firm = CAST(firm AS BLOB) WHERE id <= 10`)
	old := j.primary(t, acme)
	state := j.rotated(t, acme)
	if n := j.named(t, old); n != 0 {
		t.Errorf("%d values name the old key", n)
	}
	if c := state.Proofs[0].Columns; len(c) != 1 || c[0].Opened != 20 {
		t.Errorf("%+v", c)
	}
	var list []jobsClient
	ok(t, j.app.orm.WithContext(fieldcrypt.WithTenant(context.Background(), "acme")).Order("id").Find(&list, "id <= 10").Error)
	if len(list) != 10 {
		t.Errorf("%d clients", len(list))
	}
}
