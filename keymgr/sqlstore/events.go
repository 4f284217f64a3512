package sqlstore

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/fieldcrypt/go/keymgr"
)

// Events returns the log of a scope, oldest first. Errors match
// keymgr.ErrStoreUnavailable.
func (s *Store) Events(ctx context.Context, scope keymgr.Scope) ([]keymgr.Event, error) {
	events, err := s.events(ctx, scope)
	if err != nil {
		return nil, fail(ctx, "events of "+scope.Domain, err)
	}
	return events, nil
}

func (s *Store) events(ctx context.Context, scope keymgr.Scope) ([]keymgr.Event, error) {
	if _, err := s.detect(ctx); err != nil {
		return nil, err
	}
	rows, err := s.db.QueryContext(ctx, `
		SELECT at, actor, version, kind, purpose, key_id, detail FROM fieldcrypt_key_events
		WHERE domain = $1 AND tenant = $2 ORDER BY id`, scope.Domain, scope.Tenant)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var events []keymgr.Event
	for rows.Next() {
		e := keymgr.Event{Scope: scope}
		var at timestamp
		if err := rows.Scan(&at, &e.Actor, &e.Version, (*string)(&e.Kind), (*string)(&e.Purpose), &e.KeyID, &e.Detail); err != nil {
			return nil, err
		}
		e.At = at.Time
		events = append(events, e)
	}
	return events, rows.Err()
}

// appendEvent relies on the unique index of key-added events, the only one
// that an event can meet.
func appendEvent(ctx context.Context, tx *sql.Tx, e keymgr.Event) error {
	at := timestamp{e.At}
	if e.At.IsZero() {
		at = now()
	}
	n, err := exec(ctx, tx, `
		INSERT INTO fieldcrypt_key_events (at, actor, domain, tenant, version, kind, purpose, key_id, detail)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING`,
		at, e.Actor, e.Scope.Domain, e.Scope.Tenant, int64(e.Version), string(e.Kind), string(e.Purpose), int64(e.KeyID), e.Detail)
	if err == nil && n == 0 {
		return fmt.Errorf("key %d: %w", e.KeyID, keymgr.ErrKeyIDTaken)
	}
	return err
}
