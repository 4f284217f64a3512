package gorm_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/internal/pgtest"
)

// Models of the table doctors without tags.
type (
	doctorText  struct{ ID, Email string }
	doctorChars struct {
		ID    uint64
		Email string `gorm:"size:40"`
	}
	doctorNumber struct {
		ID    uint64
		Email int
	}
	doctorXML struct {
		ID    uint64
		Email string `gorm:"type:xml"`
	}
	doctorName struct {
		ID    uint64
		Email string `gorm:"type:pg_catalog.name"`
	}
	doctorIndexed struct {
		ID    uint64
		Email []byte `gorm:"index"`
	}
	doctorUnique struct {
		ID    uint64
		Email []byte `gorm:"unique"`
	}
	doctorDefault struct {
		ID    uint64
		Email []byte `gorm:"default:x"`
	}
	doctorTerms struct {
		ID   uint64
		Term string `gorm:"column:email_bidx"`
	}
)

func (doctorText) TableName() string    { return "doctors" }
func (doctorChars) TableName() string   { return "doctors" }
func (doctorNumber) TableName() string  { return "doctors" }
func (doctorXML) TableName() string     { return "doctors" }
func (doctorName) TableName() string    { return "doctors" }
func (doctorIndexed) TableName() string { return "doctors" }
func (doctorUnique) TableName() string  { return "doctors" }
func (doctorDefault) TableName() string { return "doctors" }
func (doctorTerms) TableName() string   { return "doctors" }

// refused checks that an error says what to do, and of which field.
func refused(t testing.TB, what string, err error) {
	t.Helper()
	if e := (*fieldcrypt.Error)(nil); !errors.As(err, &e) || !errors.Is(err, fieldcrypt.ErrUnsupported) || e.Op != "migrate" || e.Field != "Email" || e.Hint == "" {
		t.Errorf("%s: %v", what, err)
	}
}

// TestPlainModelsOfTheTable: they may not turn ciphertext into something else, or
// index it, whatever their migration goes through.
func TestPlainModelsOfTheTable(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, _ := use(t, d(t), &Doctor{})
		must(t, db.Create(&Doctor{Name: "x", Email: canary}))
		m := db.Migrator()
		for _, model := range []any{&doctorText{}, &doctorChars{}, &doctorNumber{}, &doctorXML{}, &doctorName{}, &doctorIndexed{}, &doctorUnique{}, &doctorDefault{}, &doctorTerms{}} {
			what := fmt.Sprintf("%T", model)
			refused(t, what+": AutoMigrate", db.AutoMigrate(model))
			switch model.(type) {
			case *doctorIndexed:
				refused(t, what+": CreateIndex", m.CreateIndex(model, "Email"))
				continue
			case *doctorTerms:
				refused(t, what+": AlterColumn", m.AlterColumn(model, "Term"))
				continue
			case *doctorUnique:
				refused(t, what+": CreateConstraint", m.CreateConstraint(model, "uni_doctors_email"))
				continue
			}
			refused(t, what+": AlterColumn", m.AlterColumn(model, "Email"))
			columns, err := m.ColumnTypes(model)
			if err != nil {
				t.Fatal(err)
			}
			for _, column := range columns {
				if column.Name() == "email" {
					stmt := &gorm.Statement{DB: db}
					if err := stmt.Parse(model); err != nil {
						t.Fatal(err)
					}
					refused(t, what+": MigrateColumn", m.MigrateColumn(model, stmt.Schema.FieldsByDBName["email"], column))
				}
			}
		}
		wantCheck(t, "after all that", gormcrypt.Check(ctx, db))
		var got Doctor
		must(t, db.First(&got, "email = ?", canary))
		if got.Email != canary {
			t.Errorf("it came back as %q", got.Email)
		}
	})
}

