package sqlstore

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/fieldcrypt/go/keymgr"
)

// change is the transaction of every write but the last: swap compares and
// writes the scope's row, which it holds from then on; then the wraps are
// exchanged and the events appended. swap begins with a write: a transaction of SQLite that
// begins with a read fails at its first write if another one was faster.
func (s *Store) change(ctx context.Context, scope keymgr.Scope, version uint64, wraps []keymgr.Wrap, events []keymgr.Event, swap func(*sql.Tx) error) error {
	if err := checkWraps(wraps); err != nil {
		return err
	}
	return s.transact(ctx, events, func(tx *sql.Tx) error {
		if err := swap(tx); err != nil {
			return err
		}
		return putWraps(ctx, tx, scope, version, wraps)
	})
}

// transact is the one transaction of every write: what write does, and the
// events of it.
func (s *Store) transact(ctx context.Context, events []keymgr.Event, write func(*sql.Tx) error) error {
	d, err := s.detect(ctx)
	if err != nil {
		return err
	}
	tx, err := s.db.BeginTx(ctx, d.txOptions())
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := write(tx); err != nil {
		return err
	}
	for _, e := range events {
		if err := appendEvent(ctx, tx, e); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// checkWraps refuses what would make a scope that nobody can open.
func checkWraps(wraps []keymgr.Wrap) error {
	seen := make(map[string]bool, len(wraps))
	for _, w := range wraps {
		if seen[w.KEKURI] {
			return fmt.Errorf("two wraps under %s: %w", w.KEKURI, keymgr.ErrKeysetInvalid)
		}
		seen[w.KEKURI] = true
	}
	if len(wraps) == 0 {
		return fmt.Errorf("no wrapped data key: %w", keymgr.ErrKeysetInvalid)
	}
	return nil
}

// putWraps leaves the scope with exactly these wraps, those of older versions
// included.
func putWraps(ctx context.Context, tx *sql.Tx, scope keymgr.Scope, version uint64, wraps []keymgr.Wrap) error {
	if _, err := exec(ctx, tx, `DELETE FROM fieldcrypt_keyset_wraps WHERE domain = $1 AND tenant = $2`,
		scope.Domain, scope.Tenant); err != nil {
		return err
	}
	for _, w := range wraps {
		if _, err := exec(ctx, tx, `
			INSERT INTO fieldcrypt_keyset_wraps (domain, tenant, version, kek_uri, wrapped, tenant_context)
			VALUES ($1, $2, $3, $4, $5, $6)`,
			scope.Domain, scope.Tenant, int64(version), w.KEKURI, w.Wrapped, string(w.TenantContext)); err != nil {
			return err
		}
	}
	return nil
}

func storedWraps(ctx context.Context, tx *sql.Tx, scope keymgr.Scope, version uint64) ([]keymgr.Wrap, error) {
	rows, err := tx.QueryContext(ctx, `
		SELECT kek_uri, wrapped, tenant_context FROM fieldcrypt_keyset_wraps
		WHERE domain = $1 AND tenant = $2 AND version = $3`, scope.Domain, scope.Tenant, int64(version))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var wraps []keymgr.Wrap
	for rows.Next() {
		var w keymgr.Wrap
		if err := rows.Scan(&w.KEKURI, &w.Wrapped, (*string)(&w.TenantContext)); err != nil {
			return nil, err
		}
		wraps = append(wraps, w)
	}
	sortWraps(wraps)
	return wraps, rows.Err()
}

func exec(ctx context.Context, tx *sql.Tx, query string, args ...any) (affected int64, err error) {
	res, err := tx.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}
