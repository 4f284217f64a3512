package gorm_test

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"strings"
	"sync"
	"testing"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/internal/pgtest"
)

// Bed names its schema.
type Bed struct {
	gormcrypt.Encrypted
	ID    uint64
	Place string `fieldcrypt:"medical,index" gorm:"uniqueIndex"`
}

func (Bed) TableName() string { return "clinic.beds" }

// execAll runs statements behind GORM's back.
func execAll(t testing.TB, db *gorm.DB, statements ...string) {
	t.Helper()
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range statements {
		if _, err := pool.Exec(typed(db, s)); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// plugged opens a database with the plugin and no tables.
func plugged(t testing.TB, d gorm.Dialector, cfg gorm.Config, models ...any) (*gorm.DB, *log) {
	t.Helper()
	db, l := open(t, d, cfg)
	if err := db.Use(gormcrypt.New(newCrypter(t), models...)); err != nil {
		t.Fatal(err)
	}
	return db, l
}

// noDDL checks that AutoMigrate changes nothing.
func noDDL(t testing.TB, db *gorm.DB, l *log, models ...any) {
	t.Helper()
	l.reset()
	if err := db.AutoMigrate(models...); err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(l.String(), "\n") {
		if changes.MatchString(line) {
			t.Errorf("an AutoMigrate too many ran %s", line)
		}
	}
}

func wantCheck(t testing.TB, what string, err error, parts ...string) {
	t.Helper()
	if len(parts) == 0 && err != nil {
		t.Errorf("%s: %v", what, err)
	}
	for _, part := range parts {
		if err == nil || !strings.Contains(err.Error(), part) || !errors.Is(err, fieldcrypt.ErrSchema) {
			t.Errorf("%s: nothing says %q: %v", what, part, err)
		}
	}
}

// TestCheckOfSchemas: a table is looked for where statements find it.
func TestCheckOfSchemas(t *testing.T) {
	db, l := plugged(t, postgresServer(t), gorm.Config{}, &Bed{})
	execAll(t, db, "CREATE SCHEMA clinic", "CREATE SCHEMA other", "CREATE TABLE beds (id bigint)")
	wantCheck(t, "another schema has the table", gormcrypt.Check(ctx, db), "there is no table clinic.beds")
	if err := db.AutoMigrate(&Bed{}); err != nil {
		t.Fatal(err)
	}
	wantCheck(t, "clinic.beds", gormcrypt.Check(ctx, db))
	noDDL(t, db, l, &Bed{})
	execAll(t, db, "ALTER TABLE clinic.beds DROP place_bidx")
	wantCheck(t, "no index column", gormcrypt.Check(ctx, db), "the index column clinic.beds.place_bidx is missing", "the table clinic.beds has no UNIQUE index on (place_bidx)")
	wantCheck(t, "Table", gormcrypt.Check(ctx, db.Table("other.beds"), &Bed{}), "there is no table other.beds")
	if err := db.Table("other.beds").AutoMigrate(&Bed{}); err != nil {
		t.Fatal(err)
	}
	wantCheck(t, "Table", gormcrypt.Check(ctx, db.Table("other.beds"), &Bed{}))
}

// TestCheckFollowsTheSearchPath: of two tables with one name, it looks at the one
// that statements use; and AutoMigrate makes a protected one where GORM makes it.
func TestCheckFollowsTheSearchPath(t *testing.T) {
	dsn := pgtest.DB(t)
	admin, _ := open(t, postgres.Open(dsn), gorm.Config{})
	execAll(t, admin, "CREATE SCHEMA a", "CREATE SCHEMA b", "CREATE TABLE a.doctors (id bigint, name text, email text, email_bidx bytea)")
	inB := onPath(t, dsn, "b")
	if err := inB.AutoMigrate(&Doctor{}); err != nil {
		t.Fatal(err)
	}
	wantCheck(t, "b", gormcrypt.Check(ctx, inB))
	wantCheck(t, "a, b", gormcrypt.Check(ctx, onPath(t, dsn, "a,b")), "the column doctors.email is of type text")
	wantCheck(t, "b, a", gormcrypt.Check(ctx, onPath(t, dsn, "b,a")))
	wantCheck(t, "none", gormcrypt.Check(ctx, onPath(t, dsn, "pg_catalog")), "there is no table doctors")

	execAll(t, admin, "DROP TABLE a.doctors")
	both := onPath(t, dsn, "a,b")
	wantCheck(t, "a, b, with b's table", gormcrypt.Check(ctx, both))
	if err := both.AutoMigrate(&Doctor{}); err != nil { // GORM looks at a alone
		t.Fatal(err)
	}
	wantCheck(t, "a, b", gormcrypt.Check(ctx, both))
	must(t, both.Create(&Doctor{Email: "x"}))
	pool, _ := both.DB()
	if _, err := pool.Exec("UPDATE a.doctors SET email = 'plain'"); err == nil {
		t.Error("a.doctors takes plaintext")
	}
}

func onPath(t testing.TB, dsn, path string) *gorm.DB {
	t.Helper()
	db, _ := plugged(t, postgres.Open(withParam(t, dsn, "search_path", path)), gorm.Config{}, &Doctor{})
	return db
}

func withParam(t testing.TB, dsn, key, value string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set(key, value)
	u.RawQuery = q.Encode()
	return u.String()
}

// TestCheckOfNamesInSQL: errors name the tables and columns that SQL has, and the
// logical ones.
func TestCheckOfNamesInSQL(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		cfg := configNamed(schema.NamingStrategy{TablePrefix: "App_", NameReplacer: strings.NewReplacer("Email", "Mailbox")})
		db, l := plugged(t, d(t), cfg, &Doctor{})
		wantCheck(t, "no table", gormcrypt.Check(ctx, db), "check doctors (gorm_test.Doctor): ", "there is no table App_doctors")
		if err := db.AutoMigrate(&Doctor{}); err != nil {
			t.Fatal(err)
		}
		wantCheck(t, "App_doctors", gormcrypt.Check(ctx, db))
		noDDL(t, db, l, &Doctor{})
		execAll(t, db, `ALTER TABLE "App_doctors" RENAME COLUMN mailbox TO other`)
		wantCheck(t, "no column", gormcrypt.Check(ctx, db), "check doctors.email (gorm_test.Doctor.Email): ", "the column App_doctors.mailbox is missing")
	})
}