// TestPlainModelMakesTheTable: in the clear, and the marked one comes too late.
func TestPlainModelMakesTheTable(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, _ := plugged(t, d(t), gorm.Config{}, &Doctor{})
		refused(t, "AutoMigrate", db.AutoMigrate(&doctorText{}))
		refused(t, "CreateTable", db.Migrator().CreateTable(&doctorNumber{}))
		if db.Migrator().HasTable("doctors") {
			t.Error("the table was made")
		}
	})
}

// TestPlaintextStaysWhereItIs: whatever of the migrator is called.
func TestPlaintextStaysWhereItIs(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		for what, ddl := range map[string]string{
			"text": "CREATE TABLE doctors (id integer primary key, name text, email text, email_bidx {bytes})",
			// SQLite keeps what it is given; in a column of bytes it can be text too
			"bytes":               "CREATE TABLE doctors (id integer primary key, name text, email {bytes}, email_bidx {bytes})",
			"text for the index":  "CREATE TABLE doctors (id integer primary key, name text, email_bidx text)",
			"a number, with NULL": "CREATE TABLE doctors (id integer primary key, name text, email integer NOT NULL DEFAULT 5, email_bidx {bytes})",
			"made by a sequence":  "CREATE TABLE doctors (id integer primary key, name text, email " + serial(t.Name()) + ", email_bidx {bytes})",
		} {
			db, _ := open(t, d(t), gorm.Config{})
			must(t, db.Exec(typed(db, ddl)))
			column := "email"
			if strings.Contains(what, "index") {
				column = "email_bidx"
			}
			must(t, db.Exec("INSERT INTO doctors (id, "+column+") VALUES (1, '17')"))
			if err := db.Use(gormcrypt.New(newCrypter(t), &Doctor{})); err != nil {
				t.Fatal(err)
			}
			m := db.Migrator()
			for range 2 {
				refused(t, what+": AutoMigrate", db.AutoMigrate(&Doctor{}))
			}
			refused(t, what+": AlterColumn", m.AlterColumn(&Doctor{}, column))
			columns, err := m.ColumnTypes(&Doctor{})
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range columns {
				if c.Name() == column {
					stmt := &gorm.Statement{DB: db}
					if err := stmt.Parse(&Doctor{}); err != nil {
						t.Fatal(err)
					}
					refused(t, what+": MigrateColumn", m.MigrateColumn(&Doctor{}, stmt.Schema.FieldsByDBName[column], c))
				}
			}
			pool, _ := db.DB()
			var got string
			if err := pool.QueryRow("SELECT " + column + " FROM doctors").Scan(&got); err != nil || got != "17" {
				t.Errorf("%s: the column holds %q, %v", what, got, err)
			}
			if err := gormcrypt.Check(ctx, db); !errors.Is(err, fieldcrypt.ErrSchema) {
				t.Errorf("%s: Check: %v", what, err)
			}
		}
	})
}

func serial(test string) string {
	if strings.Contains(test, "SQLite") {
		return "integer"
	}
	return "serial"
}

// TestBytesThatAreSealed: a column that somebody made without the type or CHECK
// gets it, if it holds nothing but sealed values.
func TestBytesThatAreSealed(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, l := plugged(t, d(t), gorm.Config{}, &Doctor{})
		execAll(t, db, "CREATE TABLE doctors (id bigint primary key, name text, email {bytes}, email_bidx {bytes})")
		must(t, db.Create(&Doctor{ID: 1, Email: canary}))
		must(t, db.Exec("INSERT INTO doctors (id) VALUES (2)"))
		if err := db.AutoMigrate(&Doctor{}); err != nil {
			t.Fatal(err)
		}
		wantCheck(t, "afterwards", gormcrypt.Check(ctx, db))
		must(t, db.First(&Doctor{}, "email = ?", canary))
		noDDL(t, db, l, &Doctor{})
	})
}

// The model that doctors had before a field was tagged.
type doctorBefore struct {
	ID   uint64
	Name string
}

func (doctorBefore) TableName() string { return "doctors" }

