package gormcrypt

import (
	"context"
	"reflect"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// patch makes the tagged fields of a schema that is being parsed encrypted: it
// changes how GORM reads them from rows and structs and what columns it makes.
// Writing and searching is the builders' part.
func (b *binding) patch(s *schema.Schema) (*table, error) {
	m, err := b.crypter.Model(s.ModelType)
	if err != nil {
		return nil, err
	}
	if len(m.Fields) == 0 {
		return nil, modelErr(m.Name, "", `it embeds gormcrypt.Encrypted and tags no field; tag what is to be encrypted, or take the marker out`)
	}
	t := newTable(s.Table)
	columns := map[*fieldcrypt.Field]*column{}
	for _, f := range m.Fields {
		sf := s.FieldsByBindName[f.Path]
		if err := checkField(f, sf); err != nil {
			return nil, err
		}
		if err := b.nameColumn(s, f, sf); err != nil {
			return nil, err
		}
		c := &column{name: sf.DBName, field: f}
		if err := addCompanions(s, c); err != nil {
			return nil, err
		}
		columns[f] = c
		t.addColumn(c)
	}
	for _, ix := range m.Indexes {
		if err := b.addIndex(s, t, ix, columns); err != nil {
			return nil, err
		}
	}
	for _, f := range m.Fields {
		sf := s.FieldsByBindName[f.Path]
		b.patchField(sf, columns[f])
		s.FieldsByName[sealedName(sf.DBName)] = sf
		if f.Plain != "" {
			if err := b.adopt(s, sf, columns[f]); err != nil {
				return nil, err
			}
		}
	}
	return t, nil
}

// nameColumn gives a struct, map or slice the column that GORM, which would take
// it for a relation, has not.
func (b *binding) nameColumn(s *schema.Schema, f *fieldcrypt.Field, sf *schema.Field) error {
	if sf.DBName == "" {
		sf.DBName = embeddedPrefix(s.ModelType, sf) + b.namer.ColumnName(s.Table, sf.Name)
		if s.FieldsByDBName[sf.DBName] == nil {
			s.DBNames = append(s.DBNames, sf.DBName)
			s.FieldsByDBName[sf.DBName] = sf
		}
	}
	if s.FieldsByDBName[sf.DBName] != sf {
		return modelErr(f.Model.Name, f.Path, "its column "+sf.DBName+" is that of another field too; name another column")
	}
	return checkName(f, sf.DBName)
}

// embeddedPrefix is what the structs around a field put before its column.
func embeddedPrefix(t reflect.Type, sf *schema.Field) (prefix string) {
	for _, name := range sf.BindNames[:len(sf.BindNames)-1] {
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		f, _ := t.FieldByName(name)
		prefix += schema.ParseTagSetting(f.Tag.Get("gorm"), ";")["EMBEDDEDPREFIX"]
		t = f.Type
	}
	return prefix
}

var storedType = reflect.TypeFor[stored]()

func (b *binding) patchField(sf *schema.Field, c *column) {
	f, valueOf := c.field, sf.ValueOf
	sf.ValueOf = func(ctx context.Context, v reflect.Value) (any, bool) {
		value, zero := valueOf(ctx, v)
		if value == nil { // inside an embedded nil pointer, or a nil interface
			return nil, zero
		}
		return &plain{f, value}, zero
	}
	sf.Set = func(ctx context.Context, v reflect.Value, value any) error {
		if isNullInNil(ctx, sf, valueOf, v, value) {
			return nil
		}
		if holder, ok := value.(**scanned); ok {
			if c, ok := ctx.(*openingContext); ok && c.opening.add(sf, f, v, bytesOf(holder)) {
				return nil
			}
		}
		return b.set(ctx, f, v, sf.ReflectValueOf(ctx, v), value)
	}
	sf.NewValuePool = holders{}
	sf.DataType, sf.GORMDataType, sf.Size, sf.Precision, sf.Scale = schema.Bytes, schema.Bytes, 0, 0, 0
	sf.FieldType, sf.IndirectFieldType = storedType, storedType // asked by scanning into maps, and by the migrator for the column's type
	b.protect(sf)
}

// isNullInNil reports whether NULL comes to a field of an embedded nil pointer,
// which stays nil then.
func isNullInNil(ctx context.Context, sf *schema.Field, valueOf func(context.Context, reflect.Value) (any, bool), v reflect.Value, value any) bool {
	if holder, ok := value.(**scanned); !ok || *holder != nil || len(sf.StructField.Index) == 1 {
		return false
	}
	current, _ := valueOf(ctx, v)
	return current == nil
}

// set gives a field what was read from a row, or what a caller gave for it.
func (b *binding) set(ctx context.Context, f *fieldcrypt.Field, owner, dst reflect.Value, value any) error {
	switch v := value.(type) {
	case **scanned:
		if *v == nil {
			dst.SetZero()
			return nil
		}
		return b.crypter.Open(ctx, f, **v, dst, rowOf(f, owner))
	case clause.Expression, *gorm.DB:
		return nil // the database computes it: GORM's own fields stay as they are too
	case []any: // GORM puts a sub-query into a list
		if _, query := first(v).(*gorm.DB); query {
			return nil
		}
	}
	converted, err := f.Convert(plainOf(value))
	if err != nil {
		return err
	}
	if !converted.IsValid() {
		dst.SetZero()
	} else {
		dst.Set(converted)
	}
	return nil
}

func first(list []any) any {
	if len(list) == 0 {
		return nil
	}
	return list[0]
}

// disable makes a schema that must not be used fail in every way that goes by
// the guard: writing is an error, and so is making the table.
func disable(s *schema.Schema, err error) {
	for _, sf := range s.Fields {
		if _, tagged := sf.Tag.Lookup(fieldcrypt.TagName); !tagged {
			continue
		}
		sf.DBName = poisonName(err)
		sf.DataType = schema.DataType(ddlRefusal(sf.DBName))
		sf.GORMDataType = sf.DataType
		sf.ValueOf = func(context.Context, reflect.Value) (any, bool) { return refusedValue{err}, false }
		sf.Set = func(context.Context, reflect.Value, any) error { return err }
		sf.NewValuePool = holders{}
	}
}
