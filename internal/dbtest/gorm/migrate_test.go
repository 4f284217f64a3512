package gorm_test

import (
	"errors"
	"regexp"
	"strings"
	"sync"
	"testing"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/internal/pgtest"
)

var changes = regexp.MustCompile(`(?i)\b(CREATE|ALTER|DROP|INSERT|UPDATE|DELETE|DO \$\$)\b`)

// Account has every kind of index that a tag can ask for.
type Account struct {
	gormcrypt.Encrypted
	ID     uint64
	Branch string `gorm:"uniqueIndex:idx_branch_number,priority:1"`
	Number string `fieldcrypt:"finance,index" gorm:"not null;uniqueIndex:idx_branch_number,priority:2"`
	IBAN   string `fieldcrypt:"finance,index" gorm:"unique;comment:the bank's"`
	Holder string `fieldcrypt:"finance,index=fold" gorm:"index;size:40"`
	City   string `fieldcrypt:"finance,index" gorm:"index:idx_city,where:branch <> ''"`
	PIN    string `fieldcrypt:"finance"`
}

func (Account) FieldcryptIndexes() []fieldcrypt.Index {
	return []fieldcrypt.Index{
		{Column: "holder_first_bidx", Parts: []fieldcrypt.Part{{Field: "Holder", Transform: "fold|first(1)"}}, Bits: 8},
		{Column: "holder_city_bidx", Parts: []fieldcrypt.Part{{Field: "Holder"}, {Field: "City"}}},
	}
}

// TestAutoMigrate: columns and indexes are made, the second run changes nothing.
func TestAutoMigrate(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		for mode, cfg := range map[string]gorm.Config{"default": {}, "prepared": {PrepareStmt: true}} {
			db, l := open(t, d(t), cfg)
			if err := db.Use(gormcrypt.New(newCrypter(t), &Account{}, &Patient{})); err != nil {
				t.Fatal(err)
			}
			models := []any{&Account{}, &Patient{}}
			if err := db.AutoMigrate(models...); err != nil {
				t.Fatal(err)
			}
			m := db.Migrator()
			for _, index := range []string{"idx_branch_number", "idx_accounts_holder_bidx", "idx_city", "idx_accounts_holder_first_bidx", "idx_accounts_holder_city_bidx"} {
				if !m.HasIndex(&Account{}, index) {
					t.Errorf("%s: there is no index %s", mode, index)
				}
			}
			if !m.HasConstraint(&Account{}, "uni_accounts_iban_bidx") || !m.HasIndex(&Patient{}, "idx_patients_mrn_bidx") {
				t.Errorf("%s: a unique constraint is missing", mode)
			}
			for range 2 {
				l.reset()
				if err := db.AutoMigrate(models...); err != nil {
					t.Fatal(err)
				}
				for _, line := range strings.Split(l.String(), "\n") {
					if changes.MatchString(line) {
						t.Errorf("%s: the second AutoMigrate ran %s", mode, line)
					}
				}
			}
			a := Account{Branch: "b", Number: "1", IBAN: "i", Holder: "Ada", City: "Bern", PIN: canary}
			must(t, db.Create(&a))
			for what, b := range map[string]Account{
				"the same branch and number": {Branch: "b", Number: "1", IBAN: "j"},
				"the same IBAN":              {Branch: "b", Number: "2", IBAN: "i"},
			} {
				if err := db.Create(&b).Error; err == nil {
					t.Errorf("%s: %s twice", mode, what)
				}
			}
			must(t, db.Create(&Account{Branch: "c", Number: "1", IBAN: "k"}))
			noCanary(t, mode, nil, l)
		}
	})
}