// doctorAfter has a field and indexes more than Doctor.
type doctorAfter struct {
	gormcrypt.Encrypted
	ID    uint64
	Name  string
	Email string  `fieldcrypt:"medical,index" gorm:"index"`
	Fax   *string `fieldcrypt:"medical,index=digits" gorm:"uniqueIndex"`
	Pager string  `fieldcrypt:"medical"`
}

func (doctorAfter) TableName() string { return "doctors" }

func (doctorAfter) FieldcryptIndexes() []fieldcrypt.Index {
	return []fieldcrypt.Index{{Column: "email_domain_bidx", Parts: []fieldcrypt.Part{{Field: "Email", Transform: "lower"}}}}
}

// TestModelsGrow: fields and indexes come to a table with rows, twice; nothing of
// what is there is lost, and there is nothing left to do.
func TestModelsGrow(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		name, fc := d(t), newCrypter(t)
		with := func(model any) (*gorm.DB, *log) {
			t.Helper()
			db, l := open(t, name, gorm.Config{})
			if err := db.Use(gormcrypt.New(fc, model)); err != nil {
				t.Fatal(err)
			}
			return db, l
		}
		before, _ := open(t, name, gorm.Config{})
		if err := before.AutoMigrate(&doctorBefore{}); err != nil {
			t.Fatal(err)
		}
		must(t, before.Create(&doctorBefore{ID: 1, Name: "first"}))
		execAll(t, before, "CREATE INDEX own ON doctors (name)")

		second, l := with(&Doctor{})
		if err := second.AutoMigrate(&Doctor{}); err != nil {
			t.Fatal(err)
		}
		noDDL(t, second, l, &Doctor{})
		wantCheck(t, "the first step", gormcrypt.Check(ctx, second))
		must(t, second.Create(&Doctor{ID: 2, Name: "second", Email: canary}))
		stored := columnBytes(t, second, "email", 2)

		third, l := with(&doctorAfter{})
		if err := third.AutoMigrate(&doctorAfter{}); err != nil {
			t.Fatal(err)
		}
		noDDL(t, third, l, &doctorAfter{})
		wantCheck(t, "the second step", gormcrypt.Check(ctx, third))
		if string(columnBytes(t, third, "email", 2)) != string(stored) {
			t.Error("the stored value was changed")
		}
		var all []doctorAfter
		must(t, third.Order("id").Find(&all))
		if len(all) != 2 || all[0].Name != "first" || all[0].Fax != nil || all[1].Email != canary || all[1].Fax != nil {
			t.Errorf("%d rows: %v", len(all), all[0].Name)
		}
		fax := canary
		must(t, third.Model(&doctorAfter{ID: 1}).Updates(map[string]any{"email": "a", "fax": &fax, "pager": "p"}))
		must(t, third.First(&doctorAfter{}, "email = ?", "a"))
		if !third.Migrator().HasIndex(&doctorAfter{}, "own") {
			t.Error("an index of the table's own is gone")
		}
		for _, column := range []string{"email", "fax", "pager"} {
			pool, _ := third.DB()
			if _, err := pool.Exec("UPDATE doctors SET " + column + " = 'plaintext that is longer than a value must be'"); err == nil {
				t.Errorf("%s takes plaintext", column)
			}
		}
	})
}

func columnBytes(t testing.TB, db *gorm.DB, column string, id int) (b []byte) {
	t.Helper()
	pool, _ := db.DB()
	if err := pool.QueryRow(fmt.Sprintf("SELECT %s FROM doctors WHERE id = %d", column, id)).Scan(&b); err != nil {
		t.Fatal(err)
	}
	return b
}