// TestCheckOfSeveralModels: of one table, and of tables that are all wrong.
func TestCheckOfSeveralModels(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, _ := plugged(t, d(t), gorm.Config{}, &Doctor{}, &doctorWithFax{}, &Visit{})
		err := gormcrypt.Check(ctx, db)
		if n := len(differences(t, err)); n != 3 {
			t.Errorf("%d differences: %v", n, err)
		}
		if err := db.AutoMigrate(&Doctor{}, &Visit{}); err != nil {
			t.Fatal(err)
		}
		err = gormcrypt.Check(ctx, db)
		wantCheck(t, "the second model", err, "gorm_test.doctorWithFax.Fax", "the column doctors.fax is missing")
		if n := len(differences(t, err)); n != 1 {
			t.Errorf("%d differences: %v", n, err)
		}
		wantCheck(t, "the first model", gormcrypt.Check(ctx, db, &Doctor{}, []Visit{}))
		if err := db.AutoMigrate(&doctorWithFax{}); err != nil {
			t.Fatal(err)
		}
		wantCheck(t, "both", gormcrypt.Check(ctx, db))
	})
}

type doctorWithFax struct {
	gormcrypt.Encrypted
	ID    uint64
	Email string `fieldcrypt:"medical,index"`
	Fax   string `fieldcrypt:"medical"`
}

func (doctorWithFax) TableName() string { return "doctors" }

