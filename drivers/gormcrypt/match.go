package gormcrypt

import (
	"database/sql/driver"
	"fmt"
	"io"
	"log/slog"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// Match is the condition that an index, named by its column, is that of values:
// one value for each of its fields, in the order of its Parts. They pass through
// the index's transforms. It serves wherever GORM takes an expression.
//
//	db.Where(gormcrypt.Match("card_last4_bidx", "4242")).Find(&patients)
//	db.Joins("Doctor").Not(gormcrypt.Match("Doctor.email_bidx", "who@example.org"))
//	db.Where("age > ? OR ?", 80, gormcrypt.Match("name_mrn_bidx", "Ada", "MRN-1042"))
//
// A name that two tables of a statement have needs its table or alias in front,
// as in SQL. A truncated index serves as the package documentation says.
//
// The statement fails with *[fieldcrypt.Error] matching [fieldcrypt.ErrUnsearchable]
// for an index that its tables do not have, another number of values, NULL, or a
// value that the transforms leave nothing of; [fieldcrypt.ErrWrongType] for one
// that is not of the field's type.
func Match(indexColumn string, values ...any) clause.Expression {
	return &match{indexColumn, values}
}

// match is a condition that the builders have yet to answer. It prints nothing
// of what it was given.
type match struct {
	column string
	values []any
}

const matchText = "gormcrypt.Match(" + redactedText + ")"

// Build is called where no builder of ours has seen the condition. There are
// two such places: that of a relation which is joined comes to its builder as
// text, and finds the condition among the values; everywhere else it fails.
func (m *match) Build(b clause.Builder) {
	stmt, ok := b.(*gorm.Statement)
	ok = ok && stmt.DB != nil
	known := ok && bindingOf(stmt.DB.NamingStrategy) != nil
	if known && stmt.DB.Statement != stmt {
		b.AddVar(b, pending{m})
		return
	}
	err := errUnanswered()
	if !ok {
		b.AddError(err)
		b.WriteQuoted(clause.Column{Name: poisonName(err)})
		return
	}
	before := stmt.Error
	refuse(stmt, "", err)
	if rows, found := stmt.Settings.Load(rowsKey); !known && found && rows == false {
		stmt.Error = before // GORM's Row would return nil: the row's error says it
	}
}

func errUnanswered() error {
	return &fieldcrypt.Error{
		Op: "search", Err: fmt.Errorf("%w: gormcrypt.Match where no plugin of gormcrypt builds the statement, or in raw SQL", fieldcrypt.ErrUnsearchable),
		Hint: "use it in Where, Not, Or, Having and Joins on a DB with the plugin; for raw SQL take gormcrypt.Terms",
	}
}

// String implements fmt.Stringer.
func (m *match) String() string { return matchText }

// GoString implements fmt.GoStringer.
func (m *match) GoString() string { return matchText }

// Format implements fmt.Formatter.
func (m *match) Format(s fmt.State, _ rune) { io.WriteString(s, matchText) }

// LogValue implements slog.LogValuer.
func (m *match) LogValue() slog.Value { return slog.StringValue(matchText) }

// MarshalText implements encoding.TextMarshaler, for JSON too.
func (m *match) MarshalText() ([]byte, error) { return []byte(matchText), nil }

// pending is a match in a statement's list of values. A database never gets it.
type pending struct{ match *match }

// Value implements driver.Valuer: it refuses.
func (pending) Value() (driver.Value, error) { return redactedText, errUnanswered() }

// Format implements fmt.Formatter.
func (pending) Format(s fmt.State, _ rune) { io.WriteString(s, matchText) }

// MarshalText implements encoding.TextMarshaler, for JSON too.
func (pending) MarshalText() ([]byte, error) { return []byte(matchText), nil }

// matchOf returns the match that stands among values, or nil.
func matchOf(v any) *match {
	switch v := v.(type) {
	case *match:
		return v
	case pending:
		return v.match
	}
	return nil
}