// TestSQLiteKeepsWhatRefersToTheTable: GORM makes a SQLite table anew to add a
// CHECK, and with foreign keys on that deletes the rows that refer to it. A new
// column comes without that; where it must be, it is refused.
func TestSQLiteKeepsWhatRefersToTheTable(t *testing.T) {
	dsn := t.TempDir() + "/test.db?_pragma=foreign_keys(1)"
	db, _ := plugged(t, sqlite.New(sqlite.Config{DriverName: "sqlite", DSN: dsn}), gorm.Config{}, &Doctor{})
	execAll(t, db, "CREATE TABLE doctors (id integer primary key, name text)", "INSERT INTO doctors VALUES (1, 'x')",
		"CREATE TABLE notes (id integer primary key, doctor integer REFERENCES doctors (id) ON DELETE CASCADE)", "INSERT INTO notes VALUES (1, 1)",
		"CREATE TRIGGER keep AFTER UPDATE ON doctors BEGIN UPDATE notes SET id = id; END")
	count := func(what string) (n int) {
		t.Helper()
		pool, _ := db.DB()
		if err := pool.QueryRow("SELECT count(*) FROM " + what).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if err := db.AutoMigrate(&Doctor{}); err != nil {
		t.Fatal(err)
	}
	if count("notes") != 1 || count("sqlite_master WHERE name = 'keep'") != 1 {
		t.Error("a row or a trigger is gone")
	}
	wantCheck(t, "afterwards", gormcrypt.Check(ctx, db))

	other, _ := plugged(t, sqlite.New(sqlite.Config{DriverName: "sqlite", DSN: dsn}), gorm.Config{}, &doctorAfter{})
	execAll(t, other, "ALTER TABLE doctors ADD fax blob")
	err := other.AutoMigrate(&doctorAfter{})
	if !errors.Is(err, fieldcrypt.ErrUnsupported) || !strings.Contains(err.Error(), "rows of notes") || !strings.Contains(err.Error(), "foreign_keys") {
		t.Errorf("a table that must be made anew: %v", err)
	}
	if count("notes") != 1 {
		t.Error("a row is gone")
	}
	pool, _ := other.DB()
	pool.SetMaxOpenConns(1)
	must(t, other.Exec("PRAGMA foreign_keys = OFF"))
	if err := other.AutoMigrate(&doctorAfter{}); err != nil {
		t.Fatal(err)
	}
	wantCheck(t, "with the pragma", gormcrypt.Check(ctx, other))
	if count("notes") != 1 {
		t.Error("a row is gone")
	}
}

// TestMigratorCalledDirectly: each of its methods, for encrypted columns.
func TestMigratorCalledDirectly(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, l := plugged(t, d(t), gorm.Config{}, &doctorAfter{})
		m := db.Migrator()
		ok := func(what string, err error) {
			t.Helper()
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
		}
		is := func(what string, have, want bool) {
			t.Helper()
			if have != want {
				t.Errorf("%s: %v", what, have)
			}
		}
		ok("CreateTable", m.CreateTable(&doctorAfter{}))
		wantCheck(t, "CreateTable", gormcrypt.Check(ctx, db))
		must(t, db.Create(&doctorAfter{ID: 1, Email: canary, Pager: "p"}))
		is("HasColumn", m.HasColumn(&doctorAfter{}, "Email"), true)
		is("HasColumn of the index", m.HasColumn(&doctorAfter{}, "email_bidx"), true)

		ok("DropIndex", m.DropIndex(&doctorAfter{}, "idx_doctors_email_bidx"))
		is("HasIndex", m.HasIndex(&doctorAfter{}, "idx_doctors_email_bidx"), false)
		wantCheck(t, "DropIndex", gormcrypt.Check(ctx, db), "has no index on (email_bidx)")
		ok("CreateIndex", m.CreateIndex(&doctorAfter{}, "email_bidx"))
		is("HasIndex", m.HasIndex(&doctorAfter{}, "idx_doctors_email_bidx"), true)
		ok("RenameIndex", m.RenameIndex(&doctorAfter{}, "idx_doctors_email_bidx", "idx_mail"))
		wantCheck(t, "RenameIndex", gormcrypt.Check(ctx, db))
		ok("RenameIndex", m.RenameIndex(&doctorAfter{}, "idx_mail", "idx_doctors_email_bidx"))

		ok("AlterColumn", m.AlterColumn(&doctorAfter{}, "Pager"))
		ok("AlterColumn of an index", m.AlterColumn(&doctorAfter{}, "email_bidx"))
		ok("AutoMigrate", db.AutoMigrate(&doctorAfter{}))
		wantCheck(t, "AlterColumn", gormcrypt.Check(ctx, db))

		ok("RenameColumn", m.RenameColumn(&doctorAfter{}, "Email", "mail"))
		wantCheck(t, "RenameColumn", gormcrypt.Check(ctx, db), "the column doctors.email is missing")
		pool, _ := db.DB()
		if _, err := pool.Exec("UPDATE doctors SET mail = 'plaintext that is longer than a value must be'"); err == nil {
			t.Error("the renamed column takes plaintext")
		}
		ok("RenameColumn", m.RenameColumn(&doctorAfter{}, "mail", "Email"))
		wantCheck(t, "RenameColumn", gormcrypt.Check(ctx, db))

		ok("DropColumn", m.DropColumn(&doctorAfter{}, "Pager"))
		wantCheck(t, "DropColumn", gormcrypt.Check(ctx, db), "the column doctors.pager is missing")
		ok("AddColumn", m.AddColumn(&doctorAfter{}, "Pager"))
		ok("AutoMigrate", db.AutoMigrate(&doctorAfter{})) // DropColumn takes SQLite's indexes along
		wantCheck(t, "AddColumn", gormcrypt.Check(ctx, db))
		ok("DropColumn", m.DropColumn(&doctorAfter{}, "Pager"))
		ok("AddColumn", m.AddColumn(&doctorAfter{}, "Pager"))
		ok("DropColumn of an index", m.DropColumn(&doctorAfter{}, "fax_bidx"))
		ok("AutoMigrate", db.AutoMigrate(&doctorAfter{}))
		wantCheck(t, "DropColumn of an index", gormcrypt.Check(ctx, db))
		noDDL(t, db, l, &doctorAfter{})

		var got doctorAfter
		must(t, db.First(&got, "email = ?", canary))
		if got.Email != canary || got.Pager != "" {
			t.Errorf("read %q", got.Pager)
		}
		noCanary(t, "migrator", nil, l)
	})
}

