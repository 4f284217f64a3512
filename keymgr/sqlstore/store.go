package sqlstore

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"sync/atomic"

	"github.com/fieldcrypt/go/keymgr"
)

// Store is a keymgr.Store in a database. It is safe for concurrent use, by
// any number of processes.
//
// After keymgr.ErrStoreUnavailable from Create, Replace, SwapWraps or Delete the change
// may have been made: a connection can break between a commit and its answer.
// Load tells.
type Store struct {
	db      *sql.DB
	dialect atomic.Int32 // a Dialect, 0 until the database was asked
}

var _ keymgr.Store = (*Store)(nil)

// New returns the store in db. It does not talk to the database: see [Migrate].
func New(db *sql.DB) *Store { return &Store{db: db} }

func (s *Store) detect(ctx context.Context) (Dialect, error) {
	if d := Dialect(s.dialect.Load()); d != 0 {
		return d, nil
	}
	d, err := detect(ctx, s.db)
	if err == nil {
		s.dialect.Store(int32(d))
	}
	return d, err
}

// Create implements keymgr.Store.
func (s *Store) Create(ctx context.Context, r keymgr.Record, events []keymgr.Event) error {
	return fail(ctx, "create "+r.Scope.Domain, s.create(ctx, r, events))
}

func (s *Store) create(ctx context.Context, r keymgr.Record, events []keymgr.Event) error {
	if err := r.Scope.Validate(); err != nil {
		return err
	}
	if r.Version != 1 {
		return fmt.Errorf("a scope begins with version 1, not %d: %w", r.Version, keymgr.ErrConflict)
	}
	return s.change(ctx, r.Scope, r.Version, r.Wraps, events, func(tx *sql.Tx) error {
		at := now()
		// Waits for a concurrent Create of the same scope and then does nothing.
		n, err := exec(ctx, tx, `
			INSERT INTO fieldcrypt_keysets (domain, tenant, version, seal, "index", info, created_at, updated_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (domain, tenant) DO NOTHING`,
			r.Scope.Domain, r.Scope.Tenant, int64(r.Version), r.Seal, r.Index, r.Info, at, at)
		if err == nil && n == 0 {
			return keymgr.ErrScopeExists
		}
		if err != nil {
			return err
		}
		// Holds the place of the scope by now, so whoever destroyed it has committed.
		return notDestroyed(ctx, tx, r.Scope)
	})
}

// Replace implements keymgr.Store.
func (s *Store) Replace(ctx context.Context, r keymgr.Record, events []keymgr.Event) error {
	return fail(ctx, "replace "+r.Scope.Domain, s.replace(ctx, r, events))
}

func (s *Store) replace(ctx context.Context, r keymgr.Record, events []keymgr.Event) error {
	if r.Version > math.MaxInt64 {
		return fmt.Errorf("version %d does not fit the store: %w", r.Version, keymgr.ErrKeysetInvalid)
	}
	return s.change(ctx, r.Scope, r.Version, r.Wraps, events, func(tx *sql.Tx) error {
		n, err := exec(ctx, tx, `
			UPDATE fieldcrypt_keysets SET version = $1, seal = $2, "index" = $3, info = $4, updated_at = $5
			WHERE domain = $6 AND tenant = $7 AND version = $8`,
			int64(r.Version), r.Seal, r.Index, r.Info, now(), r.Scope.Domain, r.Scope.Tenant, int64(r.Version-1))
		if err == nil && n == 0 {
			return lost(ctx, tx, r.Scope)
		}
		return err
	})
}

// SwapWraps implements keymgr.Store.
func (s *Store) SwapWraps(ctx context.Context, scope keymgr.Scope, version uint64, old, new []keymgr.Wrap, events []keymgr.Event) error {
	return fail(ctx, "swap the wraps of "+scope.Domain, s.swapWraps(ctx, scope, version, old, new, events))
}

func (s *Store) swapWraps(ctx context.Context, scope keymgr.Scope, version uint64, old, new []keymgr.Wrap, events []keymgr.Event) error {
	if version > math.MaxInt64 {
		return fmt.Errorf("version %d does not fit the store: %w", version, keymgr.ErrKeysetInvalid)
	}
	old = slices.Clone(old)
	sortWraps(old)
	return s.change(ctx, scope, version, new, events, func(tx *sql.Tx) error {
		// Holds the scope's row, so that what is read next stays until commit.
		n, err := exec(ctx, tx, `
			UPDATE fieldcrypt_keysets SET updated_at = $1 WHERE domain = $2 AND tenant = $3 AND version = $4`,
			now(), scope.Domain, scope.Tenant, int64(version))
		if err != nil {
			return err
		}
		if n == 0 {
			return lost(ctx, tx, scope)
		}
		current, err := storedWraps(ctx, tx, scope, version)
		if err != nil {
			return err
		}
		if !slices.EqualFunc(old, current, sameWrap) {
			return keymgr.ErrConflict
		}
		return nil
	})
}

func sameWrap(a, b keymgr.Wrap) bool {
	return a.KEKURI == b.KEKURI && a.TenantContext == b.TenantContext && bytes.Equal(a.Wrapped, b.Wrapped)
}

// lost tells why no row had the version that a compare-and-swap asked for.
func lost(ctx context.Context, tx *sql.Tx, scope keymgr.Scope) error {
	if _, err := currentVersion(ctx, tx, scope); err != nil {
		return err
	}
	return keymgr.ErrConflict
}
