package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/fieldcrypt/go/keymgr"
)

// Report implements keymgr.InstanceStore.
func (s *Store) Report(ctx context.Context, r keymgr.InstanceReport) error {
	return fail(ctx, "report of instance "+r.ID, s.report(ctx, r))
}

// report holds the instance's own row from its first statement on, as Forget
// does, so that they wait for each other.
func (s *Store) report(ctx context.Context, r keymgr.InstanceReport) error {
	d, err := s.detect(ctx)
	if err != nil {
		return err
	}
	tx, err := s.db.BeginTx(ctx, d.txOptions())
	if err != nil {
		return err
	}
	defer tx.Rollback()
	put := updateInstance
	if r.Full {
		put = insertInstance
	}
	if err := put(ctx, tx, d, r); err != nil {
		return err
	}
	if err := removeScopes(ctx, tx, r); err != nil {
		return err
	}
	for left := r.Scopes; len(left) > 0; left = left[min(batch, len(left)):] {
		if err := putScopes(ctx, tx, d, r.ID, left[:min(batch, len(left))]); err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	if r.Full {
		s.sweep(ctx)
	}
	return nil
}

func instanceArgs(r keymgr.InstanceReport) []any {
	return []any{r.ID, r.Host, timestamp{r.StartedAt}, timestamp{r.CheckedAt}, milliseconds(r.MaxAge), milliseconds(r.Interval)}
}

// milliseconds rounds up: an instance is not to look gone too early.
func milliseconds(d time.Duration) int64 {
	return int64((d + time.Millisecond - 1) / time.Millisecond)
}

func updateInstance(ctx context.Context, tx *sql.Tx, d Dialect, r keymgr.InstanceReport) error {
	n, err := exec(ctx, tx, `
		UPDATE fieldcrypt_instances SET seen_at = `+d.clock()+`, host = $2, started_at = $3, checked_at = $4, max_age_ms = $5, interval_ms = $6
		WHERE instance = $1 AND domain = '' AND tenant = ''`, instanceArgs(r)...)
	if err == nil && n == 0 {
		return keymgr.ErrUnknownInstance
	}
	return err
}

func insertInstance(ctx context.Context, tx *sql.Tx, d Dialect, r keymgr.InstanceReport) error {
	_, err := exec(ctx, tx, `
		INSERT INTO fieldcrypt_instances (instance, domain, tenant, seen_at, host, started_at, checked_at, max_age_ms, interval_ms)
		VALUES ($1, '', '', `+d.clock()+`, $2, $3, $4, $5, $6)
		ON CONFLICT (instance, domain, tenant) DO UPDATE SET seen_at = excluded.seen_at, host = excluded.host,
			started_at = excluded.started_at, checked_at = excluded.checked_at, max_age_ms = excluded.max_age_ms, interval_ms = excluded.interval_ms`,
		instanceArgs(r)...)
	return err
}

func removeScopes(ctx context.Context, tx *sql.Tx, r keymgr.InstanceReport) error {
	if r.Full {
		_, err := exec(ctx, tx, `DELETE FROM fieldcrypt_instances WHERE instance = $1 AND domain <> ''`, r.ID)
		return err
	}
	// A round trip for each scope would last too long where thousands were evicted.
	for left := r.Removed; len(left) > 0; left = left[min(batch, len(left)):] {
		now := left[:min(batch, len(left))]
		args := scopeArgs(now)
		if _, err := exec(ctx, tx, fmt.Sprintf(`DELETE FROM fieldcrypt_instances WHERE instance = $%d AND (domain, tenant) IN (%s)`,
			len(args)+1, values(len(now), 2)), append(args, r.ID)...); err != nil {
			return err
		}
	}
	return nil
}

// putScopes writes rows of scopes in one statement.
func putScopes(ctx context.Context, tx *sql.Tx, d Dialect, id string, scopes []keymgr.InstanceScope) error {
	const columns = 8
	var args []any
	for _, h := range scopes {
		args = append(args, id, h.Scope.Domain, h.Scope.Tenant, int64(h.Version), keyList(h.SealKeys), keyList(h.IndexKeys), int64(h.SealKey), int64(h.IndexKey))
	}
	_, err := exec(ctx, tx, `
		INSERT INTO fieldcrypt_instances (instance, domain, tenant, version, seal_keys, index_keys, seal_key, index_key, seen_at)
		`+values(len(scopes), columns, d.clock())+`
		ON CONFLICT (instance, domain, tenant) DO UPDATE SET seen_at = excluded.seen_at, version = excluded.version,
			seal_keys = excluded.seal_keys, index_keys = excluded.index_keys, seal_key = excluded.seal_key, index_key = excluded.index_key`, args...)
	return err
}

func keyList(ids []uint32) string {
	if len(ids) == 0 {
		return "[]"
	}
	b, _ := json.Marshal(ids) // numbers cannot fail
	return string(b)
}

// Forget implements keymgr.InstanceStore.
func (s *Store) Forget(ctx context.Context, id string) error {
	return fail(ctx, "forget instance "+id, s.forget(ctx, id, nil))
}

// forget removes an instance; if lastSeen is not nil, only if it was last seen then.
func (s *Store) forget(ctx context.Context, id string, lastSeen *time.Time) error {
	d, err := s.detect(ctx)
	if err != nil {
		return err
	}
	tx, err := s.db.BeginTx(ctx, d.txOptions())
	if err != nil {
		return err
	}
	defer tx.Rollback()
	query, args := `DELETE FROM fieldcrypt_instances WHERE instance = $1 AND domain = '' AND tenant = ''`, []any{id}
	if lastSeen != nil {
		query, args = query+` AND seen_at = $2`, append(args, timestamp{*lastSeen})
	}
	n, err := exec(ctx, tx, query, args...)
	if err != nil {
		return err
	}
	if n == 0 {
		return keymgr.ErrUnknownInstance
	}
	if _, err := exec(ctx, tx, `DELETE FROM fieldcrypt_instances WHERE instance = $1`, id); err != nil {
		return err
	}
	return tx.Commit()
}

// kept is how long the row of an instance that is gone tells of it.
const kept = 24 * time.Hour

// sweep removes the rows of instances that died long ago. Its failure does no
// harm: the next instance to start sweeps again.
func (s *Store) sweep(ctx context.Context) {
	f, err := s.instances(ctx, keymgr.Scope{Domain: "-"}) // none of this name: the instances alone
	if err != nil {
		return
	}
	for _, i := range f.Instances {
		if f.Now.Sub(i.LastSeen) > i.MaxAge+kept {
			_ = s.forget(ctx, i.ID, &i.LastSeen)
		}
	}
}
