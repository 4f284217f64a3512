package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/fieldcrypt/go/keymgr"
)

// Delete implements keymgr.Store.
func (s *Store) Delete(ctx context.Context, scope keymgr.Scope, version uint64, events []keymgr.Event) error {
	return fail(ctx, "delete "+scope.Domain, s.delete(ctx, scope, version, events))
}

func (s *Store) delete(ctx context.Context, scope keymgr.Scope, version uint64, events []keymgr.Event) error {
	if version > math.MaxInt64 {
		return fmt.Errorf("version %d does not fit the store: %w", version, keymgr.ErrKeysetInvalid)
	}
	return s.transact(ctx, events, func(tx *sql.Tx) error {
		n, err := exec(ctx, tx, `DELETE FROM fieldcrypt_keysets WHERE domain = $1 AND tenant = $2 AND version = $3`,
			scope.Domain, scope.Tenant, int64(version))
		if err != nil {
			return err
		}
		if n == 0 {
			return lost(ctx, tx, scope)
		}
		_, err = exec(ctx, tx, `DELETE FROM fieldcrypt_keyset_wraps WHERE domain = $1 AND tenant = $2`, scope.Domain, scope.Tenant)
		return err
	})
}

// querier is a pool or a transaction.
type querier interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
}

// notDestroyed returns keymgr.ErrScopeDestroyed if the log says that the scope
// was destroyed.
func notDestroyed(ctx context.Context, q querier, scope keymgr.Scope) error {
	var at timestamp
	err := q.QueryRowContext(ctx, `
		SELECT at FROM fieldcrypt_key_events
		WHERE domain = $1 AND tenant = $2 AND kind = 'scope-destroyed' ORDER BY id DESC LIMIT 1`,
		scope.Domain, scope.Tenant).Scan(&at)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("at %s: %w", at.UTC().Format(time.RFC3339), keymgr.ErrScopeDestroyed)
}

// absent says why a scope has no record. A role that may not read the log, which
// an application that makes no scopes need not, hears that there is none.
func absent(ctx context.Context, q querier, scope keymgr.Scope) error {
	err := notDestroyed(ctx, q, scope)
	if err == nil || sqlState(err) == "42501" {
		return keymgr.ErrScopeNotFound
	}
	return err
}