// TestCheckRefuses: what it cannot look at.
func TestCheckRefuses(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		bare, _ := open(t, d(t), gorm.Config{})
		if err := gormcrypt.Check(ctx, bare, &Doctor{}); !errors.Is(err, fieldcrypt.ErrNotRegistered) {
			t.Errorf("without the plugin: %v", err)
		}
		db, _ := use(t, d(t), &Doctor{})
		type unmarked struct {
			ID    uint64
			Email string `fieldcrypt:"medical"`
		}
		for what, model := range map[string]any{"no marker": &unmarked{}, "no tags": &Label{}, "no struct": 7, "nil": nil} {
			if err := gormcrypt.Check(ctx, db, &Doctor{}, model); !errors.Is(err, fieldcrypt.ErrModel) {
				t.Errorf("%s: %v", what, err)
			}
		}
		canceled, cancel := context.WithCancel(ctx)
		cancel()
		if err := gormcrypt.Check(canceled, db); !errors.Is(err, context.Canceled) {
			t.Errorf("canceled: %v", err)
		}
		pool, _ := db.DB()
		pool.Close()
		e := (*fieldcrypt.Error)(nil)
		if err := gormcrypt.Check(ctx, db); !errors.As(err, &e) || e.Op != "check" || errors.Is(err, fieldcrypt.ErrSchema) {
			t.Errorf("closed: %v", err)
		}
	})
}

// TestCheckOnlyReads: in a read-only transaction of a pool of one connection, in
// every mode, while others do the same.
func TestCheckOnlyReads(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		for mode, cfg := range map[string]gorm.Config{"default": {}, "prepared": {PrepareStmt: true}, "dry": {DryRun: true}} {
			name := d(t)
			setup, _ := use(t, name, &Account{}, &Patient{})
			execAll(t, setup, "DROP INDEX idx_patients_mrn_bidx")
			db, l := plugged(t, name, cfg, &Account{}, &Patient{})
			pool, err := db.DB()
			if err != nil {
				t.Fatal(err)
			}
			pool.SetMaxOpenConns(1)
			for range 2 {
				wantCheck(t, mode, gormcrypt.Check(ctx, db), "the table patients has no UNIQUE index on (mrn_bidx)")
			}
			if db.DryRun {
				continue // GORM begins no transaction
			}
			if db.Dialector.Name() == "sqlite" {
				must(t, db.Exec("PRAGMA query_only = ON"))
			}
			tx := db.Begin(&sql.TxOptions{ReadOnly: db.Dialector.Name() == "postgres"})
			must(t, tx)
			wantCheck(t, mode, gormcrypt.Check(ctx, tx), "the table patients has no UNIQUE index on (mrn_bidx)")
			if err := tx.Create(&Account{}).Error; err == nil {
				t.Error("the transaction is not read-only")
			}
			tx.Rollback()
			if changes.MatchString(strings.ReplaceAll(l.String(), "INSERT", "")) {
				t.Errorf("%s: something was changed: %s", mode, l)
			}
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					if err := gormcrypt.Check(ctx, db); err == nil {
						t.Errorf("%s: no error", mode)
					}
				})
			}
			wg.Wait()
		}
	})
}

// TestCheckNeedsNoRights: not even to the tables.
func TestCheckNeedsNoRights(t *testing.T) {
	dsn := pgtest.DB(t)
	admin, _ := use(t, postgres.Open(dsn), &Doctor{})
	role := "reader_" + strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(admin.Migrator().CurrentDatabase()))
	execAll(t, admin, "CREATE SCHEMA clinic", "CREATE ROLE "+role, "REVOKE ALL ON SCHEMA clinic, public FROM PUBLIC", "GRANT USAGE ON SCHEMA public TO "+role)
	t.Cleanup(func() { execAll(t, admin, "DROP OWNED BY "+role, "DROP ROLE "+role) })
	db, _ := plugged(t, postgres.Open(withParam(t, dsn, "role", role)), gorm.Config{}, &Doctor{}, &Bed{})
	if err := db.Exec("SELECT id FROM doctors").Error; err == nil {
		t.Fatal("the role has rights")
	}
	wantCheck(t, "doctors", gormcrypt.Check(ctx, db, &Doctor{}))
	wantCheck(t, "clinic", gormcrypt.Check(ctx, db), "there is no table clinic.beds")
	if err := admin.AutoMigrate(&Bed{}); err == nil {
		wantCheck(t, "clinic.beds", gormcrypt.Check(ctx, db, &Bed{}))
	} else {
		t.Error(err)
	}
	if err := db.AutoMigrate(&Visit{}); err == nil {
		t.Error("the role may make tables")
	}
}

