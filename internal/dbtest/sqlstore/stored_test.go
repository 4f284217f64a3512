package sqlstore_test

import (
	"bytes"
	"database/sql"
	"math"
	"testing"
	"time"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
)

// What operators and later versions read with SQL of their own.
func TestStoredRows(t *testing.T) {
	onEach(t, func(t *testing.T, d database) {
		db := migrated(t, d)
		s := sqlstore.New(db)
		want := record(keymgr.Scope{Domain: "medical", Tenant: "acme"}, 1, "one")
		want.Wraps[1].TenantContext = keymgr.TenantSHA256
		at := time.Date(2026, 11, 23, 23, 30, 0, 123456789, time.FixedZone("", 3600))
		ok(t, s.Create(t.Context(), want, []keymgr.Event{
			{Scope: want.Scope, Version: 1, Kind: keymgr.EventKeyAdded, Purpose: keymgr.Index, KeyID: math.MaxUint32, Actor: "ops", Detail: "why", At: at},
			{Scope: want.Scope, Version: 1, Kind: keymgr.EventCreated},
		}))

		var r keymgr.Record
		ok(t, db.QueryRowContext(t.Context(), `
			SELECT domain, tenant, version, seal, "index", info FROM fieldcrypt_keysets WHERE created_at = updated_at`).
			Scan(&r.Scope.Domain, &r.Scope.Tenant, &r.Version, &r.Seal, &r.Index, &r.Info))
		r.Wraps = want.Wraps
		if !same(r, want) {
			t.Error("the columns of fieldcrypt_keysets do not hold the record")
		}

		var w keymgr.Wrap
		ok(t, db.QueryRowContext(t.Context(), `
			SELECT kek_uri, wrapped, tenant_context FROM fieldcrypt_keyset_wraps
			WHERE domain = 'medical' AND tenant = 'acme' AND version = 1 AND tenant_context = 'sha256'`).
			Scan(&w.KEKURI, &w.Wrapped, &w.TenantContext))
		if w.KEKURI != want.Wraps[1].KEKURI || !bytes.Equal(w.Wrapped, want.Wraps[1].Wrapped) {
			t.Error("the columns of fieldcrypt_keyset_wraps do not hold the wrap")
		}

		format := `to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`
		if d.dialect == sqlstore.SQLite {
			format = `at`
		}
		var id, keyID int64
		var stamp, actor, kind, purpose, detail string
		ok(t, db.QueryRowContext(t.Context(), `SELECT id, `+format+`, actor, kind, purpose, key_id, detail
			FROM fieldcrypt_key_events WHERE domain = 'medical' AND tenant = 'acme' AND version = 1 AND key_id <> 0`).
			Scan(&id, &stamp, &actor, &kind, &purpose, &keyID, &detail))
		if id < 1 || stamp != "2026-11-23T22:30:00.123456Z" || actor != "ops" || kind != "key-added" || purpose != "index" || keyID != math.MaxUint32 || detail != "why" {
			t.Errorf("event %d %s %s %s %s %d %s", id, stamp, actor, kind, purpose, keyID, detail)
		}
		events, err := s.Events(t.Context(), want.Scope)
		ok(t, err)
		if len(events) != 2 || !events[0].At.Equal(at.Truncate(time.Microsecond)) || time.Since(events[1].At).Abs() > time.Hour {
			t.Errorf("events %+v: the first has its own time, the second that of the store", events)
		}
	})
}

// Whoever can write the tables can not make the store lie in a way that a
// Manager would take for good.
func TestTamperedRows(t *testing.T) {
	change := func(t *testing.T, db *sql.DB, statement string) {
		t.Helper()
		_, err := db.ExecContext(t.Context(), statement)
		ok(t, err)
	}
	for name, c := range map[string]struct {
		statement string
		want      error
	}{
		"wraps gone":             {`DELETE FROM fieldcrypt_keyset_wraps`, keymgr.ErrKeysetInvalid},
		"wraps of another scope": {`UPDATE fieldcrypt_keyset_wraps SET tenant = 'x'`, keymgr.ErrKeysetInvalid},
		"version moved alone":    {`UPDATE fieldcrypt_keysets SET version = 5`, keymgr.ErrKeysetInvalid},
		"keysets gone":           {`DELETE FROM fieldcrypt_keysets`, keymgr.ErrScopeNotFound},
		"keysets renamed":        {`UPDATE fieldcrypt_keysets SET domain = 'finance'`, keymgr.ErrScopeNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, d database) {
				db := migrated(t, d)
				s := sqlstore.New(db)
				ok(t, s.Create(t.Context(), record(medical, 1, "one"), nil))
				change(t, db, c.statement)
				_, err := s.Load(t.Context(), medical)
				wantErr(t, err, c.want)
			})
		})
	}
	t.Run("a negative version", func(t *testing.T) {
		d := postgres(t)
		db := migrated(t, d)
		s := sqlstore.New(db)
		ok(t, s.Create(t.Context(), record(medical, 1, "one"), nil))
		if _, err := db.ExecContext(t.Context(), `UPDATE fieldcrypt_keysets SET version = -1`); err == nil {
			t.Error("the CHECK is missing")
		}
		change(t, db, `ALTER TABLE fieldcrypt_keysets DROP CONSTRAINT fieldcrypt_keysets_version_check`)
		change(t, db, `UPDATE fieldcrypt_keysets SET version = -1`)
		change(t, db, `UPDATE fieldcrypt_keyset_wraps SET version = -1`)
		_, err := s.Load(t.Context(), medical)
		wantErr(t, err, keymgr.ErrKeysetInvalid)
		_, err = s.Version(t.Context(), medical)
		wantErr(t, err, keymgr.ErrKeysetInvalid)
	})
	t.Run("a scope made again after its row was deleted", func(t *testing.T) {
		onBoth(t, func(t *testing.T, d database) {
			db := migrated(t, d)
			s := sqlstore.New(db)
			ok(t, s.Create(t.Context(), record(medical, 1, "one"), nil))
			change(t, db, `DELETE FROM fieldcrypt_keysets`)
			again := record(medical, 1, "two")
			again.Wraps = again.Wraps[:1]
			ok(t, s.Create(t.Context(), again, nil))
			if !same(load(t, s, medical), again) {
				t.Error("wraps of the deleted scope are back")
			}
		})
	})
}

func TestTheHighestVersion(t *testing.T) {
	onBoth(t, func(t *testing.T, d database) {
		db := migrated(t, d)
		s := sqlstore.New(db)
		ok(t, s.Create(t.Context(), record(medical, 1, "one"), nil))
		_, err := db.ExecContext(t.Context(), `UPDATE fieldcrypt_keysets SET version = $1`, int64(math.MaxInt64-1))
		ok(t, err)
		last := record(medical, math.MaxInt64, "last")
		ok(t, s.Replace(t.Context(), last, nil))
		wantErr(t, s.Replace(t.Context(), record(medical, math.MaxInt64+1, "too much"), nil), keymgr.ErrKeysetInvalid)
		if !same(load(t, s, medical), last) {
			t.Error("not the last version")
		}
	})
}
