package pgx_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/drivers/pgxcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/internal/pgtest"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
)

// TestGORMAndPgxShareTables: one struct, one table, two drivers.
func TestGORMAndPgxShareTables(t *testing.T) {
	url := pgtest.DB(t)
	fc := newCrypter(t)
	g, err := gorm.Open(postgres.Open(url), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		t.Fatal(err)
	}
	sqlDB, err := g.DB()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sqlDB.Close() })
	if err := g.Use(gormcrypt.New(fc, &Patient{}, &Visit{})); err != nil {
		t.Fatal(err)
	}
	if err := g.AutoMigrate(&Patient{}, &Visit{}); err != nil {
		t.Fatal(err)
	}
	for _, mode := range modes {
		t.Run(mode.String(), func(t *testing.T) {
			db := pool(t, url, func(cfg *pgxpool.Config) { cfg.ConnConfig.DefaultQueryExecMode = mode })
			exec(t, db, "TRUNCATE patients, visits")
			one, two, three := patient(1), patient(2), patient(3)
			if err := g.Create(&one).Error; err != nil {
				t.Fatal(err)
			}
			exec(t, db, insertPatient, pgxcrypt.Args(fc, &two))
			if _, err := pgxcrypt.CopyInto(ctx, db, fc, pgx.Identifier{"patients"}, []Patient{three}); err != nil {
				t.Fatal(err)
			}
			for n := int64(1); n <= 3; n++ {
				want := patient(n)
				var byGORM Patient
				if err := g.Where("mrn = ? AND card_no = ? AND contact_phone = ?", want.MRN, want.Card, want.Contact.Phone).First(&byGORM).Error; err != nil {
					t.Fatal(err)
				}
				same(t, "GORM's", byGORM, want)
				terms, err := pgxcrypt.Eq[Patient](ctx, fc, "contact_phone", want.Contact.Phone)
				if err != nil {
					t.Fatal(err)
				}
				byPgx := collect(t, db, pgxcrypt.RowToStructByName[Patient](ctx, fc), "SELECT * FROM patients WHERE contact_phone_bidx = ANY($1)", terms)
				if len(byPgx) != 1 {
					t.Fatalf("pgx finds %d rows", len(byPgx))
				}
				same(t, "pgx's", byPgx[0], want)
			}
			// Each changes what the other wrote.
			if err := g.Model(&two).Update("MRN", "by GORM").Error; err != nil {
				t.Fatal(err)
			}
			one.MRN = "by pgx"
			exec(t, db, "UPDATE patients SET mrn = @mrn, mrn_bidx = @mrn_bidx WHERE id = @id", pgxcrypt.Args(fc, &one))
			var got Patient
			if err := g.Where("mrn = ?", "by pgx").First(&got).Error; err != nil || got.ID != 1 {
				t.Errorf("GORM finds %d, %v", got.ID, err)
			}
			terms, err := pgxcrypt.Eq[Patient](ctx, fc, "mrn", "by GORM")
			if err != nil {
				t.Fatal(err)
			}
			if ids := collect(t, db, pgxcrypt.RowTo[Patient, int64](ctx, fc, "id"), "SELECT id FROM patients WHERE mrn_bidx = ANY($1)", terms); len(ids) != 1 || ids[0] != 2 {
				t.Errorf("pgx finds %v", ids)
			}
		})
	}
	// The schema that GORM made is what DDL makes.
	before := schemaOf(t, pool(t, url))
	db := pool(t, url)
	migrate(t, db, fc, &Patient{}, &Visit{})
	if after := schemaOf(t, db); after != before {
		t.Errorf("DDL changed GORM's schema from\n%s\nto\n%s", before, after)
	}
}

// ClinicChart has a tenant, values that are bound to its row, and one that is adopted.
type ClinicChart struct {
	gormcrypt.Encrypted
	ID     string `gorm:"primaryKey" db:"id"`
	Clinic string `fieldcrypt:",tenant" db:"clinic"`
	Code   string `fieldcrypt:"medical,index,bind=ID" db:"code"`
	Note   string `fieldcrypt:"medical,plain=note_plain" db:"note"`
}

// TableName names the table.
func (ClinicChart) TableName() string { return "charts_of_clinics" }

// TestGORMAndPgxShareTenants: tenants, bound values, and columns that are adopted.
func TestGORMAndPgxShareTenants(t *testing.T) {
	url := pgtest.DB(t)
	keys := keymgrtest.NewPerTenant(t, "medical")
	for _, tenant := range []string{"bern", "basel"} {
		if err := keys.Create(ctx, keymgr.Scope{Domain: "medical", Tenant: tenant}); err != nil {
			t.Fatal(err)
		}
	}
	fc := fieldcrypt.New(keys, fieldcrypt.Config{})
	g, err := gorm.Open(postgres.Open(url), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		t.Fatal(err)
	}
	sqlDB, err := g.DB()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sqlDB.Close() })
	if err := errors.Join(g.Use(gormcrypt.New(fc, &ClinicChart{})), g.AutoMigrate(&ClinicChart{})); err != nil {
		t.Fatal(err)
	}
	db := pool(t, url)
	migrate(t, db, fc, &ClinicChart{})
	bern := fieldcrypt.WithTenant(ctx, "bern")

	byGORM, byPgx := ClinicChart{ID: rowID(1), Code: "X1", Note: "one"}, ClinicChart{ID: rowID(2), Code: "X2", Note: "two"}
	if err := g.WithContext(bern).Create(&byGORM).Error; err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(bern, `INSERT INTO charts_of_clinics (id, clinic, code, code_bidx, note, note_plain) VALUES (@id, @clinic, @code, @code_bidx, @note, @note_plain)`, pgxcrypt.Args(fc, &byPgx)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []ClinicChart{byGORM, byPgx} {
		var got ClinicChart
		if err := g.WithContext(bern).Where("code = ?", want.Code).First(&got).Error; err != nil || got != want || got.Clinic != "bern" {
			t.Errorf("GORM reads %+v, %v, want %+v", got, err, want)
		}
		terms, err := pgxcrypt.Eq[ClinicChart](bern, fc, "code", want.Code)
		if err != nil {
			t.Fatal(err)
		}
		if list := collect(t, db, pgxcrypt.RowToStructByName[ClinicChart](ctx, fc), "SELECT * FROM charts_of_clinics WHERE code_bidx = ANY($1)", terms); len(list) != 1 || list[0] != want {
			t.Errorf("pgx reads %+v, want %+v", list, want)
		}
	}
	if plain := collect(t, db, pgx.RowTo[string], "SELECT note_plain FROM charts_of_clinics ORDER BY id"); !slices.Equal(plain, []string{"one", "two"}) {
		t.Errorf("the plaintext column holds %q", plain)
	}
}
