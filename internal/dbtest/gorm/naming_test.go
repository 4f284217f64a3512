package gorm_test

import (
	"strings"
	"sync"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
)

// Types whose names are hard.
type (
	HTTPServer   struct{ Names }
	UserIDCard   struct{ Names }
	Person       struct{ Names }
	Category     struct{ Names }
	Analysis     struct{ Names }
	Status       struct{ Names }
	Sheep        struct{ Names }
	Box          struct{ Names }
	Datum        struct{ Names }
	UUIDMapping  struct{ Names }
	OAuth2Client struct{ Names }
	A            struct{ Names }
	Child        struct{ Names }
	Quiz         struct{ Names }
	Half         struct{ Names }
	ICD10Code    struct{ Names }
	Patient_Old  struct{ Names }
)

// Names are the fields of all of them.
type Names struct {
	gormcrypt.Encrypted
	UID         uint64 `gorm:"primaryKey"`
	MRN         string `fieldcrypt:"medical,index"`
	UserID      string `fieldcrypt:"medical,index"`
	HTTPURL     string `fieldcrypt:"medical"`
	ICD10       string `fieldcrypt:"medical"`
	Last4Digits string `fieldcrypt:"medical"`
	IBANNumber  string `fieldcrypt:"medical"`
	OAuth2Token string `fieldcrypt:"medical"`
	X           string `fieldcrypt:"medical"`
	Snake_Case  string `fieldcrypt:"medical"`
	JSONAPIUUID string `fieldcrypt:"medical"`
	SSNo        string `fieldcrypt:"medical"`
	Named       string `fieldcrypt:"medical" gorm:"column:other"`
	Plain       string `fieldcrypt:"medical" db:"plain"`
	Home        place  `gorm:"embedded;embeddedPrefix:home_"`
	Work        *place `gorm:"embedded;embeddedPrefix:work_"`
	Anonymous
	Struct Vitals            `fieldcrypt:"medical"`
	Map    map[string]string `fieldcrypt:"medical"`
}

type place struct {
	StreetName string `fieldcrypt:"medical,index"`
	GPS        inner  `gorm:"embedded;embeddedPrefix:gps_"`
	Extra      Vitals `fieldcrypt:"medical"`
}

type inner struct {
	Lat string `fieldcrypt:"medical" gorm:"column:latitude"`
	Lon Vitals `fieldcrypt:"medical"`
}

// Anonymous is embedded without a tag.
type Anonymous struct {
	PhoneNo string `fieldcrypt:"medical"`
}

// Special names its table.
type Special struct{ Names }

func (Special) TableName() string { return "clinic.special_people" }

// TestIdentitiesAreGORMsDefaultNames: fieldcrypt computes logical names without
// GORM, and they are the names that GORM gives by default.
func TestIdentitiesAreGORMsDefaultNames(t *testing.T) {
	fc := newCrypter(t)
	namer := schema.NamingStrategy{}
	fields := 0
	for _, model := range []any{
		HTTPServer{}, UserIDCard{}, Person{}, Category{}, Analysis{}, Status{}, Sheep{}, Box{}, Datum{}, UUIDMapping{},
		OAuth2Client{}, A{}, Child{}, Quiz{}, Half{}, ICD10Code{}, Patient_Old{}, Special{}, Patient{}, Doctor{}, Visit{}, Account{},
	} {
		m, err := fc.Model(model)
		if err != nil {
			t.Fatal(err)
		}
		s, err := schema.Parse(model, &sync.Map{}, namer)
		if err != nil {
			t.Fatal(err)
		}
		if table := s.Table[strings.LastIndexByte(s.Table, '.')+1:]; m.Table != table {
			t.Errorf("%T: table %s, GORM says %s", model, m.Table, table)
		}
		db, _ := open(t, sqliteFile(t), gorm.Config{})
		if err := db.Use(gormcrypt.New(fc, model)); err != nil {
			t.Fatal(err)
		}
		own, err := schema.Parse(model, &sync.Map{}, db.NamingStrategy)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range m.Fields {
			sf := own.FieldsByBindName[f.Path]
			if sf == nil {
				t.Errorf("%T: GORM has no field %s", model, f.Path)
				continue
			}
			if f.Column != sf.DBName || f.Name != sf.DBName || f.Table != m.Table {
				t.Errorf("%T.%s: %s, GORM says %s", model, f.Path, f.Identity(), sf.DBName)
			}
			fields++
		}
		for _, ix := range m.Indexes {
			if own.FieldsByDBName[ix.Column] == nil {
				t.Errorf("%T: GORM makes no column %s", model, ix.Column)
			}
		}
	}
	if fields < 400 {
		t.Errorf("only %d fields were compared", fields)
	}
}

// TestNamesInSQLAreNotIdentities: a table prefix and a namer of one's own change
// the SQL, and what is stored opens without them.
func TestNamesInSQLAreNotIdentities(t *testing.T) {
	fc := newCrypter(t)
	dsn := sqliteFile(t)
	first, _ := open(t, dsn, configNamed(schema.NamingStrategy{TablePrefix: "app_", NameReplacer: strings.NewReplacer("Email", "Mailbox")}))
	if err := first.Use(gormcrypt.New(fc, &Doctor{})); err != nil {
		t.Fatal(err)
	}
	if err := first.AutoMigrate(&Doctor{}); err != nil {
		t.Fatal(err)
	}
	must(t, first.Create(&Doctor{Name: "x", Email: canary}))
	if !first.Migrator().HasColumn("app_doctors", "mailbox_bidx") {
		t.Error("there is no index column app_doctors.mailbox_bidx")
	}
	must(t, first.First(&Doctor{}, "mailbox = ?", canary))
	pool, _ := first.DB()
	for _, ddl := range []string{
		"ALTER TABLE app_doctors RENAME TO doctors", "ALTER TABLE doctors RENAME COLUMN mailbox TO email", "ALTER TABLE doctors RENAME COLUMN mailbox_bidx TO email_bidx",
	} {
		if _, err := pool.Exec(ddl); err != nil {
			t.Fatal(err)
		}
	}
	second, _ := open(t, dsn, configNamed(nil))
	if err := second.Use(gormcrypt.New(fc, &Doctor{})); err != nil {
		t.Fatal(err)
	}
	var got Doctor
	must(t, second.First(&got, "email = ?", canary))
	if got.Email != canary {
		t.Errorf("it came back as %q", got.Email)
	}
}