// TestCheckOfAnAttachedDatabase: SQLite's schemas.
func TestCheckOfAnAttachedDatabase(t *testing.T) {
	db, _ := plugged(t, sqliteFile(t), gorm.Config{}, &Bed{})
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	pool.SetMaxOpenConns(1)
	execAll(t, db, "ATTACH ':memory:' AS clinic", "CREATE TABLE beds (id integer)", "CREATE TABLE clinic.beds (id integer primary key, place blob CHECK (place IS NULL OR 1), place_bidx blob UNIQUE)")
	wantCheck(t, "clinic", gormcrypt.Check(ctx, db), "the column clinic.beds.place has no CHECK")
	execAll(t, db, "DROP TABLE clinic.beds",
		"CREATE TABLE clinic.beds (id integer primary key, place blob CHECK (place IS NULL OR (typeof(place) = 'blob' AND length(place) >= 36 AND substr(place, 1, 2) = x'FC01')), place_bidx blob UNIQUE)")
	wantCheck(t, "clinic", gormcrypt.Check(ctx, db))
	wantCheck(t, "main", gormcrypt.Check(ctx, db.Table("main.beds"), &Bed{}), "the column main.beds.place is missing")
}

// TestCheckBySimpleProtocol: as behind a pooler.
func TestCheckBySimpleProtocol(t *testing.T) {
	simple := postgres.New(postgres.Config{DSN: pgtest.DB(t), PreferSimpleProtocol: true})
	db, l := use(t, simple, &Chart{})
	wantCheck(t, "made", gormcrypt.Check(ctx, db))
	noDDL(t, db, l, &Chart{})
	execAll(t, db, "ALTER TABLE charts DROP notes")
	wantCheck(t, "dropped", gormcrypt.Check(ctx, db), "the column charts.notes is missing")
}

// Bound has every kind of column that goes with encrypted ones.
type Bound struct {
	gormcrypt.Encrypted
	ID    string `gorm:"primaryKey"`
	Ward  string
	Name  string `fieldcrypt:"medical,bind=Ward"`
	Email string `fieldcrypt:"medical,index,plain=old_email" gorm:"column:email_sealed"`
}

// TestCheckOfCompanions: columns that values are bound to, and the plaintext beside
// a column that is being adopted.
func TestCheckOfCompanions(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, l := plugged(t, d(t), gorm.Config{}, &Bound{})
		if err := db.AutoMigrate(&Bound{}); err != nil {
			t.Fatal(err)
		}
		wantCheck(t, "made", gormcrypt.Check(ctx, db))
		execAll(t, db, "ALTER TABLE bounds ADD email_sealed_bidx_next {bytes}", "CREATE INDEX next ON bounds (email_sealed_bidx_next)", "CREATE INDEX old ON bounds (old_email)")
		wantCheck(t, "re-indexing", gormcrypt.Check(ctx, db))
		noDDL(t, db, l, &Bound{})
		execAll(t, db, "ALTER TABLE bounds DROP COLUMN ward")
		err := gormcrypt.Check(ctx, db)
		wantCheck(t, "no ward", err, "check bounds.name (gorm_test.Bound.Name): ", "the bound column bounds.ward is missing; run AutoMigrate")
		if n := len(differences(t, err)); n != 1 {
			t.Errorf("%d differences: %v", n, err)
		}
		execAll(t, db, "DROP INDEX old", "ALTER TABLE bounds DROP COLUMN old_email")
		wantCheck(t, "no plaintext", gormcrypt.Check(ctx, db), "check bounds.email_sealed (gorm_test.Bound.Email): ", "the plaintext column bounds.old_email of option plain= is missing; run AutoMigrate")
		if err := db.AutoMigrate(&Bound{}); err != nil {
			t.Fatal(err, l)
		}
		wantCheck(t, "made again", gormcrypt.Check(ctx, db))
	})
}
