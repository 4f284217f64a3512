package gorm_test

import (
	"fmt"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/fieldcrypt/go/drivers/drivertest"
	"github.com/fieldcrypt/go/drivers/gormcrypt"
)

// The models of a practice: patients with a doctor, visits and tags.

type Vitals struct{ Pulse, Systolic int }

type Doctor struct {
	gormcrypt.Encrypted
	ID    uint64
	Name  string
	Email string `fieldcrypt:"medical,index"`
}

type Visit struct {
	gormcrypt.Encrypted
	ID        uint64
	PatientID uint64
	Reason    string `fieldcrypt:"medical,index"`
}

type Label struct {
	ID   uint64
	Name string
}

func (Label) plain() {}

type Base struct {
	gormcrypt.Encrypted
	ID        uint64
	CreatedAt time.Time
	UpdatedAt time.Time
	DeletedAt gorm.DeletedAt
}

type Contact struct {
	Phone string `fieldcrypt:"medical,index=digits"`
	City  string
}

type Patient struct {
	Base
	Age      int
	Name     string  `fieldcrypt:"medical,index"`
	MRN      string  `fieldcrypt:"medical,index" gorm:"uniqueIndex"`
	Card     string  `fieldcrypt:"finance,index=digits"`
	Notes    *string `fieldcrypt:"medical,pad=64"`
	Vitals   Vitals  `fieldcrypt:"medical"`
	Weight   int     `fieldcrypt:"medical,index"`
	Contact  Contact `gorm:"embedded;embeddedPrefix:contact_"`
	DoctorID *uint64
	Doctor   *Doctor
	Visits   []Visit
	Labels   []Label `gorm:"many2many:patient_labels"`
}

// the encrypted columns of Patient
var patientColumns = []string{"name", "mrn", "card", "notes", "vitals", "weight", "contact_phone"}

func practice(t testing.TB, d dialector, cfg gorm.Config) (*gorm.DB, *log) {
	t.Helper()
	return useWith(t, d(t), cfg, &Doctor{}, &Patient{}, &Visit{}, Label{})
}

const canary = drivertest.Canary

// secret makes values that only the caller may see.
func secret(n int) string { return fmt.Sprint(canary, n) }

func patient(n int) Patient {
	notes := secret(n)
	return Patient{
		Age: 40 + n, Name: secret(n), MRN: "M" + secret(n), Card: "7391-7391 " + fmt.Sprint(n), Notes: &notes,
		Vitals: Vitals{60, 120}, Weight: 7000 + n, Contact: Contact{Phone: "+7391 7391" + fmt.Sprint(n), City: "Bern"},
	}
}

// checkStored checks that every encrypted column of every patient is NULL or a
// stored value, and that no byte of the database and of what was logged and traced
// holds the canary.
func checkStored(t testing.TB, db *gorm.DB, l *log) {
	t.Helper()
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	tables, err := everyTable(db)
	if err != nil {
		t.Fatal(err)
	}
	files, err := databaseFiles(db)
	if err != nil {
		t.Fatal(err)
	}
	for where, data := range map[string][]byte{"tables": tables, "database's files": files} {
		if form := drivertest.FindCanary(data); form != "" {
			t.Errorf("the canary is in the %s: %s", where, form)
		}
	}
	noCanary(t, "statement", nil, l)
	for _, column := range patientColumns {
		rows, err := pool.Query("SELECT " + column + " FROM patients")
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var b []byte
			if err := rows.Scan(&b); err != nil {
				t.Fatal(err)
			}
			if b != nil && (len(b) < 47 || b[0] != 0xFC || b[1] != 1) {
				t.Errorf("%s holds no stored value", column)
			}
		}
		rows.Close()
	}
}
