//go:build unix

package instances_test

import (
	"crypto/rand"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
)

// role returns a pool of a new role of the server with the rights that these
// statements give to name.
func (e *env) role(name string, grants []string) *sql.DB {
	e.t.Helper()
	admin := e.pool(e.dsn)
	role := "fieldcrypt_test_" + strings.ToLower(rand.Text()[:12])
	exec := func(statement string) {
		if _, err := admin.Exec(statement); err != nil {
			e.t.Error(err)
		}
	}
	exec(`CREATE ROLE ` + role)
	e.t.Cleanup(func() {
		exec(`DROP OWNED BY ` + role)
		exec(`DROP ROLE ` + role)
	})
	for _, grant := range grants {
		if to, ok := strings.CutSuffix(grant, " TO "+name+";"); ok {
			exec(to + ` TO ` + role)
		}
	}
	u, err := url.Parse(e.dsn)
	e.ok(err)
	q := u.Query()
	q.Set("role", role)
	u.RawQuery = q.Encode()
	return e.pool(u.String())
}

// documentedGrants are the statements in the documentation of package sqlstore,
// those of the destroyer of scopes apart.
func documentedGrants(t *testing.T) (grants, destroyer []string) {
	t.Helper()
	text, err := os.ReadFile("../../../keymgr/sqlstore/doc.go")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		grant, ok := strings.CutPrefix(strings.TrimSpace(line), "//\tGRANT")
		switch {
		case ok && strings.HasPrefix(grant, " DELETE"):
			destroyer = append(destroyer, "GRANT"+grant)
		case ok:
			grants = append(grants, "GRANT"+grant)
		}
	}
	if len(grants) != 6 || len(destroyer) != 1 {
		t.Fatalf("documented: %q and %q", grants, destroyer)
	}
	return grants, destroyer
}

// The rights that the documentation of package sqlstore names are enough, and it
// names none that the application could do harm with.
func TestDocumentedRights(t *testing.T) {
	e := newEnv(t)
	ctx := t.Context()
	grants, destroyer := documentedGrants(t)
	with := func(db *sql.DB, lazy bool) *keymgr.Manager {
		return e.open(func(cfg *keymgr.Config) {
			cfg.Store, cfg.Lazy = sqlstore.New(db), lazy
			d := cfg.Domains["medical"]
			d.AutoCreate = false
			cfg.Domains["medical"] = d
		})
	}
	appDB, operator := e.role("app", grants), with(e.role("operator", grants), true)

	e.ok(operator.Create(ctx, medical))
	app := with(appDB, false)
	id, err := operator.AddKey(ctx, medical, keymgr.Seal)
	e.ok(err)
	e.ok(operator.WaitPromotable(ctx, medical, keymgr.Seal, id, nil))
	e.ok(operator.PromoteKey(ctx, medical, keymgr.Seal, id))
	k, err := app.Keys(ctx, medical)
	e.ok(err)
	e.ok(operator.Rewrap(ctx, medical))
	spare, err := operator.AddKey(ctx, medical, keymgr.Seal)
	e.ok(err)
	e.ok(operator.DisableKey(ctx, medical, keymgr.Seal, spare, keymgr.Proof{Override: "test"}))
	e.ok(operator.EnableKey(ctx, medical, keymgr.Seal, spare))
	other := with(appDB, false)
	e.ok(operator.ForgetInstance(ctx, other.InstanceID()))

	for what, change := range map[string]func() error{
		"AddKey":  func() error { _, err := app.AddKey(ctx, medical, keymgr.Seal); return err },
		"Rewrap":  func() error { return app.Rewrap(ctx, medical) },
		"Disable": func() error { return app.DisableKey(ctx, medical, keymgr.Seal, spare, keymgr.Proof{Override: "x"}) },
		"Destroy": func() error { _, err := app.DestroyScope(ctx, medical, "x"); return err },
	} {
		if err := change(); !errors.Is(err, keymgr.ErrStoreUnavailable) || !strings.Contains(err.Error(), "GRANT") {
			t.Errorf("%s by the application: %v", what, err)
		}
	}
	if _, err := operator.DestroyScope(ctx, medical, "test"); !errors.Is(err, keymgr.ErrStoreUnavailable) {
		t.Errorf("DestroyScope by who may not: %v", err)
	}

	_, err = with(e.role("operator", append(grants, destroyer...)), true).DestroyScope(ctx, medical, "test")
	e.ok(err)
	// The application may not read the log, which says that it was destroyed.
	for err == nil {
		if k, err = app.Keys(ctx, medical); err == nil {
			time.Sleep(10 * time.Millisecond)
		}
	}
	if !errors.Is(err, keymgr.ErrScopeNotFound) {
		t.Errorf("Keys of a destroyed scope: %v, %v", k, err)
	}
}
