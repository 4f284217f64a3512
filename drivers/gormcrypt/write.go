package gormcrypt

import (
	"reflect"
	"slices"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// insertValues seals the rows of an INSERT, each with a salt of its own, and adds
// the columns that this package alone writes.
func (sc *scope) insertValues(e clause.Expression) (clause.Expression, error) {
	values, ok := e.(clause.Values)
	if !ok {
		return e, nil
	}
	if !sc.encrypted() {
		return e, sc.computed(values)
	}
	in, err := sc.insertion(values)
	if err != nil {
		return nil, err
	}
	if !in.seals && in.tenant == nil {
		return e, sc.computed(values)
	}
	if in.seals {
		if err := sc.keysReady(in.columns...); err != nil {
			return nil, err
		}
	}
	return in.run(values)
}

// computed looks at the values of an INSERT that seals nothing: they may be
// expressions that read encrypted columns.
func (sc *scope) computed(values clause.Values) error {
	if len(sc.reg.tables) == 0 {
		return nil
	}
	for _, row := range values.Values {
		for _, v := range row {
			if _, changed, err := sc.value(v); err != nil || changed {
				return firstError(err, queryErr("an encrypted column among the values of an INSERT"))
			}
		}
	}
	return nil
}

// twice refuses two values for one column: databases differ in which they take,
// and the index must fit it.
func twice(c *column) error {
	return fieldErr("write", c.field, fieldcrypt.ErrUnsupported, "the column is given twice in one statement, by its field's name and its own or by a hook; give it once")
}

// givenTwice is twice for a column that the values of others depend on.
func givenTwice(k *companion) error {
	return fieldErrOf(k, "the column is given twice in one statement, by its field's name and its own or by a hook; give it once")
}

// target resolves a column that is written: nil if it is not encrypted.
func (sc *scope) target(name string) (*column, error) {
	_, name = splitPath(name)
	name = strings.ToLower(unquote(name))
	if ix := sc.main().index(name); ix != nil {
		return nil, fieldErr("write", ix.columns[0].field, fieldcrypt.ErrUnsupported,
			"gormcrypt alone writes the index column "+ix.name+"; write the field")
	}
	return sc.main().find(name)
}

func (s *source) index(name string) *index {
	for _, t := range s.tables {
		if ix := t.indexes[name]; ix != nil {
			return ix
		}
	}
	return nil
}

// indexes returns all indexes of a source, each once, in order of their names.
func (s *source) indexes() (all []*index) {
	for i, t := range s.tables {
		for name, ix := range t.indexes {
			if !slices.ContainsFunc(s.tables[:i], func(o *table) bool { return o.indexes[name] != nil }) {
				all = append(all, ix)
			}
		}
	}
	slices.SortFunc(all, func(a, b *index) int { return strings.Compare(a.name, b.name) })
	return all
}

// seal returns what is stored for a value, and the value as the field's Go type,
// for its indexes.
func (b *binding) seal(sealer *fieldcrypt.Sealer, c *column, v any) (any, reflect.Value, error) {
	input, out, null, err := b.appendSealed(nil, sealer, c, v)
	if null || err != nil {
		return nil, input, err
	}
	return b.value(out), input, nil
}

// appendSealed is seal into a buffer that values share.
func (b *binding) appendSealed(buf []byte, sealer *fieldcrypt.Sealer, c *column, v any) (input reflect.Value, out []byte, null bool, err error) {
	if input, err = inputOf(c, v); err != nil || !input.IsValid() {
		return input, buf, true, err
	}
	out, null, err = sealer.AppendSeal(buf, c.field, input)
	return input, out, null, err
}

// inputOf turns what a struct, a map or an assignment holds for an encrypted
// column into its field's Go type; the zero Value is NULL.
func inputOf(c *column, v any) (reflect.Value, error) {
	if p, ok := v.(*plain); ok {
		v = p.v
	}
	if reflect.TypeOf(v) == c.field.Type {
		return reflect.ValueOf(v), nil
	}
	switch given := v.(type) {
	case nil:
		return reflect.Value{}, nil
	case clause.Expr:
		if strings.EqualFold(strings.TrimSpace(given.SQL), "NULL") {
			return reflect.Value{}, nil
		}
		return reflect.Value{}, computed(c)
	case clause.Expression, clause.Column, clause.Table, *gorm.DB:
		return reflect.Value{}, computed(c)
	case []any:
		if _, query := first(given).(*gorm.DB); query {
			return reflect.Value{}, computed(c)
		}
	case gorm.Valuer:
		return reflect.Value{}, computed(c)
	}
	return c.field.Convert(plainOf(v))
}

func computed(c *column) error {
	return fieldErr("write", c.field, fieldcrypt.ErrUnsupported,
		"a value that the database computes cannot be encrypted; compute it in Go, or set NULL by nil")
}
