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
// the index columns.
func (sc *scope) insertValues(e clause.Expression) (clause.Expression, error) {
	values, ok := e.(clause.Values)
	if !ok {
		return e, nil
	}
	if !sc.encrypted() {
		return e, sc.computed(values)
	}
	columns := make([]*column, len(values.Columns))
	place := map[*column]int{}
	for i, col := range values.Columns {
		c, err := sc.target(col.Name)
		if err != nil {
			return nil, err
		}
		if c != nil && sc.at(place, c) >= 0 {
			return nil, twice(c)
		}
		if columns[i] = c; c != nil {
			place[c] = i
		}
	}
	if len(place) == 0 {
		return e, sc.computed(values)
	}
	if err := sc.keysReady(); err != nil {
		return nil, err
	}
	var indexes []*index // of columns that are all there; one over a missing, and so NULL, column is NULL
	for _, ix := range sc.main().indexes() {
		if !slices.ContainsFunc(ix.columns, func(c *column) bool { return sc.at(place, c) < 0 }) {
			indexes = append(indexes, ix)
		}
	}
	out := clause.Values{Columns: slices.Clone(values.Columns), Values: make([][]any, len(values.Values))}
	for _, ix := range indexes {
		out.Columns = append(out.Columns, clause.Column{Name: ix.name})
	}
	for i, row := range values.Values {
		if len(row) != len(columns) {
			out.Values[i] = row // of a nil among structs: GORM has refused it already
			continue
		}
		sealedRow, err := sc.sealRow(row, columns, indexes, place)
		if err != nil {
			return nil, err
		}
		out.Values[i] = sealedRow
	}
	return out, nil
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

func (sc *scope) sealRow(row []any, columns []*column, indexes []*index, place map[*column]int) ([]any, error) {
	sealer := sc.b.crypter.Sealer(sc.stmt.Context, fieldcrypt.Row{})
	out := make([]any, len(row), len(row)+len(indexes))
	inputs := make([]reflect.Value, len(row))
	for i, v := range row {
		var err error
		if columns[i] == nil {
			if out[i], _, err = sc.value(v); err != nil {
				return nil, err
			}
			continue
		}
		if out[i], inputs[i], err = sc.b.seal(sealer, columns[i], v); err != nil {
			return nil, err
		}
	}
	for _, ix := range indexes {
		parts := make([]reflect.Value, len(ix.columns))
		for i, c := range ix.columns {
			parts[i] = inputs[sc.at(place, c)]
		}
		computed, err := sealer.Index(ix.blind, parts...)
		if err != nil {
			return nil, err
		}
		out = append(out, term(computed))
	}
	return out, nil
}

// at returns where a column stands, or -1. Two models of one table have each
// their own column of one name.
func (sc *scope) at(place map[*column]int, c *column) int {
	if i, ok := place[c]; ok {
		return i
	}
	for other, i := range place {
		if other.key() == c.key() {
			return i
		}
	}
	return -1
}

// target resolves a column that is written: nil if it is not encrypted.
func (sc *scope) target(name string) (*column, error) {
	_, name = splitPath(name)
	name = strings.ToLower(unquote(name))
	if ix := sc.main().index(name); ix != nil {
		return nil, fieldErr("write", ix.columns[0].field, fieldcrypt.ErrUnsupported,
			"gormcrypt alone writes the index column "+ix.name+"; write the field")
	}
	return sc.main().column(name), nil
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
	input, err := inputOf(c, v)
	if err != nil || !input.IsValid() {
		return nil, input, err
	}
	stored, err := sealer.Seal(c.field, input)
	return b.value(stored), input, err
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