// TestSQLiteConstraintOfTheMigrator: DropConstraint and CreateConstraint of a CHECK.
func TestSQLiteConstraintOfTheMigrator(t *testing.T) {
	db, _ := use(t, sqliteFile(t), &Doctor{})
	must(t, db.Create(&Doctor{Email: canary}))
	m := db.Migrator()
	if err := m.DropConstraint(&Doctor{}, "chk_doctors_email"); err != nil {
		t.Fatal(err)
	}
	wantCheck(t, "DropConstraint", gormcrypt.Check(ctx, db), "has no CHECK, so that plaintext can be stored; run AutoMigrate")
	if err := m.CreateConstraint(&Doctor{}, "chk_doctors_email"); err != nil {
		t.Fatal(err)
	}
	if err := db.AutoMigrate(&Doctor{}); err != nil {
		t.Fatal(err)
	}
	wantCheck(t, "CreateConstraint", gormcrypt.Check(ctx, db))
	must(t, db.First(&Doctor{}, "email = ?", canary))
}

// TestForeignDomain: a type of the domain's name that does not keep plaintext out
// is not used.
func TestForeignDomain(t *testing.T) {
	for what, ddl := range map[string]string{
		"over text":      "CREATE DOMAIN fieldcrypt_value AS text",
		"without CHECK":  "CREATE DOMAIN fieldcrypt_value AS bytea",
		"another CHECK":  "CREATE DOMAIN fieldcrypt_value AS bytea CHECK (VALUE <> '')",
		"an enumeration": "CREATE TYPE fieldcrypt_value AS ENUM ('x')",
		"a table's row":  "CREATE TABLE fieldcrypt_value (id integer)",
	} {
		db, _ := plugged(t, postgresServer(t), gorm.Config{}, &Doctor{})
		execAll(t, db, ddl)
		err := db.AutoMigrate(&Doctor{})
		if e := (*fieldcrypt.Error)(nil); !errors.As(err, &e) || !errors.Is(err, fieldcrypt.ErrSchema) || !strings.Contains(e.Hint, "CHECK") {
			t.Errorf("%s: %v", what, err)
		}
		if db.Migrator().HasTable(&Doctor{}) {
			t.Errorf("%s: the table was made", what)
		}
	}
	// And one that lost its CHECK is not added to.
	db, _ := use(t, postgresServer(t), &Doctor{})
	execAll(t, db, "ALTER DOMAIN fieldcrypt_value DROP CONSTRAINT fieldcrypt_value_check")
	refused(t, "AutoMigrate", db.AutoMigrate(&Doctor{}))
	if err := db.AutoMigrate(&Visit{}); !errors.Is(err, fieldcrypt.ErrSchema) {
		t.Errorf("a new table: %v", err)
	}
}

