package fieldcrypttest_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fieldcrypt/go/drivers/pgxcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/testcontainers/fieldcrypttest"
)

func TestGORM(t *testing.T) {
	env := start(t)
	ok(t, env.GORM.Create(&Patient{Name: "Ann Example", MRN: "MRN-1042", Card: card}).Error)
	var p Patient
	ok(t, env.GORM.Where("card = ?", "4111-1111-1111-1111").First(&p).Error)
	if p.Name != "Ann Example" || p.Card != card {
		t.Errorf("found %+v", p)
	}
	env.AssertKMSCalls(t, 2)
	env.AssertNoPlaintext(t, "Ann Example", "MRN-1042", card)
}

func TestPlainStructsAndUntaggedModels(t *testing.T) {
	env := fieldcrypttest.Start(t, fieldcrypttest.Options{Models: []any{&Ward{}, &Visit{}}})
	ok(t, env.GORM.Create(&Ward{Name: "Ward Seven"}).Error)
	ward := "Ward Seven"
	v := Visit{At: time.Unix(1700000000, 0).UTC(), Ward: &ward, Reason: "broken ankle"}
	_, err := env.Pool.Exec(ctx, "INSERT INTO visits (at, ward, reason, reason_bidx) VALUES (@at, @ward, @reason, @reason_bidx)", pgxcrypt.Args(env.Fieldcrypt, &v))
	ok(t, err)
	terms, err := pgxcrypt.Eq[Visit](ctx, env.Fieldcrypt, "reason", "broken ankle")
	ok(t, err)
	rows, err := env.Pool.Query(ctx, "SELECT id, at, ward, reason FROM visits WHERE reason_bidx = ANY($1)", terms)
	ok(t, err)
	visits, err := pgx.CollectRows(rows, pgxcrypt.RowToStructByName[Visit](ctx, env.Fieldcrypt))
	ok(t, err)
	if len(visits) != 1 || visits[0].Reason != "broken ankle" || visits[0].ID != 1 || *visits[0].Ward != ward || !visits[0].At.Equal(v.At) {
		t.Errorf("found %+v", visits)
	}
	env.AssertKMSCalls(t, 1)
	env.AssertNoPlaintext(t, "broken ankle")
	if got := failures(t, func(t testing.TB) { env.AssertNoPlaintext(t, ward) }); got == "" {
		t.Error("a plain column is not seen")
	}
}

func TestSchemaAndTenants(t *testing.T) {
	env := fieldcrypttest.Start(t, fieldcrypttest.Options{
		Models:  []any{&Visit{}, &Account{}},
		Schema:  `CREATE TABLE visits (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), at timestamptz, ward text); CREATE TABLE other (x int)`,
		Tenants: map[string][]string{"billing": {"acme", "zenith"}},
	})
	env.AssertKMSCalls(t, 3)
	for _, tenant := range []string{"acme", "zenith"} {
		ok(t, env.GORM.WithContext(fieldcrypt.WithTenant(ctx, tenant)).Create(&Account{IBAN: "DE02 1203 0000 0000 2020 51"}).Error)
	}
	err := env.GORM.WithContext(fieldcrypt.WithTenant(ctx, "nobody")).Create(&Account{IBAN: "DE02 1203 0000 0000 2020 51"}).Error
	if !errors.Is(err, keymgr.ErrScopeNotFound) {
		t.Errorf("a tenant without keysets: %v", err)
	}
	var typ string
	ok(t, env.Pool.QueryRow(ctx, "SELECT pg_typeof(id)::text FROM visits UNION ALL SELECT 'uuid'").Scan(&typ))
	if typ != "uuid" {
		t.Errorf("id is %s", typ)
	}
	env.AssertNoPlaintext(t, "DE02 1203 0000 0000 2020 51")
}

func TestFailuresOfTheKMS(t *testing.T) {
	env := start(t)
	keys := env.Fieldcrypt.Keys()
	create := func(mrn string) error {
		keys.Evict(keymgr.Scope{Domain: "finance"})
		return env.GORM.Create(&Patient{MRN: mrn, Card: card}).Error
	}
	env.KMS.Deny("alias/finance-key")
	if err := create("MRN-1"); !errors.Is(err, fieldcrypt.ErrKMSDenied) {
		t.Errorf("denied: %v", err)
	}
	env.KMS.Recover()
	env.KMS.Down()
	if err := create("MRN-2"); !errors.Is(err, fieldcrypt.ErrKMSUnavailable) {
		t.Errorf("down: %v", err)
	}
	env.KMS.Up()
	env.KMS.Throttle(1)
	if err := create("MRN-3"); !errors.Is(err, fieldcrypt.ErrKMSUnavailable) {
		t.Errorf("throttled: %v", err)
	}
	env.Reset(t)
	ok(t, create("MRN-4"))
}

// TestEnvironmentsDoNotDisturbEachOther: each has a database, keys and a KMS of its
// own, on one server.
func TestEnvironmentsDoNotDisturbEachOther(t *testing.T) {
	for i := range 4 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			env := start(t)
			mrn := fmt.Sprintf("MRN-of-%d", i)
			for range 2 {
				ok(t, env.GORM.Create(&Patient{MRN: mrn, Notes: &mrn}).Error)
				var all []Patient
				ok(t, env.GORM.Find(&all).Error)
				if len(all) != 1 || all[0].MRN != mrn {
					t.Errorf("found %+v", all)
				}
				// Others have theirs in the clear, in the same server's log.
				for j := range 4 {
					if j != i {
						env.AssertNoPlaintext(t, fmt.Sprintf("MRN-of-%d", j))
					}
				}
				env.AssertKMSCalls(t, 2)
				env.Reset(t)
			}
		})
	}
}

func TestMisuseIsRefused(t *testing.T) {
	if got := failures(t, func(t testing.TB) { fieldcrypttest.Start(t, fieldcrypttest.Options{Models: []any{&Ward{}}}) }); got == "" {
		t.Error("no domain is accepted")
	}
	type odd struct {
		ID   int64
		Map  map[string]int
		Name string `fieldcrypt:"medical"`
	}
	if got := failures(t, func(t testing.TB) { fieldcrypttest.Start(t, fieldcrypttest.Options{Models: []any{&odd{}}}) }); got == "" {
		t.Error("a column without a type is accepted")
	}
}
