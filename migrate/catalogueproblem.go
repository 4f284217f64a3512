package migrate

import (
	"errors"
	"fmt"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// Severity says what follows from a [Problem].
type Severity uint8

// Severities.
const (
	Warn   Severity = iota // an operator should know, and it may be meant
	Refuse                 // nothing is written before it is put right
)

// String implements fmt.Stringer.
func (s Severity) String() string {
	if s == Refuse {
		return "refuse"
	}
	return "warn"
}

// What can be wrong: the Kind of a [Problem].
const (
	TableMissing     = "table-missing"      // or what has its name is no table
	ColumnMissing    = "column-missing"     // encrypted, index, tenant, bound or plaintext column
	ColumnType       = "column-type"        // of another type
	CheckMissing     = "check-missing"      // plaintext can be stored
	ColumnNotNull    = "column-not-null"    // and there are values that are NULL
	ColumnMade       = "column-made"        // the database makes values for it
	ColumnUnknown    = "column-unknown"     // looks encrypted and is not in the manifest
	KeyMissing       = "key-missing"        // no primary key, and nothing in its place
	KeyChanged       = "key-changed"        // another primary key than the models'
	KeyEncrypted     = "key-encrypted"      // a key, index or foreign key is on ciphertext
	IndexMissing     = "index-missing"      // nothing unique where the models say so
	IndexInvalid     = "index-invalid"      // making it did not end
	IndexUnique      = "index-unique"       // unique, and the models do not say so
	RowSecurity      = "row-security"       // hides rows from this role
	TriggerOnUpdate  = "trigger"            // fires for every row
	StatisticsAbsent = "statistics-missing" // never analyzed
)

// Problem is a difference between a manifest and a database, or something that a
// migration meets there.
type Problem struct {
	Severity Severity
	Kind     string
	Table    string // as SQL names it, with its schema
	Column   string // "" for the table as a whole
	Text     string
	Way      string // the way out
}

// String implements fmt.Stringer.
func (p Problem) String() string {
	name := p.Table
	if p.Column != "" {
		name += "." + p.Column
	}
	return fmt.Sprintf("%s: %s %s; %s", p.Severity, name, p.Text, p.Way)
}

// Problems are what [Catalogue.Check] has found.
type Problems []Problem

// Err joins those that refuse, each matching [ErrSchema]; nil if there are none.
func (p Problems) Err() error {
	var list []error
	for _, problem := range p {
		if problem.Severity == Refuse {
			list = append(list, &fieldcrypt.Error{Op: "check", Table: problem.Table, Column: problem.Column,
				Err: fmt.Errorf("%w: it %s", ErrSchema, problem.Text), Hint: problem.Way})
		}
	}
	return errors.Join(list...)
}

// ErrSchema is fieldcrypt's: the tables are not what the manifest needs.
var ErrSchema = fieldcrypt.ErrSchema

func missing(mt *fieldcrypt.ManifestTable, kind string) Problem {
	p := Problem{Severity: Refuse, Kind: TableMissing, Table: mt.Name(), Text: "is missing",
		Way: "make it, or write the manifest anew; where SQL has another name for it, say so in the manifest's table"}
	if kind != "" {
		p.Text = "is " + kind + ", not a table"
	}
	return p
}
