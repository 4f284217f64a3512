// Package fields has a type for each encrypted column, for sqlc.yaml to name.
package fields

import "github.com/fieldcrypt/go/fieldcrypt"

type patients struct{}

// TableName names the table.
func (patients) TableName() string { return "patients" }

type visits struct{}

// TableName names the table.
func (visits) TableName() string { return "visits" }

type mrn struct {
	patients
	MRN string `fieldcrypt:"medical,index" gorm:"uniqueIndex"`
}

type notes struct {
	patients
	Notes string `fieldcrypt:"medical,pad=64"`
}

type reason struct {
	visits
	Reason string `fieldcrypt:"medical"`
}

// The columns.
type (
	MRN      = fieldcrypt.Secret[string, mrn]
	MRNIndex = fieldcrypt.SecretIndex[string, mrn]
	Notes    = fieldcrypt.Secret[string, notes]
	Reason   = fieldcrypt.Secret[string, reason]
)

// NewMRN returns a medical record number.
func NewMRN(s string) MRN { return fieldcrypt.NewSecret[mrn](s) }

// NewNotes returns notes.
func NewNotes(s string) Notes { return fieldcrypt.NewSecret[notes](s) }

// NewReason returns the reason of a visit.
func NewReason(s string) Reason { return fieldcrypt.NewSecret[reason](s) }

// Columns returns what pgxcrypt.DDL makes the columns of.
func Columns() []any { return []any{mrn{}, notes{}, reason{}} }