// Kept is made by its users' own migrations.
type Kept struct {
	gormcrypt.Encrypted
	ID    uint64
	Email string `fieldcrypt:"medical,index" gorm:"-:migration;uniqueIndex"`
	Phone string `fieldcrypt:"medical"`
}

// TestColumnsWithoutMigration: AutoMigrate leaves them and their indexes out, and
// Check looks at them.
func TestColumnsWithoutMigration(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, l := plugged(t, d(t), gorm.Config{}, &Kept{})
		if err := db.AutoMigrate(&Kept{}); err != nil {
			t.Fatal(err)
		}
		wantCheck(t, "without them", gormcrypt.Check(ctx, db), "the column kepts.email is missing; change it in the migration", "the index column kepts.email_bidx is missing")
		execAll(t, db, "ALTER TABLE kepts ADD email {value}", "ALTER TABLE kepts ADD email_bidx {bytes}")
		noDDL(t, db, l, &Kept{})
		err := gormcrypt.Check(ctx, db)
		if db.Dialector.Name() == "postgres" {
			wantCheck(t, "with them", err)
		} else {
			wantCheck(t, "with them", err, "has no CHECK, so that plaintext can be stored; change it in the migration")
		}
		must(t, db.Create(&Kept{Email: canary}))
		must(t, db.First(&Kept{}, "email = ?", canary))
	})
}

// TestSecondStatement: text that changes the schema and then does more is looked at
// as other text is.
func TestSecondStatement(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, _ := use(t, d(t), &Doctor{}, &Label{})
		must(t, db.Create(&Doctor{Email: canary}))
		for _, text := range []string{
			"ALTER TABLE labels ADD x integer; UPDATE doctors SET email = NULL",
			"CREATE TABLE x (id integer);ALTER TABLE doctors DROP email",
			"ALTER TABLE labels ADD y text DEFAULT ';'; UPDATE doctors SET email = NULL",
		} {
			if err := db.Exec(text).Error; !errors.Is(err, fieldcrypt.ErrQueryOnCiphertext) {
				t.Errorf("%s: %v", text, err)
			}
		}
		must(t, db.Exec("ALTER TABLE labels ADD z text DEFAULT ';';"))
		must(t, db.First(&Doctor{}, "email = ?", canary))
	})
}

