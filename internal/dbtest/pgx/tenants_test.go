package pgx_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fieldcrypt/go/drivers/pgxcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
)

func openTenanted(t testing.TB, db *pgxpool.Pool) *fieldcrypt.Crypter {
	t.Helper()
	keys := keymgrtest.NewPerTenant(t, "medical")
	for _, tenant := range []string{"bern", "basel"} {
		if err := keys.Create(ctx, keymgr.Scope{Domain: "medical", Tenant: tenant}); err != nil {
			t.Fatal(err)
		}
	}
	fc := fieldcrypt.New(keys, fieldcrypt.Config{})
	exec(t, db, tenantedTable)
	migrate(t, db, fc, tenanted{})
	return fc
}

func TestTenants(t *testing.T) {
	inEachMode(t, func(t *testing.T, db *pgxpool.Pool) {
		fc := openTenanted(t, db)
		bern, basel := fieldcrypt.WithTenant(ctx, "bern"), fieldcrypt.WithTenant(ctx, "basel")

		// The context's tenant fills the row's.
		first := tenanted{ID: rowID(1), MRN: "MRN-1"}
		if _, err := db.Exec(bern, insertTenanted, pgxcrypt.Args(fc, &first)); err != nil {
			t.Fatal(err)
		}
		if first.Clinic != "bern" {
			t.Errorf("the row's tenant is %q", first.Clinic)
		}
		// The row's own does without.
		if _, err := db.Exec(ctx, insertTenanted, pgxcrypt.Args(fc, tenanted{ID: rowID(2), Clinic: "basel", MRN: "MRN-1"})); err != nil {
			t.Fatal(err)
		}
		many := []tenanted{{ID: rowID(3), MRN: "MRN-3"}, {ID: rowID(4), Clinic: "basel", MRN: "MRN-4"}}
		if _, err := pgxcrypt.CopyInto(basel, db, fc, pgx.Identifier{"tenanted"}, many); err != nil {
			t.Fatal(err)
		}
		if many[0].Clinic != "basel" {
			t.Errorf("the row's tenant is %q", many[0].Clinic)
		}
		both := []tenanted{{ID: rowID(5), Clinic: "bern", MRN: "MRN-5"}, {ID: rowID(6), Clinic: "basel", MRN: "MRN-6"}}
		unnest := `INSERT INTO tenanted (id, clinic, mrn, mrn_bidx) SELECT * FROM unnest(@id::uuid[], @clinic::text[], @mrn::bytea[], @mrn_bidx::bytea[])`
		if _, err := db.Exec(ctx, unnest, pgxcrypt.Unnest(fc, both)); err != nil {
			t.Fatal(err)
		}

		// Rows are opened under their own tenant, whoever asks.
		for _, c := range []context.Context{ctx, bern} {
			got, err := query(db, pgxcrypt.RowToStructByNameLax[tenanted](c, fc), "SELECT * FROM tenanted ORDER BY id")
			if err != nil || len(got) != 6 || got[0].MRN != "MRN-1" || got[5].MRN != "MRN-6" {
				t.Errorf("%+v, %v", got, err)
			}
		}
		// Searches are under the context's.
		search := func(c context.Context) int {
			terms, err := pgxcrypt.Eq[tenanted](c, fc, "mrn", "MRN-1")
			if err != nil {
				t.Fatal(err)
			}
			return len(collect(t, db, pgxcrypt.RowToStructByNameLax[tenanted](c, fc), "SELECT * FROM tenanted WHERE mrn_bidx = ANY($1)", terms))
		}
		if search(bern) != 1 || search(basel) != 1 {
			t.Error("a tenant's row is not found, or more than that")
		}
		if _, err := pgxcrypt.Eq[tenanted](ctx, fc, "mrn", "MRN-1"); !errors.Is(err, fieldcrypt.ErrNoTenant) {
			t.Errorf("Eq without a tenant: %v", err)
		}
	})
}

