package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/fieldcrypt/go/keymgr"
)

// Load implements keymgr.Store.
func (s *Store) Load(ctx context.Context, scope keymgr.Scope) (keymgr.Record, error) {
	r, err := s.load(ctx, scope)
	if err != nil {
		return keymgr.Record{}, fail(ctx, "load "+scope.Domain, err)
	}
	return r, nil
}

// load reads the record and its wraps in one statement, which sees one moment
// of the database in every isolation level.
func (s *Store) load(ctx context.Context, scope keymgr.Scope) (keymgr.Record, error) {
	if _, err := s.detect(ctx); err != nil {
		return keymgr.Record{}, err
	}
	rows, err := s.db.QueryContext(ctx, `
		SELECT k.version, k.seal, k."index", k.info, k.created_at, k.updated_at, w.kek_uri, w.wrapped, w.tenant_context
		FROM fieldcrypt_keysets k
		LEFT JOIN fieldcrypt_keyset_wraps w
			ON w.domain = k.domain AND w.tenant = k.tenant AND w.version = k.version
		WHERE k.domain = $1 AND k.tenant = $2`, scope.Domain, scope.Tenant)
	if err != nil {
		return keymgr.Record{}, err
	}
	defer rows.Close()

	r := keymgr.Record{Scope: scope}
	for rows.Next() {
		var (
			version          int64
			created, updated timestamp
			uri, tenant      sql.NullString // NULL: no wraps
			wrapped          []byte
		)
		if err := rows.Scan(&version, &r.Seal, &r.Index, &r.Info, &created, &updated, &uri, &wrapped, &tenant); err != nil {
			return keymgr.Record{}, err
		}
		if version < 1 {
			return keymgr.Record{}, fmt.Errorf("version %d: %w", version, keymgr.ErrKeysetInvalid)
		}
		r.Version, r.CreatedAt, r.UpdatedAt = uint64(version), created.Time, updated.Time
		if uri.Valid {
			r.Wraps = append(r.Wraps, keymgr.Wrap{
				KEKURI: uri.String, Wrapped: wrapped, TenantContext: keymgr.TenantContext(tenant.String),
			})
		}
	}
	if err := rows.Err(); err != nil {
		return keymgr.Record{}, err
	}
	if r.Version == 0 {
		rows.Close() // first: the pool may have no second connection
		return keymgr.Record{}, absent(ctx, s.db, scope)
	}
	if len(r.Wraps) == 0 {
		return keymgr.Record{}, fmt.Errorf("version %d has no wrapped data key: %w", r.Version, keymgr.ErrKeysetInvalid)
	}
	sortWraps(r.Wraps)
	return r, nil
}

// Version implements keymgr.Store.
func (s *Store) Version(ctx context.Context, scope keymgr.Scope) (uint64, error) {
	v, err := s.version(ctx, scope)
	return v, fail(ctx, "version of "+scope.Domain, err)
}

func (s *Store) version(ctx context.Context, scope keymgr.Scope) (uint64, error) {
	if _, err := s.detect(ctx); err != nil {
		return 0, err
	}
	return currentVersion(ctx, s.db, scope)
}

// currentVersion asks a pool or a transaction.
func currentVersion(ctx context.Context, q querier, scope keymgr.Scope) (uint64, error) {
	var version int64
	err := q.QueryRowContext(ctx, `SELECT version FROM fieldcrypt_keysets WHERE domain = $1 AND tenant = $2`,
		scope.Domain, scope.Tenant).Scan(&version)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return 0, absent(ctx, q, scope)
	case err != nil:
		return 0, err
	case version < 1:
		return 0, fmt.Errorf("version %d: %w", version, keymgr.ErrKeysetInvalid)
	}
	return uint64(version), nil
}

// Scopes implements keymgr.Store.
func (s *Store) Scopes(ctx context.Context, after keymgr.Scope, limit int) ([]keymgr.Scope, error) {
	scopes, err := s.scopes(ctx, after, limit)
	if err != nil {
		return nil, fail(ctx, "list scopes", err)
	}
	return scopes, nil
}

func (s *Store) scopes(ctx context.Context, after keymgr.Scope, limit int) ([]keymgr.Scope, error) {
	if limit < 1 {
		return nil, nil // SQLite takes a negative limit for none
	}
	if _, err := s.detect(ctx); err != nil {
		return nil, err
	}
	rows, err := s.db.QueryContext(ctx, `
		SELECT domain, tenant FROM fieldcrypt_keysets
		WHERE (domain, tenant) > ($1, $2) ORDER BY domain, tenant LIMIT $3`, after.Domain, after.Tenant, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var scopes []keymgr.Scope
	for rows.Next() {
		var scope keymgr.Scope
		if err := rows.Scan(&scope.Domain, &scope.Tenant); err != nil {
			return nil, err
		}
		scopes = append(scopes, scope)
	}
	return scopes, rows.Err()
}

func sortWraps(w []keymgr.Wrap) {
	slices.SortFunc(w, func(a, b keymgr.Wrap) int { return cmp.Compare(a.KEKURI, b.KEKURI) })
}
