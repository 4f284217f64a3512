package pgx_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
)

// The models of a practice. GORM uses the same.

type Vitals struct{ Pulse, Systolic int }

type Contact struct {
	Phone string `fieldcrypt:"medical,index=digits"`
	City  string
}

type Patient struct {
	gormcrypt.Encrypted
	ID       int64 `gorm:"autoIncrement:false"`
	Ward     string
	Born     time.Time
	Name     string  `fieldcrypt:"medical,index=fold"`
	MRN      string  `fieldcrypt:"medical,index" gorm:"uniqueIndex"`
	Card     string  `fieldcrypt:"finance,index=digits" gorm:"column:card_no"`
	Notes    *string `fieldcrypt:"medical,pad=64"`
	Vitals   Vitals  `fieldcrypt:"medical"`
	Contact  Contact `gorm:"embedded;embeddedPrefix:contact_"`
	DoctorID *int64
	Visits   []Visit
}

type Visit struct {
	gormcrypt.Encrypted
	ID        int64 `gorm:"autoIncrement:false"`
	PatientID int64
	Reason    string `fieldcrypt:"medical,index"`
}

const practice = `
	CREATE TABLE patients (id bigint PRIMARY KEY, ward text, born timestamptz, contact_city text, doctor_id bigint);
	CREATE TABLE visits (id bigint PRIMARY KEY, patient_id bigint REFERENCES patients);`

const insertPatient = `INSERT INTO patients (id, ward, born, name, name_bidx, mrn, mrn_bidx, card_no, card_no_bidx, notes, vitals, contact_phone, contact_phone_bidx, contact_city, doctor_id)
	VALUES (@id, @ward, @born, @name, @name_bidx, @mrn, @mrn_bidx, @card_no, @card_no_bidx, @notes, @vitals, @contact_phone, @contact_phone_bidx, @contact_city, @doctor_id)`

// openPractice makes the tables.
func openPractice(t testing.TB, db *pgxpool.Pool) *fieldcrypt.Crypter {
	t.Helper()
	fc := newCrypter(t)
	exec(t, db, practice)
	migrate(t, db, fc, &Patient{}, &Visit{})
	return fc
}

func patient(n int64) Patient {
	p := Patient{
		ID: n, Ward: "A", Born: time.Date(1931, 2, 28, 12, 0, 0, 0, time.UTC), Name: fmt.Sprintf("Ünal %d", n), MRN: fmt.Sprintf("MRN-%d", n),
		Card: fmt.Sprintf("4242 %04d", n), Vitals: Vitals{60, 120}, Contact: Contact{Phone: fmt.Sprintf("+41 31 %d", n), City: "Bern"},
	}
	if n%2 == 1 {
		notes := fmt.Sprintf("note of %d", n)
		p.Notes = &notes
		p.DoctorID = &n
	}
	return p
}

// tenanted has keys per tenant and values that are bound to its row.
type tenanted struct {
	ID     string  `db:"id" gorm:"type:uuid"`
	Clinic string  `fieldcrypt:",tenant" db:"clinic"`
	Ward   *string `db:"ward"`
	MRN    string  `fieldcrypt:"medical,index,bind=ID" db:"mrn" gorm:"column:mrn"`
}

// TableName names the table.
func (tenanted) TableName() string { return "tenanted" }

const tenantedTable = `CREATE TABLE tenanted (id uuid PRIMARY KEY, clinic text NOT NULL, ward text)`

const insertTenanted = `INSERT INTO tenanted (id, clinic, ward, mrn, mrn_bidx) VALUES (@id, @clinic, @ward, @mrn, @mrn_bidx)`

// rowID makes the id of a row, which its client chooses.
func rowID(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }
