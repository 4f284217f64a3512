package fieldcrypttest_test

import (
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
	"github.com/fieldcrypt/go/testcontainers/fieldcrypttest"
)

func count(t testing.TB, env *fieldcrypttest.Env, table string) (n int) {
	t.Helper()
	ok(t, env.Pool.QueryRow(ctx, "SELECT count(*) FROM "+table).Scan(&n))
	return n
}

// TestResetBringsBackRowsTablesAndSequences, and every handle goes on.
func TestResetBringsBackRowsTablesAndSequences(t *testing.T) {
	env := start(t)
	db, fc := env.GORM, env.Fieldcrypt
	held, err := env.Pool.Acquire(ctx) // breaks, and the pool lets it go
	ok(t, err)
	for range 3 {
		p := Patient{MRN: "MRN-1042", Card: card}
		ok(t, db.Create(&p).Error)
		if p.ID != 1 || count(t, env, "patients") != 1 {
			t.Errorf("id %d, %d rows", p.ID, count(t, env, "patients"))
		}
		_, err := env.Pool.Exec(ctx, "CREATE TABLE more (x int); DROP TABLE fieldcrypt_key_events; ALTER TABLE patients DROP COLUMN notes")
		ok(t, err)
		env.KMS.Down()
		env.Reset(t)
		env.AssertKMSCalls(t, 2)
		if env.GORM != db || env.Fieldcrypt != fc {
			t.Error("handles are new though no keyset has changed")
		}
		var more bool
		ok(t, env.Pool.QueryRow(ctx, "SELECT to_regclass('more') IS NOT NULL").Scan(&more))
		if more || count(t, env, "patients") != 0 || count(t, env, "fieldcrypt_key_events") == 0 {
			t.Error("something is left, or missing")
		}
	}
	held.Release()
	ok(t, db.Create(&Patient{MRN: "MRN-1"}).Error)
}

// TestResetWhileOthersAreConnected: to the database, by themselves.
func TestResetWhileOthersAreConnected(t *testing.T) {
	env := start(t)
	for range 5 {
		conn, err := pgx.Connect(ctx, env.URL)
		ok(t, err)
		defer conn.Close(ctx)
		tx, err := conn.Begin(ctx)
		ok(t, err)
		_, err = tx.Exec(ctx, "LOCK TABLE patients")
		ok(t, err)
		env.Reset(t)
		if err := conn.Ping(ctx); err == nil {
			t.Error("still connected to what is gone")
		}
	}
}

// TestResetAfterARotation: keys of before the rotation, and none stale.
func TestResetAfterARotation(t *testing.T) {
	clock := keymgrtest.NewClock(time.Now())
	env := fieldcrypttest.Start(t, fieldcrypttest.Options{Models: []any{&Patient{}}, Keys: func(c *keymgr.Config) { c.Now = clock.Now }})
	medical := keymgr.Scope{Domain: "medical"}
	old := env.GORM
	before, err := env.Fieldcrypt.Keys().Keys(ctx, medical)
	ok(t, err)
	for range 2 {
		keys := env.Fieldcrypt.Keys()
		for _, p := range []keymgr.Purpose{keymgr.Seal, keymgr.Index} {
			id, err := keys.AddKey(ctx, medical, p)
			ok(t, err)
			clock.Advance(2 * time.Hour)
			ok(t, keys.PromoteKey(ctx, medical, p, id))
		}
		ok(t, env.GORM.Create(&Patient{MRN: "MRN-1042"}).Error)
		env.Reset(t)
		after, err := env.Fieldcrypt.Keys().Keys(ctx, medical)
		ok(t, err)
		if after.Version() != before.Version() || after.Primary().ID() != before.Primary().ID() {
			t.Errorf("%v after a reset, %v before", after, before)
		}
		ok(t, env.GORM.Create(&Patient{MRN: "MRN-1042"}).Error)
		var p Patient
		ok(t, env.GORM.Where("mrn = ?", "MRN-1042").First(&p).Error)
		env.AssertKMSCalls(t, 2)
		env.Reset(t)
	}
	if err := old.Create(&Patient{MRN: "MRN-1042"}).Error; !errors.Is(err, keymgr.ErrClosed) {
		t.Errorf("what knows the rotated keys: %v", err)
	}
}

// TestResetAfterAScopeWasMadeOrLost: the cache forgets the one and has the other.
func TestResetAfterAScopeWasMadeOrLost(t *testing.T) {
	env := fieldcrypttest.Start(t, fieldcrypttest.Options{Models: []any{&Account{}}, Tenants: map[string][]string{"billing": {"acme"}}})
	create := func(tenant string) error {
		return env.GORM.WithContext(fieldcrypt.WithTenant(ctx, tenant)).Create(&Account{IBAN: "DE02 1203"}).Error
	}
	for range 2 {
		ok(t, env.Fieldcrypt.Keys().Create(ctx, keymgr.Scope{Domain: "billing", Tenant: "new"}))
		ok(t, create("new"))
		_, err := env.Pool.Exec(ctx, "DELETE FROM fieldcrypt_keysets WHERE tenant = 'acme'; DELETE FROM fieldcrypt_keyset_wraps WHERE tenant = 'acme'")
		ok(t, err)
		env.Reset(t)
		ok(t, create("acme"))
		if err := create("new"); !errors.Is(err, keymgr.ErrScopeNotFound) {
			t.Errorf("a scope that was made before the reset: %v", err)
		}
	}
}
