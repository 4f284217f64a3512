package main

import (
	_ "embed"
	"fmt"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
)

// Patient is a row of the table patients.
type Patient struct {
	gormcrypt.Encrypted // marks the model; adds no column

	ID    int64   `gorm:"primaryKey;autoIncrement:false"`
	Name  string  `fieldcrypt:"medical" gorm:"not null"`
	MRN   string  `fieldcrypt:"medical,index" gorm:"not null;uniqueIndex"`
	Notes *string `fieldcrypt:"medical,pad=64"`
}

// manifest says to the operator's tools which columns are encrypted, and how. A
// test keeps it current; the command fieldcrypt takes the file.
//
//go:embed fieldcrypt.json
var manifest []byte

// newPatient makes up version v of a patient.
func newPatient(id int64, v int) Patient {
	notes := fmt.Sprintf("note %d of patient %d", v, id)
	return Patient{ID: id, Name: fmt.Sprintf("Patient %d, version %d", id, v), MRN: fmt.Sprintf("MRN-%d-%d", id, v), Notes: &notes}
}

func same(a, b Patient) bool {
	return a.ID == b.ID && a.Name == b.Name && a.MRN == b.MRN && a.Notes != nil && b.Notes != nil && *a.Notes == *b.Notes
}
