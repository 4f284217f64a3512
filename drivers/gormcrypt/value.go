package gormcrypt

import (
	"bytes"
	"context"
	"database/sql/driver"
	"fmt"
	"io"
	"reflect"
	"sync"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// redactedText is how values of encrypted fields print.
const redactedText = "<encrypted>"

// plain is the value of an encrypted field on its way from a struct to the
// builders, which seal it or turn it into index terms. Wherever else it ends
// up, it prints nothing and cannot reach the database.
type plain struct {
	field *fieldcrypt.Field
	v     any // of field.Type
}

// plainOf returns what a caller or GORM gave for an encrypted field.
func plainOf(v any) any {
	switch v := v.(type) {
	case *plain:
		return v.v
	case unsealed:
		return v.plain.v
	}
	return v
}

// Value returns the value together with an error: GORM compares what Value
// returns (Statement.Changed, IS NULL) and drops the error, and whoever would
// store it looks at the error first.
func (p *plain) Value() (driver.Value, error) {
	if isNull(p.v) {
		return nil, nil
	}
	return p.v, errNotSealed(p.field)
}

// isNull reports whether GORM writes IS NULL for a value.
func isNull(v any) bool {
	if v == nil {
		return true
	}
	if rv := reflect.ValueOf(v); rv.Kind() == reflect.Pointer && rv.IsNil() {
		return true
	}
	valuer, ok := v.(driver.Valuer)
	if !ok {
		return false
	}
	inner, err := valuer.Value()
	return err == nil && inner == nil
}

// GormValue is asked when GORM adds a value to a statement, so it sees only
// those that no builder has taken.
func (p *plain) GormValue(context.Context, *gorm.DB) clause.Expr {
	return clause.Expr{SQL: "?", Vars: []any{unsealed{p}}}
}

// Format implements fmt.Formatter.
func (p *plain) Format(s fmt.State, _ rune) { io.WriteString(s, redactedText) }

// MarshalJSON implements json.Marshaler.
func (p *plain) MarshalJSON() ([]byte, error) { return []byte(`"` + redactedText + `"`), nil }

// unsealed is a plain value in a statement's list of values. The conditions of a
// relation that is joined come to their builder that way; a database never gets it.
type unsealed struct{ plain *plain }

// Value implements driver.Valuer: it refuses.
func (u unsealed) Value() (driver.Value, error) { return redactedText, errNotSealed(u.plain.field) }

// Format implements fmt.Formatter.
func (u unsealed) Format(s fmt.State, _ rune) { io.WriteString(s, redactedText) }

func errNotSealed(f *fieldcrypt.Field) error {
	return fieldErr("write", f, fieldcrypt.ErrUnsupported, "the value took a way to the database that gormcrypt does not know, unsealed")
}

// sealed is a stored value or an index term on its way to the database.
type sealed []byte

// String implements fmt.Stringer for GORM's logger.
func (s sealed) String() string { return redactedText }

// Format implements fmt.Formatter.
func (s sealed) Format(st fmt.State, _ rune) { io.WriteString(st, redactedText) }

// bytea is a stored value for a Postgres column. By the cast the parameter is a
// bytea, which drivers send as it is; one of the column's own type, the domain,
// they would send as text of twice the length.
type bytea struct{ sealed }

// Build implements clause.Expression.
func (v bytea) Build(b clause.Builder) {
	b.AddVar(b, v.sealed)
	b.WriteString("::bytea")
}

// term makes an index term a value of a statement. NULL stays NULL.
func term(b []byte) any {
	if b == nil {
		return nil
	}
	return sealed(b)
}

// value makes a stored value one of a statement. NULL stays NULL.
func (b *binding) value(stored []byte) any {
	if stored == nil || b.dialect != "postgres" {
		return term(stored)
	}
	return bytea{stored}
}

// stored is what a column held, on its way from the database into a map or a
// list; nil is NULL.
type stored []byte

// Scan implements sql.Scanner.
func (s *stored) Scan(src any) error {
	*s = bytes.Clone((*scanned)(s).of(src))
	return nil
}

// scanned is stored on its way into a field, which opens it at once: the bytes
// are the database driver's. Encrypted fields are scanned into a **scanned, so
// that NULL stays a nil pointer as in GORM's own fields.
type scanned []byte

// Scan implements sql.Scanner.
func (s *scanned) Scan(src any) error {
	*s = s.of(src)
	return nil
}

// of returns the bytes of a driver's value, not nil unless it is NULL.
func (*scanned) of(src any) []byte {
	switch src := src.(type) {
	case nil:
		return nil
	case []byte:
		if src != nil {
			return src
		}
	}
	return []byte{} // a database without types gave text or a number: no sealed value
}

// bytesOf returns what a column held; nil is NULL.
func bytesOf(holder **scanned) []byte {
	if *holder == nil {
		return nil
	}
	return **holder
}

// Format implements fmt.Formatter.
func (s scanned) Format(st fmt.State, _ rune) { io.WriteString(st, redactedText) }

// Format implements fmt.Formatter.
func (s stored) Format(st fmt.State, _ rune) { io.WriteString(st, redactedText) }

// holders makes what encrypted columns are scanned into (schema.FieldNewValuePool).
type holders struct{}

var free = sync.Pool{New: func() any { return new(*scanned) }}

func (holders) Get() any { return free.Get() }

func (holders) Put(v any) {
	if h, ok := v.(**scanned); ok {
		*h = nil
		free.Put(h)
	}
}

// refusedValue is what the fields of a model that cannot be used hold, and what a
// refused statement has among its values.
type refusedValue struct{ err error }

// Value implements driver.Valuer: it refuses.
func (r refusedValue) Value() (driver.Value, error) { return nil, r.err }