// TestHandWrittenDDL: an index on ciphertext, and a column of another type.
func TestHandWrittenDDL(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, _ := use(t, d(t), &Doctor{}, &Label{})
		for _, text := range []string{
			"CREATE INDEX i ON doctors (email)", "CREATE UNIQUE INDEX IF NOT EXISTS i ON doctors(name, Email)", "CREATE INDEX i ON doctors (lower(email))",
			`CREATE INDEX i ON "doctors" ("email" DESC)`, "ALTER TABLE doctors ADD COLUMN email text",
			"ALTER TABLE doctors ADD email {value} DEFAULT 'x'", "ALTER TABLE doctors ADD email {value} GENERATED ALWAYS AS (name)", "ALTER TABLE doctors ADD email {value} NOT NULL UNIQUE",
		} {
			refused(t, text, db.Exec(typed(db, text)).Error)
		}
		for _, text := range []string{
			"CREATE INDEX i ON doctors (name)", "CREATE INDEX j ON labels (name)", "CREATE TABLE letters (id integer, email text, UNIQUE (email))", "CREATE INDEX k ON letters (email)",
			"ALTER TABLE doctors RENAME COLUMN name TO full_name", "CREATE INDEX l ON doctors (id) WHERE email IS NOT NULL", "DROP TABLE letters",
		} {
			must(t, db.Exec(text))
		}
		must(t, gormcrypt.AllowRaw(db).Exec("CREATE INDEX m ON doctors (email)"))
		if db.Dialector.Name() == "sqlite" {
			return
		}
		for _, text := range []string{
			"ALTER TABLE doctors ALTER email TYPE text", "ALTER TABLE IF EXISTS ONLY doctors ALTER COLUMN \"email\" SET DATA TYPE xml USING NULL", "ALTER TABLE doctors ADD UNIQUE (email)",
			"ALTER TABLE doctors ADD y text, ADD CONSTRAINT c PRIMARY KEY (id, email)", "ALTER TABLE doctors ADD FOREIGN KEY (email) REFERENCES labels (name)",
			"ALTER TABLE public.doctors ALTER email SET DEFAULT 'x'", "ALTER TABLE doctors ALTER email TYPE bytea[] USING NULL",
			"ALTER TABLE doctors ALTER email TYPE fieldcrypt_value[] USING NULL", "ALTER TABLE doctors ALTER email TYPE public.text", "ALTER TABLE doctors ALTER email_bidx TYPE text", "CREATE TEMP TABLE doctors (a text DEFAULT E'\\'', email text)",
		} {
			refused(t, text, db.Exec(text).Error)
		}
		for _, text := range []string{
			"ALTER TABLE doctors ALTER email DROP NOT NULL, ALTER email DROP DEFAULT, ALTER email SET STORAGE EXTERNAL", "ALTER TABLE doctors ALTER email TYPE public.fieldcrypt_value",
			"ALTER TABLE doctors ALTER email_bidx SET NOT NULL, ALTER email_bidx TYPE bytea USING email_bidx",
			"ALTER TABLE doctors ADD CHECK (email IS NOT NULL)",
		} {
			must(t, db.Exec(text))
		}
	})
}

// TestConcurrentColumns: several programs add encrypted columns to their tables,
// in a database that has no domain yet.
func TestConcurrentColumns(t *testing.T) {
	url := pgtest.DB(t)
	fc := newCrypter(t)
	admin, _ := open(t, postgres.Open(url), gorm.Config{})
	const programs = 6
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range programs {
		table := fmt.Sprintf("doctors_%d", i)
		execAll(t, admin, "CREATE TABLE "+table+" (id bigserial primary key, name text)", "INSERT INTO "+table+" (name) VALUES ('x')")
		db, _ := open(t, postgres.Open(url), gorm.Config{})
		if err := db.Use(gormcrypt.New(fc, &Doctor{})); err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			<-start
			if err := db.Table(table).AutoMigrate(&Doctor{}); err != nil {
				t.Errorf("%s: %v", table, err)
			}
			wantCheck(t, table, gormcrypt.Check(ctx, db.Table(table), &Doctor{}))
		})
	}
	close(start)
	wg.Wait()
}

