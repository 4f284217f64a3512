package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/fieldcrypt/go/internal/pgtest"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
)

// lockScope holds the row of a scope in an open transaction.
func lockScope(t *testing.T, db *sql.DB, scope keymgr.Scope) *sql.Tx {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	ok(t, err)
	t.Cleanup(func() { tx.Rollback() })
	_, err = tx.ExecContext(t.Context(), `UPDATE fieldcrypt_keysets SET info = info WHERE domain = $1 AND tenant = $2`, scope.Domain, scope.Tenant)
	ok(t, err)
	return tx
}

func TestTheContextBoundsTheWaitForALock(t *testing.T) {
	onBoth(t, func(t *testing.T, d database) {
		s := sqlstore.New(migrated(t, d))
		want := record(medical, 1, "first")
		ok(t, s.Create(t.Context(), want, nil))
		tx := lockScope(t, d.pool(t), medical)

		for name, change := range map[string]func(context.Context) error{
			"Replace":   func(ctx context.Context) error { return s.Replace(ctx, record(medical, 2, "late"), nil) },
			"SwapWraps": func(ctx context.Context) error { return s.SwapWraps(ctx, medical, 1, want.Wraps, want.Wraps[:1], nil) },
		} {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			err := change(ctx)
			cancel()
			if !errors.Is(err, keymgr.ErrStoreUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: got %v, want ErrStoreUnavailable and context.DeadlineExceeded", name, err)
			}
		}
		ok(t, tx.Rollback())
		if !same(load(t, s, medical), want) {
			t.Error("a change that ran out of time was made")
		}
		ok(t, s.Replace(t.Context(), record(medical, 2, "second"), nil))
	})
}

// The connection is killed in the middle of a change: after its first
// statements, before it could commit.
func TestKilledTransaction(t *testing.T) {
	d := postgres(t)
	db := migrated(t, d)
	s := sqlstore.New(d.with(t, "application_name", "victim").pool(t))
	want := record(medical, 1, "first")
	ok(t, s.Create(t.Context(), want, nil))

	// The event of the change waits for a transaction that has used its key id.
	event := keymgr.Event{Scope: medical, Version: 2, Kind: keymgr.EventKeyAdded, Purpose: keymgr.Seal, KeyID: 7}
	tx, err := db.BeginTx(t.Context(), nil)
	ok(t, err)
	defer tx.Rollback()
	_, err = tx.ExecContext(t.Context(), `
		INSERT INTO fieldcrypt_key_events (at, actor, domain, tenant, version, kind, purpose, key_id, detail)
		VALUES (now(), '', 'x', '', 1, 'key-added', 'seal', 7, '')`)
	ok(t, err)

	done := make(chan error, 1)
	go func() { done <- s.Replace(t.Context(), record(medical, 2, "killed"), []keymgr.Event{event}) }()
	for killed := 0; killed == 0; {
		select {
		case err := <-done:
			t.Fatalf("the change did not wait: %v", err)
		default:
		}
		killed = count(t, db, `
			SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
			WHERE datname = current_database() AND application_name = 'victim' AND wait_event_type = 'Lock'`)
	}
	wantErr(t, <-done, keymgr.ErrStoreUnavailable)
	ok(t, tx.Rollback())

	if !same(load(t, s, medical), want) {
		t.Error("half a change was left behind")
	}
	ok(t, s.Replace(t.Context(), record(medical, 2, "again"), []keymgr.Event{event}))
	if !same(load(t, s, medical), record(medical, 2, "again")) {
		t.Error("the second try was not made")
	}
}

func TestServerGone(t *testing.T) {
	server := pgtest.Start(t, pgtest.Options{})
	d := database{dialect: sqlstore.Postgres, driver: "pgx", dsn: server.DB(t)}
	s := sqlstore.New(migrated(t, d))
	ok(t, s.Create(t.Context(), record(medical, 1, "first"), nil))
	server.Stop()
	_, err := s.Load(t.Context(), medical)
	wantErr(t, err, keymgr.ErrStoreUnavailable)
	_, err = s.Version(t.Context(), medical)
	wantErr(t, err, keymgr.ErrStoreUnavailable)
	wantErr(t, s.Replace(t.Context(), record(medical, 2, "late"), nil), keymgr.ErrStoreUnavailable)
	wantErr(t, sqlstore.Migrate(t.Context(), d.pool(t)), keymgr.ErrStoreUnavailable)
}

// Without a busy_timeout SQLite does not wait: the writer hears so and nothing
// is changed.
func TestSQLiteBusy(t *testing.T) {
	impatient := sqlite(t, wal)
	db := migrated(t, impatient)
	want := record(medical, 1, "first")
	ok(t, sqlstore.New(db).Create(t.Context(), want, nil))
	tx := lockScope(t, db, medical)
	s := sqlstore.New(impatient.pool(t))
	wantErr(t, s.Replace(t.Context(), record(medical, 2, "second"), nil), keymgr.ErrStoreUnavailable)
	if !same(load(t, s, medical), want) { // WAL: readers go on
		t.Error("the refused change was made")
	}
	ok(t, tx.Rollback())
	ok(t, s.Replace(t.Context(), record(medical, 2, "second"), nil))
}
