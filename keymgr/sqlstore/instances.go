package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/fieldcrypt/go/keymgr"
)

var _ keymgr.InstanceStore = (*Store)(nil)

// clock is the SQL of the database's own time, as [timestamp] reads it.
func (d Dialect) clock() string {
	if d == Postgres {
		return `clock_timestamp()`
	}
	return `(strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z')`
}

// batch is how many rows one statement reads or writes.
const batch = 200

// Versions implements keymgr.InstanceStore.
func (s *Store) Versions(ctx context.Context, scopes []keymgr.Scope) (keymgr.Versions, error) {
	v, err := s.versions(ctx, scopes)
	return v, fail(ctx, "versions", err)
}

func (s *Store) versions(ctx context.Context, scopes []keymgr.Scope) (keymgr.Versions, error) {
	d, err := s.detect(ctx)
	if err != nil {
		return keymgr.Versions{}, err
	}
	v := keymgr.Versions{Current: make(map[keymgr.Scope]uint64, len(scopes)), Sparing: d == SQLite}
	// A statement of its own: within one, the clock may be read after the snapshot
	// is taken.
	events := `0`
	if v.Sparing { // elsewhere a role may not be allowed to read the log
		events = `(SELECT coalesce(max(id), 0) FROM fieldcrypt_key_events)`
	}
	var at timestamp
	if err := s.db.QueryRowContext(ctx, `SELECT `+d.clock()+`, `+events).Scan(&at, &v.Events); err != nil {
		return keymgr.Versions{}, err
	}
	v.At = at.Time
	for ; len(scopes) > 0; scopes = scopes[min(batch, len(scopes)):] {
		if err := s.readVersions(ctx, scopes[:min(batch, len(scopes))], v.Current); err != nil {
			return keymgr.Versions{}, err
		}
	}
	return v, nil
}

func (s *Store) readVersions(ctx context.Context, scopes []keymgr.Scope, into map[keymgr.Scope]uint64) error {
	rows, err := s.db.QueryContext(ctx, `SELECT domain, tenant, version FROM fieldcrypt_keysets
		WHERE (domain, tenant) IN (`+values(len(scopes), 2)+`)`, scopeArgs(scopes)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var scope keymgr.Scope
		var version int64
		if err := rows.Scan(&scope.Domain, &scope.Tenant, &version); err != nil {
			return err
		}
		if version > 0 { // else the opening says what is wrong
			into[scope] = uint64(version)
		}
	}
	return rows.Err()
}

// scopeArgs are the parameters of values(len(scopes), 2).
func scopeArgs(scopes []keymgr.Scope) (args []any) {
	for _, scope := range scopes {
		args = append(args, scope.Domain, scope.Tenant)
	}
	return args
}

// values is VALUES with numbered parameters, and more expressions in each row.
func values(rows, columns int, more ...string) string {
	var b strings.Builder
	b.WriteString("VALUES ")
	for r := range rows {
		if r > 0 {
			b.WriteString(", ")
		}
		b.WriteByte('(')
		for c := range columns {
			if c > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, "$%d", r*columns+c+1)
		}
		for _, expression := range more {
			b.WriteString(", " + expression)
		}
		b.WriteByte(')')
	}
	return b.String()
}

// Instances implements keymgr.InstanceStore.
func (s *Store) Instances(ctx context.Context, of keymgr.Scope) (keymgr.Fleet, error) {
	f, err := s.instances(ctx, of)
	if err != nil {
		return keymgr.Fleet{}, fail(ctx, "instances", err)
	}
	return f, nil
}

func (s *Store) instances(ctx context.Context, of keymgr.Scope) (keymgr.Fleet, error) {
	d, err := s.detect(ctx)
	if err != nil {
		return keymgr.Fleet{}, err
	}
	var now timestamp
	if err := s.db.QueryRowContext(ctx, `SELECT `+d.clock()).Scan(&now); err != nil {
		return keymgr.Fleet{}, err
	}
	which, args := ``, []any{}
	if of != (keymgr.Scope{}) {
		which, args = `WHERE (domain = '' AND tenant = '') OR (domain = $1 AND tenant = $2)`, []any{of.Domain, of.Tenant}
	}
	rows, err := s.db.QueryContext(ctx, `
		SELECT instance, domain, tenant, seen_at, coalesce(host, ''), started_at, checked_at, coalesce(max_age_ms, 0), coalesce(interval_ms, 0),
			coalesce(version, 0), coalesce(seal_keys, '[]'), coalesce(index_keys, '[]'), coalesce(seal_key, 0), coalesce(index_key, 0)
		FROM fieldcrypt_instances `+which+` ORDER BY instance, domain, tenant`, args...)
	if err != nil {
		return keymgr.Fleet{}, err
	}
	defer rows.Close()
	f := keymgr.Fleet{Now: now.Time}
	for rows.Next() {
		if err := scanInstance(rows, &f); err != nil {
			return keymgr.Fleet{}, err
		}
	}
	return f, rows.Err()
}

// scanInstance takes the next row: an instance, or a scope of the last one.
func scanInstance(rows *sql.Rows, f *keymgr.Fleet) error {
	var (
		i                   keymgr.Instance
		h                   keymgr.InstanceScope
		seen                timestamp
		started, checked    sql.Null[timestamp]
		maxAge, interval    int64
		sealKeys, indexKeys string
	)
	if err := rows.Scan(&i.ID, &h.Scope.Domain, &h.Scope.Tenant, &seen, &i.Host, &started, &checked, &maxAge, &interval,
		&h.Version, &sealKeys, &indexKeys, &h.SealKey, &h.IndexKey); err != nil {
		return err
	}
	if h.Scope.Domain == "" {
		i.StartedAt, i.CheckedAt, i.LastSeen = started.V.Time, checked.V.Time, seen.Time
		i.MaxAge, i.Interval = time.Duration(maxAge)*time.Millisecond, time.Duration(interval)*time.Millisecond
		f.Instances = append(f.Instances, i)
		return nil
	}
	n := len(f.Instances)
	if n == 0 || f.Instances[n-1].ID != i.ID {
		return nil // of an instance that is being removed
	}
	h.SeenAt = seen.Time
	if json.Unmarshal([]byte(sealKeys), &h.SealKeys) != nil || json.Unmarshal([]byte(indexKeys), &h.IndexKeys) != nil {
		return fmt.Errorf("instance %s: the key ids of a scope of %s are no JSON list", i.ID, h.Scope.Domain)
	}
	f.Instances[n-1].Scopes = append(f.Instances[n-1].Scopes, h)
	return nil
}