func TestTenantsRefused(t *testing.T) {
	inEachMode(t, func(t *testing.T, db *pgxpool.Pool) {
		fc := openTenanted(t, db)
		bern := fieldcrypt.WithTenant(ctx, "bern")
		exec(t, db, insertTenanted, pgxcrypt.Args(fc, tenanted{ID: rowID(1), Clinic: "bern", MRN: "MRN-1"}))
		write := func(c context.Context, sql string, row tenanted) error {
			_, err := db.Exec(c, sql, pgxcrypt.Args(fc, &row))
			if row.Clinic == "bern" && err != nil && c == ctx {
				t.Errorf("the row was given a tenant by a statement that failed")
			}
			return err
		}
		read := func(sql string) error {
			_, err := query(db, pgxcrypt.RowToStructByNameLax[tenanted](bern, fc), sql)
			return err
		}
		row := tenanted{ID: rowID(2), MRN: "MRN-2"}
		other := tenanted{ID: rowID(2), Clinic: "basel", MRN: "MRN-2"}
		_, unnested := db.Exec(bern, `SELECT * FROM unnest(@id::uuid[], @clinic::text[], @mrn::bytea[], @mrn_bidx::bytea[])`, pgxcrypt.Unnest(fc, []tenanted{other}))
		_, copied := pgxcrypt.CopyInto(bern, db, fc, pgx.Identifier{"tenanted"}, []tenanted{row, other})
		_, without := pgxcrypt.CopyInto(ctx, db, fc, pgx.Identifier{"tenanted"}, []tenanted{row})
		_, partly := pgxcrypt.CopyInto(bern, db, fc, pgx.Identifier{"tenanted"}, []tenanted{row}, "id", "mrn")
		for name, c := range map[string]struct {
			err  error
			want error
		}{
			"two tenants":                      {write(bern, insertTenanted, other), fieldcrypt.ErrTenantMismatch},
			"two tenants, Unnest":              {unnested, fieldcrypt.ErrTenantMismatch},
			"two tenants, CopyInto":            {copied, fieldcrypt.ErrTenantMismatch},
			"no tenant":                        {write(ctx, insertTenanted, row), fieldcrypt.ErrNoTenant},
			"no tenant, CopyInto":              {without, fieldcrypt.ErrNoTenant},
			"a tenant that is not written":     {write(bern, `INSERT INTO tenanted (id, clinic, mrn, mrn_bidx) VALUES (@id, 'basel', @mrn, @mrn_bidx)`, row), fieldcrypt.ErrUnsupported},
			"nor by CopyInto":                  {partly, fieldcrypt.ErrUnsupported},
			"bound to what is not named":       {write(bern, `UPDATE tenanted SET mrn = @mrn, mrn_bidx = @mrn_bidx WHERE clinic = @clinic`, row), fieldcrypt.ErrUnsupported},
			"an upsert of the id alone":        {write(bern, insertTenanted+" ON CONFLICT (id) DO UPDATE SET mrn = excluded.mrn, mrn_bidx = excluded.mrn_bidx", row), fieldcrypt.ErrUnsupported},
			"an upsert of the clinic alone":    {write(bern, insertTenanted+` on conflict ("clinic", ward) Do  Update SET mrn = excluded.mrn, mrn_bidx = excluded.mrn_bidx`, row), fieldcrypt.ErrUnsupported},
			"an upsert by a constraint":        {write(bern, insertTenanted+" ON CONFLICT ON CONSTRAINT tenanted_pkey DO UPDATE SET mrn = excluded.mrn, mrn_bidx = excluded.mrn_bidx", row), fieldcrypt.ErrUnsupported},
			"read without the tenant":          {read("SELECT id, mrn FROM tenanted"), fieldcrypt.ErrNoTenant},
			"read with an empty tenant":        {read("SELECT id, '' AS clinic, mrn FROM tenanted"), fieldcrypt.ErrNoTenant},
			"read with another's":              {read("SELECT id, 'basel' AS clinic, mrn FROM tenanted"), fieldcrypt.ErrUnknownKey},
			"read without what it is bound to": {read("SELECT clinic, mrn FROM tenanted"), fieldcrypt.ErrUnsupported},
			"read as another row":              {read("SELECT gen_random_uuid() AS id, clinic, mrn FROM tenanted"), fieldcrypt.ErrAuthentication},
		} {
			if !errors.Is(c.err, c.want) {
				t.Errorf("%s: %v, want %v", name, c.err, c.want)
			}
		}
		var count int
		if err := db.QueryRow(ctx, "SELECT count(*) FROM tenanted").Scan(&count); err != nil || count != 1 {
			t.Errorf("%d rows, %v", count, err)
		}
		// An upsert whose target holds them is fine, and so is one that updates nothing.
		exec(t, db, "CREATE UNIQUE INDEX ON tenanted (id, clinic)")
		for _, sql := range []string{
			insertTenanted + ` ON CONFLICT (id, "clinic") DO UPDATE SET mrn = excluded.mrn, mrn_bidx = excluded.mrn_bidx`,
			insertTenanted + " ON CONFLICT (id) DO NOTHING",
		} {
			exec(t, db, sql, pgxcrypt.Args(fc, tenanted{ID: rowID(1), Clinic: "bern", MRN: "MRN-1"}))
		}
		// A value that was moved to another row does not open there.
		exec(t, db, insertTenanted, pgxcrypt.Args(fc, tenanted{ID: rowID(3), Clinic: "bern", MRN: "MRN-3"}))
		exec(t, db, `UPDATE tenanted SET mrn = (SELECT mrn FROM tenanted WHERE id = $1) WHERE id = $2`, rowID(1), rowID(3))
		if err := read("SELECT * FROM tenanted WHERE id::text LIKE '%3'"); !errors.Is(err, fieldcrypt.ErrAuthentication) {
			t.Errorf("a value moved to another row: %v", err)
		}
		// And a model without a tenant column is an error at first use.
		type lost struct {
			ID  int64
			MRN string `fieldcrypt:"medical"`
		}
		if err := read("SELECT * FROM tenanted LIMIT 0"); err != nil {
			t.Error(err)
		}
		_, err := db.Exec(bern, "SELECT @mrn", pgxcrypt.Args(fc, lost{}))
		if !errors.Is(err, fieldcrypt.ErrModel) {
			t.Errorf("a model without a tenant column: %v", err)
		}
	})
}
