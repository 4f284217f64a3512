package gormcrypt

import (
	"context"
	"database/sql/driver"
	"fmt"
	"hash/crc32"
	"io"
	"reflect"
	"slices"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// A field tagged plain=<column> is being adopted: the plaintext column is written
// beside the encrypted one, and read only where that is NULL, under a name of its
// own that the SELECT builder gives it.

// plainName is what the plaintext column of an encrypted one is called in
// results. It is short, as databases cut long names off.
func plainName(column string) string {
	return fmt.Sprintf("fieldcrypt plain %08x", crc32.ChecksumIEEE([]byte(strings.ToLower(column))))
}

// adopt gives a schema the plaintext column of a field: one for the migrator,
// which makes the column where it is missing and never changes it, and one for
// rows that are read.
func (b *binding) adopt(s *schema.Schema, sf *schema.Field, c *column) error {
	if s.FieldsByDBName[c.plain] != nil || s.FieldsByName[plainName(c.name)] != nil {
		return modelErr(c.field.Model.Name, c.field.Path, "its plaintext column "+c.plain+" is a column of the model too; remove the field, gormcrypt writes the column")
	}
	vf := virtualField(s, c.plain, "")
	vf.DataType = plainType(c.field.Type)
	vf.GORMDataType = vf.DataType
	vf.FieldType, vf.IndirectFieldType = plaintextType, plaintextType
	s.Fields = append(s.Fields, vf)
	s.DBNames = append(s.DBNames, c.plain)
	s.FieldsByDBName[c.plain] = vf
	s.FieldsByName[vf.Name] = vf

	read := virtualField(s, plainName(c.name), "")
	read.DBName, read.Readable = "", true
	read.FieldType, read.IndirectFieldType = reflect.TypeFor[any](), reflect.TypeFor[any]()
	read.NewValuePool = anyHolders{}
	read.Set = func(ctx context.Context, v reflect.Value, value any) error {
		return b.setPlain(ctx, c, v, sf.ReflectValueOf(ctx, v), value)
	}
	s.FieldsByName[read.Name] = read
	return nil
}

// setPlain gives a field what its plaintext column held.
func (b *binding) setPlain(ctx context.Context, c *column, owner, dst reflect.Value, value any) error {
	holder, ok := value.(**any)
	if !ok || *holder == nil || **holder == nil {
		return nil
	}
	v, err := b.readPlain(ctx, c, rowOf(c.field, owner).Tenant, **holder)
	if err == nil && v.IsValid() {
		dst.Set(v)
	}
	return err
}

// readPlain is the way of all plaintext from the database into the application.
func (b *binding) readPlain(ctx context.Context, c *column, tenant string, stored any) (reflect.Value, error) {
	if err := b.crypter.ReadPlaintext(ctx, c.field, tenant, false); err != nil {
		return reflect.Value{}, err
	}
	return c.field.FromPlain(stored)
}

// anyHolders is holders for plaintext columns.
type anyHolders struct{}

func (anyHolders) Get() any { return new(*any) }
func (anyHolders) Put(any)  {}

// plainType is the kind of column in which the application kept a Go type.
func plainType(t reflect.Type) schema.DataType {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	f := (&schema.Schema{}).ParseField(reflect.StructField{Name: "X", Type: t})
	if f.DataType == "" {
		return schema.String
	}
	return f.DataType
}

// plaintext is the type of plaintext columns, for the migrator.
type plaintext struct{}

var plaintextType = reflect.TypeFor[plaintext]()

// GormDBDataType implements migrator.GormDataTypeInterface: the column that is
// there stays as it is.
func (plaintext) GormDBDataType(db *gorm.DB, f *schema.Field) string {
	c, path := migratorCatalog(db, f)
	t, err := c.columns(path)
	if err != nil {
		return ddlRefusal(err.Error())
	}
	if live := t.column(f.DBName); live != nil {
		return live.typ
	}
	natural := *f
	natural.Size = 0
	return db.Dialector.DataTypeOf(&natural)
}

// adopted is a value on its way into a plaintext column, or compared with one.
// Once the statement has run, [redactPlain] puts something else in its place.
type adopted struct{ v driver.Value }

// Value implements driver.Valuer.
func (a adopted) Value() (driver.Value, error) { return a.v, nil }

// Format implements fmt.Formatter.
func (a adopted) Format(s fmt.State, _ rune) { io.WriteString(s, redactedText) }

// MarshalJSON implements json.Marshaler.
func (a adopted) MarshalJSON() ([]byte, error) { return []byte(`"` + redactedText + `"`), nil }

// adoptedOf makes a value of the field's Go type one for the plaintext column;
// the zero Value is NULL.
func adoptedOf(c *column, v reflect.Value) (any, error) {
	plain, err := c.field.ToPlain(v)
	if err != nil || plain == nil {
		return nil, err
	}
	return adopted{plain}, nil
}

// redactPlain takes plaintext out of a statement that has run, before anything
// logs it.
func redactPlain(db *gorm.DB) {
	for i, v := range db.Statement.Vars {
		if _, ok := v.(adopted); ok {
			db.Statement.Vars[i] = redacted{}
		}
	}
}

// redactRows makes GORM's Row and Rows do so: nothing stands behind them to come
// before.
func redactRows(row func(*gorm.DB), replace func(string, func(*gorm.DB)) error) error {
	if row == nil {
		return nil
	}
	return replace("gorm:row", func(db *gorm.DB) {
		row(db)
		redactPlain(db)
	})
}

// redacted stands in the place of plaintext in a statement that has run.
type redacted struct{}

// Value implements driver.Valuer.
func (redacted) Value() (driver.Value, error) { return redactedText, nil }

// Format implements fmt.Formatter.
func (redacted) Format(s fmt.State, _ rune) { io.WriteString(s, redactedText) }

// plainColumn returns the encrypted column whose plaintext is adopted from a
// column of that name, in lower case, or nil.
func (s *source) plainColumn(name string) *column {
	for _, t := range s.tables {
		if c := t.plains[name]; c != nil {
			return c
		}
	}
	return nil
}

// onPlain refuses to touch a plaintext column by its name: the encrypted one
// would no longer fit, or plaintext be read that nobody has allowed.
func onPlain(c *column) error {
	return fieldErr("query", c.field, fieldcrypt.ErrUnsupported, fmt.Sprintf(
		"its plaintext column %s is being adopted; use the column %s in its place, gormcrypt reads and writes both", c.plain, c.name))
}

// plainTerms compares the plaintext column with values, for rows whose encrypted
// column is NULL. It is nil unless the field falls back.
func (sc *scope) plainTerms(c *column, ix *index, values []any, tenant string) ([]any, error) {
	falls := func(c *column) bool { return c.plain != "" && c.field.Fallback }
	if !slices.ContainsFunc(ix.columns, falls) {
		return nil, nil
	}
	if len(ix.columns) > 1 || ix.truncated() || ix.blind.Partial() {
		return nil, fieldErr("search", c.field, fieldcrypt.ErrUnsearchable,
			"the index "+ix.name+" is of more than the whole value of one field, and the plaintext column that the field falls back to cannot be asked for that; backfill it and remove fallback")
	}
	if err := sc.b.crypter.ReadPlaintext(sc.stmt.Context, c.field, tenant, true); err != nil {
		return nil, err
	}
	out := make([]any, 0, len(values))
	for _, v := range values {
		if isNull(v) {
			out = append(out, nil)
			continue
		}
		converted, err := c.field.Convert(plainOf(v))
		if err != nil {
			return nil, err
		}
		plain, err := adoptedOf(c, converted)
		if err != nil {
			return nil, err
		}
		out = append(out, plain)
	}
	return out, nil
}
