package gormcrypt

import (
	"reflect"

	"gorm.io/gorm/schema"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// addCompanions finds the columns that a field's values depend on.
func addCompanions(s *schema.Schema, c *column) (err error) {
	f := c.field
	c.plain = f.Plain
	if f.PerTenant {
		if c.tenant, err = companionOf(s, f, f.Model.Tenant); err != nil {
			return err
		}
	}
	if f.Bind != nil {
		c.bound, err = companionOf(s, f, f.Bind)
	}
	return err
}

func companionOf(s *schema.Schema, f *fieldcrypt.Field, p *fieldcrypt.PlainField) (*companion, error) {
	sf := s.FieldsByBindName[p.Path]
	switch {
	case sf == nil || sf.DBName == "" || !sf.Readable || !sf.Creatable:
		return nil, modelErr(f.Model.Name, p.Path, "GORM does not read and write it, and the field "+f.Path+" depends on its value; make it an ordinary column")
	case sf.Serializer != nil:
		return nil, modelErr(f.Model.Name, p.Path, "it has a GORM serializer, and the field "+f.Path+" depends on its value; store it as it is")
	case isText(p) && !keepsText.MatchString(string(sf.DataType)):
		return nil, modelErr(f.Model.Name, p.Path, "the type "+string(sf.DataType)+" may change its text, and the field "+f.Path+" depends on that; make it text or varchar, or give the field a Go type that is what the column holds, such as [16]byte")
	}
	return &companion{sf.DBName, p}, nil
}

// rowOf is what a field's value takes from the struct that it is read into. Its
// companions come first in what this package selects.
func rowOf(f *fieldcrypt.Field, owner reflect.Value) (row fieldcrypt.Row) {
	if f.PerTenant {
		if v := fieldAt(owner, f.Model.Tenant.Index); v.IsValid() {
			row.Tenant = v.String()
		}
	}
	if f.Bind != nil {
		row.Bound = func(f *fieldcrypt.Field) (reflect.Value, error) { return fieldAt(owner, f.Bind.Index), nil }
	}
	return row
}

// fieldAt returns a field of a struct, or the zero Value inside an embedded nil
// pointer.
func fieldAt(v reflect.Value, index []int) reflect.Value {
	for _, i := range index {
		for v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return reflect.Value{}
			}
			v = v.Elem()
		}
		v = v.Field(i)
	}
	return v
}
