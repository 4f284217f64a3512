package sqlstore_test

import (
	"crypto/rand"
	"strings"
	"sync"
	"testing"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
)

func TestMigrateAgainKeepsWhatIsThere(t *testing.T) {
	onBoth(t, func(t *testing.T, d database) {
		db := migrated(t, d)
		want := record(medical, 1, "one")
		ok(t, sqlstore.New(db).Create(t.Context(), want, nil))
		ok(t, sqlstore.Migrate(t.Context(), db))
		if !same(load(t, sqlstore.New(db), medical), want) {
			t.Error("the record has changed")
		}
	})
}

func TestMigrateInManyProcessesAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, d database) {
		start := make(chan struct{})
		var wg sync.WaitGroup
		for range 10 {
			db := d.pool(t)
			wg.Go(func() {
				<-start
				if err := sqlstore.Migrate(t.Context(), db); err != nil {
					t.Error(err)
				}
			})
		}
		close(start)
		wg.Wait()
		ok(t, sqlstore.New(d.pool(t)).Create(t.Context(), record(medical, 1, "one"), nil))
	})
}

func TestDDLIsAllThatTheStoreNeeds(t *testing.T) {
	onBoth(t, func(t *testing.T, d database) {
		db := d.pool(t)
		for range 2 { // it can be run again
			for statement := range strings.SplitSeq(strings.TrimSpace(sqlstore.DDL(d.dialect)), ";\n") {
				if _, err := db.ExecContext(t.Context(), statement); err != nil {
					t.Fatalf("%v\n%s", err, statement)
				}
			}
		}
		ok(t, sqlstore.New(db).Create(t.Context(), record(medical, 1, "one"), nil))
	})
}

func TestNoTables(t *testing.T) {
	onEach(t, func(t *testing.T, d database) {
		db := d.pool(t)
		s := sqlstore.New(db)
		r := record(medical, 1, "one")
		_, loadErr := s.Load(t.Context(), medical)
		_, listErr := s.Scopes(t.Context(), keymgr.Scope{}, 1)
		for _, err := range []error{loadErr, listErr, s.Create(t.Context(), r, nil), s.SwapWraps(t.Context(), medical, 1, r.Wraps, r.Wraps, nil)} {
			wantErr(t, err, keymgr.ErrStoreUnavailable)
			if err != nil && !strings.Contains(err.Error(), "sqlstore.Migrate") {
				t.Errorf("%v does not name sqlstore.Migrate", err)
			}
		}
		ok(t, sqlstore.Migrate(t.Context(), db))
		ok(t, s.Create(t.Context(), r, nil))
	})
}

// An operator has made the tables; the application's role may only use them,
// and its search_path has a schema of its own in front.
func TestMigrateByARoleThatMayNotCreate(t *testing.T) {
	d := postgres(t)
	admin := d.pool(t)
	if count(t, admin, `SELECT rolsuper::int FROM pg_roles WHERE rolname = current_user`) == 0 {
		t.Skip("roles can be made and taken on by a superuser alone")
	}
	role := "fieldcrypt_test_" + strings.ToLower(rand.Text()[:12]) // of the whole server
	t.Cleanup(func() {
		if _, err := admin.Exec(`DROP OWNED BY ` + role); err != nil {
			t.Error(err)
		}
		if _, err := admin.Exec(`DROP ROLE ` + role); err != nil {
			t.Error(err)
		}
	})
	for _, statement := range []string{
		`CREATE ROLE ` + role, `CREATE SCHEMA keys`, `CREATE SCHEMA app`,
		`GRANT USAGE ON SCHEMA keys TO ` + role, `GRANT USAGE, CREATE ON SCHEMA app TO ` + role,
	} {
		_, err := admin.ExecContext(t.Context(), statement)
		ok(t, err)
	}
	migrated(t, d.with(t, "search_path", "keys"))
	_, err := admin.ExecContext(t.Context(), `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA keys TO `+role)
	ok(t, err)

	for _, path := range []string{"keys", "app,keys"} {
		app := d.with(t, "search_path", path).with(t, "role", role)
		db := migrated(t, app)
		scope := keymgr.Scope{Domain: "medical", Tenant: strings.ReplaceAll(path, ",", ".")}
		ok(t, sqlstore.New(db).Create(t.Context(), record(scope, 1, "app"), nil))
	}
	if n := count(t, admin, `SELECT count(*) FROM keys.fieldcrypt_keysets`); n != 2 {
		t.Errorf("%d scopes in the operator's tables, want 2", n)
	}
	if n := count(t, admin, `SELECT count(*) FROM pg_class WHERE relname LIKE 'fieldcrypt%' AND relnamespace = 'app'::regnamespace`); n != 0 {
		t.Errorf("%d tables or indexes shadow the operator's", n)
	}
}

// The order of Scopes is that of bytes, whatever the database sorts by.
func TestNamesSortByBytesOnPostgres(t *testing.T) {
	db := migrated(t, postgres(t))
	if n := count(t, db, `
		SELECT count(*) FROM pg_attribute a JOIN pg_collation c ON c.oid = a.attcollation
		WHERE a.attrelid = 'fieldcrypt_keysets'::regclass AND a.attname IN ('domain', 'tenant') AND c.collname = 'C'`); n != 2 {
		t.Errorf("%d of domain and tenant have the collation C", n)
	}
}