// TestNothingIsLeftToDo: of whatever model, in every mode, and through a pool of
// one connection; Check sees the same inside the transaction.
func TestNothingIsLeftToDo(t *testing.T) {
	models := []any{&Account{}, &Patient{}, &Doctor{}, &Visit{}, &Chart{}, &Person{}, &ICD10Code{}, &TwoIdx{}, &doctorWithFax{}}
	onEach(t, func(t *testing.T, d dialector) {
		for mode, cfg := range map[string]gorm.Config{"default": {}, "prepared": {PrepareStmt: true}, "no transactions": {SkipDefaultTransaction: true}} {
			db, l := plugged(t, d(t), cfg, models...)
			pool, err := db.DB()
			if err != nil {
				t.Fatal(err)
			}
			pool.SetMaxOpenConns(1)
			tx := db.Begin()
			must(t, tx)
			if err := tx.AutoMigrate(models...); err != nil {
				t.Fatal(mode, err)
			}
			wantCheck(t, mode, gormcrypt.Check(ctx, tx))
			must(t, tx.Commit())
			noDDL(t, db, l, models...)
			wantCheck(t, mode, gormcrypt.Check(ctx, db))
		}
	})
}

// TestMigrationsThatDoNothing: DryRun makes nothing, a view is no table.
func TestMigrationsThatDoNothing(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, _ := plugged(t, d(t), gorm.Config{}, &Doctor{}, &Visit{})
		if err := db.Session(&gorm.Session{DryRun: true}).AutoMigrate(&Doctor{}); err != nil {
			t.Error(err)
		}
		wantCheck(t, "DryRun", gormcrypt.Check(ctx, db, &Doctor{}), "there is no table doctors")
		if err := db.AutoMigrate(&Visit{}); err != nil {
			t.Fatal(err)
		}
		execAll(t, db, "CREATE VIEW doctors AS SELECT id, reason AS email, reason AS name, reason_bidx AS email_bidx FROM visits", "CREATE VIEW pagers AS SELECT id, reason AS number FROM visits")
		type Pager struct { // without an index
			gormcrypt.Encrypted
			ID     uint64
			Number string `fieldcrypt:"medical"`
		}
		for _, model := range []any{&Doctor{}, &Pager{}} {
			if err := db.AutoMigrate(model); !errors.Is(err, fieldcrypt.ErrUnsupported) || !strings.Contains(err.Error(), "s is a view, not a table") {
				t.Errorf("a view: %v", err)
			}
		}
	})
}

// Vault has a column whose name is a word of ALTER TABLE.
type Vault struct {
	gormcrypt.Encrypted
	ID    uint64
	Owner string `fieldcrypt:"medical"`
	Set   string `fieldcrypt:"medical"`
	Add   string `fieldcrypt:"medical"`
}

// TestColumnsNamedLikeWords: of DDL.
func TestColumnsNamedLikeWords(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, _ := plugged(t, d(t), gorm.Config{}, &Vault{})
		for _, text := range []string{"CREATE TABLE vaults (owner text)", "CREATE TABLE vaults (id integer, \"set\" text)", "CREATE TABLE vaults (id integer, \"add\" text)"} {
			if err := db.Exec(text).Error; !errors.Is(err, fieldcrypt.ErrUnsupported) {
				t.Errorf("%s: %v", text, err)
			}
		}
		if err := db.AutoMigrate(&Vault{}); err != nil {
			t.Fatal(err)
		}
		wantCheck(t, "made", gormcrypt.Check(ctx, db))
		must(t, db.Exec("ALTER TABLE vaults ADD \"unique\" integer CHECK (\"unique\" > 0)"))
		if db.Dialector.Name() == "postgres" {
			must(t, db.Exec("ALTER TABLE vaults OWNER TO CURRENT_USER"))
			for _, text := range []string{"ALTER TABLE vaults ALTER owner TYPE text", "ALTER TABLE vaults ALTER \"add\" TYPE text", "ALTER TABLE vaults ADD UNIQUE NULLS DISTINCT (\"add\")"} {
				if err := db.Exec(text).Error; !errors.Is(err, fieldcrypt.ErrUnsupported) {
					t.Errorf("%s: %v", text, err)
				}
			}
		}
		must(t, db.Create(&Vault{Owner: canary, Set: "s", Add: "a"}))
	})
}