// TestDatabaseRefusesPlaintext: even where this library is not asked.
func TestDatabaseRefusesPlaintext(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, _ := use(t, d(t), &Doctor{})
		must(t, db.Create(&Doctor{Name: "x", Email: "x"}))
		pool, err := db.DB()
		if err != nil {
			t.Fatal(err)
		}
		stored := append([]byte{0xFC, 1}, make([]byte, 34)...)
		for what, value := range map[string]any{
			"text": canary, "bytes": []byte(canary + canary), "a number": 7, "another version": append([]byte{0xFC, 2}, stored[2:]...),
			"a short value": stored[:35], "nothing": []byte{}, "text like a value": "ü\x01" + strings.Repeat("x", 40),
		} {
			_, err := pool.Exec("UPDATE doctors SET email = $1", value)
			if err == nil {
				t.Errorf("%s was stored", what)
			} else if strings.Contains(err.Error(), "Zebra") {
				t.Errorf("%s: the error echoes the value: %v", what, err)
			}
		}
		for what, value := range map[string]any{"NULL": nil, "a stored value": stored} {
			if _, err := pool.Exec("UPDATE doctors SET email = $1", value); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
}

// TestPlaintextColumnIsNotConverted: a model that gets tags does not turn the
// plaintext that is there into bytes that pass for ciphertext.
func TestPlaintextColumnIsNotConverted(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		for what, ddl := range map[string]string{
			"text":    "CREATE TABLE doctors (id integer primary key, name text, email text)",
			"integer": "CREATE TABLE doctors (id integer primary key, name text, email integer)",
		} {
			db, _ := open(t, d(t), gorm.Config{})
			must(t, db.Exec(ddl))
			must(t, db.Exec("INSERT INTO doctors (id, email) VALUES (1, '17')"))
			if err := db.Use(gormcrypt.New(newCrypter(t), &Doctor{})); err != nil {
				t.Fatal(err)
			}
			err := db.AutoMigrate(&Doctor{})
			if e := (*fieldcrypt.Error)(nil); !errors.As(err, &e) || !errors.Is(err, fieldcrypt.ErrUnsupported) || !strings.Contains(err.Error(), "email") || !strings.Contains(err.Error(), "migrate") {
				t.Errorf("%s: %v", what, err)
			}
			pool, _ := db.DB()
			var email string
			if err := pool.QueryRow("SELECT email FROM doctors").Scan(&email); err != nil || email != "17" {
				t.Errorf("%s: the column holds %q, %v", what, email, err)
			}
			// And what is there is not taken for a value.
			if err := db.First(&Doctor{}).Error; !errors.Is(err, fieldcrypt.ErrNotSealed) {
				t.Errorf("%s: First: %v", what, err)
			}
		}
	})
}

// TestNewColumns: an encrypted column and an index are added to a table that has
// rows.
func TestNewColumns(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, l := open(t, d(t), gorm.Config{})
		must(t, db.Exec("CREATE TABLE doctors (id integer primary key, name text)"))
		must(t, db.Exec("INSERT INTO doctors (id, name) VALUES (1, 'x')"))
		if err := db.Use(gormcrypt.New(newCrypter(t), &Doctor{})); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			l.reset()
			if err := db.AutoMigrate(&Doctor{}); err != nil {
				t.Fatal(err)
			}
		}
		for _, line := range strings.Split(l.String(), "\n") {
			if changes.MatchString(line) && !strings.Contains(line, `"id"`) { // serial or not: GORM's own business
				t.Errorf("the second AutoMigrate ran %s", line)
			}
		}
		must(t, db.Model(&Doctor{ID: 1}).Update("email", canary))
		var got Doctor
		must(t, db.First(&got, "email = ?", canary))
		if got.Name != "x" {
			t.Errorf("the row was not kept: %v", got.Name)
		}
		pool, _ := db.DB()
		if _, err := pool.Exec("UPDATE doctors SET email = $1", "plain"); err == nil {
			t.Error("the new column takes plaintext")
		}
	})
}

// TestConcurrentMigrators: several instances start at once.
func TestConcurrentMigrators(t *testing.T) {
	url := pgtest.DB(t)
	fc := newCrypter(t)
	var wg sync.WaitGroup
	type m1 struct {
		gormcrypt.Encrypted
		ID   uint64
		Name string `fieldcrypt:"medical"`
	}
	type m2 struct {
		gormcrypt.Encrypted
		ID   uint64
		Name string `fieldcrypt:"medical"`
	}
	type m3 struct {
		gormcrypt.Encrypted
		ID   uint64
		Name string `fieldcrypt:"medical"`
	}
	for _, model := range []any{&m1{}, &m2{}, &m3{}} {
		db, _ := open(t, postgres.Open(url), gorm.Config{})
		if err := db.Use(gormcrypt.New(fc, model)); err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			if err := db.AutoMigrate(model); err != nil {
				t.Errorf("%T: %v", model, err)
			}
			if err := db.Create(model).Error; err != nil {
				t.Errorf("%T: %v", model, err)
			}
		})
	}
	wg.Wait()
}

// TestMigratorOfOtherTables: Table() and schemas name other tables of a model.
func TestMigratorOfOtherTables(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, l := use(t, d(t), &Doctor{})
		archive := "doctors_2025"
		if db.Dialector.Name() == "postgres" {
			must(t, db.Exec("CREATE SCHEMA old"))
			archive = "old.doctors"
		}
		for range 2 {
			l.reset()
			if err := db.Table(archive).AutoMigrate(&Doctor{}); err != nil {
				t.Fatal(err)
			}
		}
		if changes.MatchString(l.String()) {
			t.Errorf("the second AutoMigrate changed something: %s", l)
		}
		must(t, db.Table(archive).Create(&Doctor{Email: canary}))
		var got Doctor
		must(t, db.Table(archive).Where("email = ?", canary).First(&got))
		if got.Email != canary {
			t.Errorf("it came back as %q", got.Email)
		}
		var n int64
		must(t, db.Model(&Doctor{}).Count(&n))
		if n != 0 {
			t.Error("it was stored in the model's own table")
		}
		noCanary(t, "statement", nil, l)
	})
}
