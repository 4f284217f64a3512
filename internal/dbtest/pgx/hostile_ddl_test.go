package pgx_test

import (
	"errors"
	"sync"
	"testing"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/drivers/pgxcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/internal/pgtest"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
)

// Odd has names that SQL and DDL's own quoting stumble over.
type Odd struct {
	gormcrypt.Encrypted
	ID    int64
	Upper string `fieldcrypt:"medical,index,id=odd.upper" gorm:"column:UPPER"`
	Back  string `fieldcrypt:"medical,id=odd.back" gorm:"column:bäck"`
	Order string `fieldcrypt:"medical,index,id=odd.order" gorm:"column:order;uniqueIndex:Odd index"`
}

// TableName names the table.
func (Odd) TableName() string { return "Odd" }

// Moved is in a schema of its own.
type Moved struct {
	gormcrypt.Encrypted
	ID   int64
	Code string `fieldcrypt:"medical,index,id=moved.code" gorm:"uniqueIndex"`
}

// TableName names the table.
func (Moved) TableName() string { return "clinic.moved" }

// Clinical is tenanted for GORM.
type Clinical struct {
	gormcrypt.Encrypted
	ID     int64
	Clinic string `fieldcrypt:",tenant"`
	Ref    string
	MRN    string `fieldcrypt:"tenants,index,bind=Ref" gorm:"uniqueIndex"`
	Parent struct {
		Name *string `fieldcrypt:"medical,index=fold"`
	} `gorm:"embedded;embeddedPrefix:parent_"`
}

// TestCheckFindsNoDifference: what gormcrypt says about the tables that DDL made.
func TestCheckFindsNoDifference(t *testing.T) {
	keys := keymgrtest.New(t, "medical", "finance", "tenants")
	fc := fieldcrypt.New(keys, fieldcrypt.Config{})
	url := pgtest.DB(t)
	db := pool(t, url)
	exec(t, db, practice+`
		CREATE SCHEMA clinic; CREATE TABLE clinic.moved (id bigserial PRIMARY KEY);
		CREATE TABLE "Odd" (id bigserial PRIMARY KEY);
		CREATE TABLE charts (id bigserial PRIMARY KEY, ward text, deleted boolean);
		CREATE TABLE clinicals (id bigserial PRIMARY KEY, clinic text, ref text);`)
	models := []any{&Patient{}, &Visit{}, &Chart{}, &Odd{}, &Moved{}, &Clinical{}}
	ddl, err := pgxcrypt.DDL(fc, models...)
	if err != nil {
		t.Fatal(err)
	}
	// By several at once, as instances that start do, and twice.
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for range 3 {
				if _, err := db.Exec(ctx, ddl); err == nil {
					break
				}
			}
		})
	}
	wait.Wait()
	for range 2 {
		exec(t, db, ddl)
	}
	g, err := gorm.Open(postgres.Open(url), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		t.Fatal(err)
	}
	sqlDB, err := g.DB()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sqlDB.Close() })
	if err := g.Use(gormcrypt.New(fc, models...)); err != nil {
		t.Fatal(err)
	}
	if err := gormcrypt.Check(ctx, g); err != nil {
		t.Errorf("Check: %v", err)
	}
	// And each of them is used.
	for _, row := range []any{&Odd{Upper: "c", Back: "d", Order: "e"}, &Moved{Code: "x"}} {
		if err := g.Create(row).Error; err != nil {
			t.Error(err)
		}
	}
	got := collect(t, db, pgxcrypt.RowToStructByName[Odd](ctx, fc), `SELECT * FROM "Odd"`)
	if len(got) != 1 || got[0].Upper+got[0].Back+got[0].Order != "cde" {
		t.Errorf("read %+v", got)
	}
	if _, err := pgxcrypt.CopyInto(ctx, db, fc, []string{"Odd"}, []Odd{{ID: 7, Order: "7"}}); err != nil {
		t.Error(err)
	}
	// A difference is found.
	exec(t, db, "ALTER TABLE visits ALTER COLUMN reason TYPE bytea")
	if err := gormcrypt.Check(ctx, g); !errors.Is(err, fieldcrypt.ErrSchema) {
		t.Errorf("a bytea: %v", err)
	}
	// DDL mends it.
	exec(t, db, ddl)
	if err := gormcrypt.Check(ctx, g); err != nil {
		t.Errorf("mended: %v", err)
	}
}

// dollars has what ends a quoted block of SQL.
type dollars struct {
	ID    int64
	Code  string `fieldcrypt:"medical,index,id=dollars.code" db:"a$$b"`
	Quote string `fieldcrypt:"medical,index,id=dollars.quote" db:"it's %s \\" gorm:"uniqueIndex:it's $$ unique"`
}

// TableName names the table.
func (dollars) TableName() string { return "my$$table" }

func TestDDLOfDollars(t *testing.T) {
	fc := newCrypter(t)
	db := pool(t, pgtest.DB(t))
	exec(t, db, `CREATE TABLE "my$$table" (id bigint)`)
	for range 2 {
		migrate(t, db, fc, dollars{})
	}
	row := dollars{1, "a", "b"}
	if _, err := pgxcrypt.CopyInto(ctx, db, fc, []string{"my$$table"}, []dollars{row}); err != nil {
		t.Fatal(err)
	}
	if got := collect(t, db, pgxcrypt.RowToStructByName[dollars](ctx, fc), `SELECT * FROM "my$$table"`)[0]; got != row {
		t.Errorf("read %+v", got)
	}
}
