package gormcrypt

import (
	"maps"
	"reflect"
	"strings"

	"gorm.io/gorm"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// A * brings plaintext columns that are being adopted along. They stay out of the
// caller's hands: what is in them, nobody has sealed, and reading it is not audited.

// checkPlains refuses destinations with a field for a plaintext column that a *
// brings.
func (b *binding) checkPlains(stmt *gorm.Statement, columns []*column) error {
	t := filled(stmt)
	if t == nil || t.Kind() != reflect.Struct || t == timeType || rawAllowed(stmt) {
		return nil
	}
	var own *gorm.Statement
	for _, c := range columns {
		if c.plain == "" {
			continue
		}
		if own == nil {
			own = &gorm.Statement{DB: stmt.DB}
			if own.Parse(reflect.New(t).Interface()) != nil {
				return nil // GORM says so itself
			}
		}
		if sf := own.Schema.LookUpField(c.plain); sf != nil && sf.Readable {
			return fieldErr("query", c.field, fieldcrypt.ErrUnsupported,
				"the field "+sf.Name+" of "+t.String()+" would be given its plaintext column "+c.plain+", which is being adopted; read "+c.name+" into a marked model, or name other columns in Select")
		}
	}
	return nil
}

// dropPlains takes the plaintext columns out of a map that a * has filled.
func (r *result) dropPlains(m map[string]any) {
	if !r.star {
		return
	}
	for _, c := range r.selected {
		if c.plain != "" {
			maps.DeleteFunc(m, func(name string, _ any) bool { return strings.EqualFold(name, c.plain) })
		}
	}
}
