// Package keylife_test lets operators of keys be killed, and be two at once, on a
// real Postgres.
package keylife_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/fieldcrypt/go/internal/pgtest"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/localkms"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
)

const domain = "records"

// place is a database with the tables, and a folder with the files of three KEKs.
type place struct {
	dsn, dir string
}

func newPlace(t *testing.T) place {
	t.Helper()
	p := place{pgtest.DB(t), t.TempDir()}
	must(t, sqlstore.Migrate(t.Context(), p.pool(t, nil)))
	return p
}

func (p place) pool(t *testing.T, tracer pgx.QueryTracer) *sql.DB {
	t.Helper()
	db, err := p.open(tracer)
	must(t, err)
	t.Cleanup(func() { db.Close() })
	return db
}

func (p place) open(tracer pgx.QueryTracer) (*sql.DB, error) {
	cfg, err := pgx.ParseConfig(p.dsn)
	if err != nil {
		return nil, err
	}
	cfg.Tracer = tracer
	return stdlib.OpenDB(*cfg), nil
}

// keks opens KEKs by their names, a, b or c, and makes those that are missing.
func (p place) keks(names ...string) (list []keymgr.KEK, err error) {
	for _, name := range names {
		k, err := localkms.OpenOrCreate(filepath.Join(p.dir, name+".key"))
		if err != nil {
			return nil, err
		}
		list = append(list, k)
	}
	return list, nil
}

// age is more than any operation asks for.
const age = 12 * time.Hour

// manager returns a Manager whose clock is behind by the given time.
func manager(store keymgr.Store, keks, decryptOnly []keymgr.KEK, behind time.Duration) (*keymgr.Manager, error) {
	return keymgr.Open(context.Background(), keymgr.Config{
		Store:        store,
		Domains:      map[string]keymgr.Domain{domain: {PerTenant: true, KEKs: keks, DecryptOnly: decryptOnly}},
		Lazy:         true,
		StoreTimeout: time.Minute, // the machine may be busy
		KMSTimeout:   time.Minute,
		Now:          func() time.Time { return time.Now().Add(-behind) },
	})
}

// operator is manager for the parent of a test, wrapping under KEKs a and b.
func (p place) operator(t *testing.T, store keymgr.Store, behind time.Duration) *keymgr.Manager {
	t.Helper()
	keks, err := p.keks("a", "b")
	must(t, err)
	m, err := manager(store, keks, nil, behind)
	must(t, err)
	t.Cleanup(func() { m.Close() })
	return m
}

// scopeKeys are the seal keys of a scope that prepare has made.
type scopeKeys struct{ Primary, Active, Pending, Disabled uint32 }

// prepare makes a scope with a key in every state that is old enough for every
// operation.
func (p place) prepare(t *testing.T, store keymgr.Store, s keymgr.Scope) (keys scopeKeys) {
	t.Helper()
	ctx := t.Context()
	m := p.operator(t, store, 3*age)
	must(t, m.Create(ctx, s))
	k, err := m.Keys(ctx, s)
	must(t, err)
	keys.Active = k.Primary().ID()
	for _, id := range []*uint32{&keys.Primary, &keys.Pending, &keys.Disabled} {
		*id, err = m.AddKey(ctx, s, keymgr.Seal)
		must(t, err)
	}
	m = p.operator(t, store, 2*age)
	must(t, m.PromoteKey(ctx, s, keymgr.Seal, keys.Primary))
	must(t, m.DisableKey(ctx, s, keymgr.Seal, keys.Disabled, keymgr.Proof{Override: "test"}))
	return keys
}

// operations by name, each on a key of prepare's.
var operations = map[string]func(context.Context, *keymgr.Manager, keymgr.Scope, scopeKeys) error{
	"create": func(ctx context.Context, m *keymgr.Manager, s keymgr.Scope, _ scopeKeys) error {
		return m.Create(ctx, s)
	},
	"add": func(ctx context.Context, m *keymgr.Manager, s keymgr.Scope, _ scopeKeys) error {
		_, err := m.AddKey(ctx, s, keymgr.Seal)
		return err
	},
	"promote": func(ctx context.Context, m *keymgr.Manager, s keymgr.Scope, k scopeKeys) error {
		return m.PromoteKey(ctx, s, keymgr.Seal, k.Pending)
	},
	"rewrap": func(ctx context.Context, m *keymgr.Manager, s keymgr.Scope, _ scopeKeys) error {
		return m.Rewrap(ctx, s)
	},
	"disable": func(ctx context.Context, m *keymgr.Manager, s keymgr.Scope, k scopeKeys) error {
		return m.DisableKey(ctx, s, keymgr.Seal, k.Active, keymgr.Proof{Override: "test"})
	},
	"enable": func(ctx context.Context, m *keymgr.Manager, s keymgr.Scope, k scopeKeys) error {
		return m.EnableKey(ctx, s, keymgr.Seal, k.Disabled)
	},
	"destroy": func(ctx context.Context, m *keymgr.Manager, s keymgr.Scope, k scopeKeys) error {
		return m.DestroyKey(ctx, s, keymgr.Seal, k.Disabled, keymgr.Proof{Override: "test"})
	},
	"destroy-scope": func(ctx context.Context, m *keymgr.Manager, s keymgr.Scope, _ scopeKeys) error {
		_, err := m.DestroyScope(ctx, s, "test")
		return err
	},
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func mustBe(t *testing.T, what string, err error, want ...error) {
	t.Helper()
	for _, w := range want {
		if errors.Is(err, w) {
			return
		}
	}
	t.Errorf("%s: error %v, want one of %v", what, err, want)
}
