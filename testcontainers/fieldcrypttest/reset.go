package fieldcrypttest

import (
	"context"
	"database/sql"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
)

// Reset brings everything back to where it was when Start returned: tables and
// rows, keysets and cached keys, the failures and the call count of the KMS, and
// the part of the server's log that AssertNoPlaintext looks at. Keys of the KMS
// and their states stay.
//
// Pool goes on with new connections; statements that run meanwhile, and
// connections that others hold to URL, break. GORM and Fieldcrypt stay the same
// too, unless the test has changed keysets, by a rotation for example: a
// [keymgr.Manager] never accepts an older version than it has seen. Then they are
// replaced, and the old ones answer [keymgr.ErrClosed]. So, where keysets change,
// take them from e again after Reset. No other method may run at the same time.
func (e *Env) Reset(t testing.TB) {
	t.Helper()
	if err := e.reset(context.Background()); err != nil {
		t.Fatalf("fieldcrypttest: Reset: %v", err)
	}
}

func (e *Env) reset(ctx context.Context) error {
	e.KMS.Recover()
	if err := e.db.endBusy(ctx); err != nil {
		return err
	}
	had, listed := e.storedScopes(ctx)
	if err := e.db.restore(ctx); err != nil {
		return err
	}
	e.Pool.Reset()
	if err := e.awaitConnection(ctx); err != nil {
		return err
	}
	e.KMS.ResetCalls()
	for _, s := range slices.Concat(e.scopes, had) {
		e.Fieldcrypt.Keys().Evict(s)
	}
	// A scope that was made since is one that the Manager knows to be there.
	if !listed || !sameScopes(had, e.scopes) || e.openScopes(ctx) != nil {
		e.closeKeys()
		e.KMS.ResetCalls()
		if err := e.connect(ctx); err != nil {
			return err
		}
		e.Pool.Reset() // connections know the old keys
	}
	return e.log.restart(ctx, e.db.admin)
}

// storedScopes lists the scopes in the database, and whether it could: the test
// may have done anything to the tables, and to the pool.
func (e *Env) storedScopes(ctx context.Context) ([]keymgr.Scope, bool) {
	const many = 10_000
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	var db *sql.DB
	if s := e.Pool.Stat(); s.AcquiredConns() >= s.MaxConns() {
		cfg, err := pgx.ParseConfig(e.URL)
		if err != nil {
			return nil, false
		}
		db = stdlib.OpenDB(*cfg)
	} else {
		db = stdlib.OpenDBFromPool(e.Pool)
	}
	defer db.Close()
	scopes, err := sqlstore.New(db).Scopes(ctx, keymgr.Scope{}, many)
	return scopes, err == nil && len(scopes) < many
}

func sameScopes(a, b []keymgr.Scope) bool {
	has := func(list []keymgr.Scope) func(keymgr.Scope) bool {
		return func(s keymgr.Scope) bool { return !slices.Contains(list, s) }
	}
	return !slices.ContainsFunc(a, has(b)) && !slices.ContainsFunc(b, has(a))
}
