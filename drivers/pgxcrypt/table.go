package pgxcrypt

import (
	"context"
	"fmt"
	"hash/maphash"
	"reflect"
	"slices"
	"strings"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// table is a model as SQL sees it. It is made once per model and
// immutable, apart from the statements that it remembers.
type table struct {
	model   *fieldcrypt.Model
	columns []*column          // of Go fields, in order of declaration
	indexes []*column          // blind index columns
	byName  map[string]*column // all that a statement may name
	names   map[string]any     // the same for pgx's lexer
	tenant  *column            // nil if there is none
	domains []string
	binds   bool // a field is bound to another

	statements statements
}

// kind says what stands in a column.
type kind int

const (
	plainColumn     kind = iota // a Go field as it is
	encryptedColumn             // a Go field's sealed value
	indexColumn                 // a blind index
	nextColumn                  // the same under the key that it is moved to
	clearColumn                 // the plaintext of an encrypted column that is being adopted
)

// column is a column of a table.
type column struct {
	kind  kind
	name  string
	index []int        // of the Go field; nil for an index
	typ   reflect.Type // of the Go field

	within bool // the Go field cannot be nil, but is in a struct that can

	field *fieldcrypt.Field // of an encrypted column and of its plaintext
	bound *column           // encrypted: what the value is bound to, or nil
	clear *column           // encrypted: its plaintext, or nil

	blind   *fieldcrypt.BlindIndex // of an index, and of the same under another key
	members []*column              // index: the encrypted columns that it is made of
	next    *column                // index: the same under another key
}

func (c *column) encrypted() bool { return c.kind == encryptedColumn }

// tableKey is where a table is kept with its model.
type tableKey struct{}

// tableOf returns the table of a struct type, of a value or pointer of it.
func tableOf(fc *fieldcrypt.Crypter, model any) (*table, error) {
	if fc == nil {
		return nil, usageErr("model", fieldcrypt.ErrNotRegistered, "pgxcrypt was given no Crypter; make one with fieldcrypt.New")
	}
	m, err := fc.Model(model)
	if err != nil {
		return nil, err
	}
	t, err := m.Derived(tableKey{}, func() (any, error) { return newTable(m) })
	if err != nil {
		return nil, err
	}
	return t.(*table), nil
}

func newTable(m *fieldcrypt.Model) (*table, error) {
	t := &table{model: m, byName: map[string]*column{}, names: map[string]any{}, domains: m.Domains()}
	t.statements.seed = maphash.MakeSeed()
	var all []*column
	plain := map[string]*column{}
	for _, f := range m.Plain() {
		c := &column{name: f.Column, index: f.Index, typ: f.Type}
		plain[f.Path] = c
		t.columns = append(t.columns, c)
		if f == m.Tenant {
			t.tenant = c
		}
	}
	of := map[*fieldcrypt.Field]*column{}
	for _, f := range m.Fields {
		c := &column{kind: encryptedColumn, name: f.Column, index: f.Index, typ: f.Type, field: f}
		if f.Bind != nil {
			t.binds = true
			if c.bound = plain[f.Bind.Path]; c.bound == nil {
				return nil, fieldErr("model", f, fieldcrypt.ErrModel, `it is bound to a field without a column; take db:"-" off that`)
			}
		}
		if f.Plain != "" {
			c.clear = &column{kind: clearColumn, name: f.Plain, index: f.Index, typ: f.Type, field: f}
			all = append(all, c.clear)
		}
		of[f] = c
		t.columns = append(t.columns, c)
	}
	for _, c := range slices.Concat(t.columns, all) {
		c.within = isWithin(m.Type, c.index) && !canBeNil(c.typ)
	}
	slices.SortFunc(t.columns, func(a, b *column) int { return slices.Compare(a.index, b.index) })
	for _, ix := range m.Indexes {
		c := &column{kind: indexColumn, name: ix.Column, blind: ix}
		for _, f := range ix.Fields {
			c.members = append(c.members, of[f])
		}
		c.next = &column{kind: nextColumn, name: ix.Column + fieldcrypt.NextSuffix, blind: ix, members: c.members}
		t.indexes = append(t.indexes, c)
		all = append(all, c, c.next)
	}
	for _, c := range slices.Concat(t.columns, all) {
		if t.byName[c.name] != nil {
			return nil, modelErr("model", m, fieldcrypt.ErrModel, fmt.Sprintf("two of its fields have the column %s; name another", c.name))
		}
		t.byName[c.name] = c
		t.names[c.name] = c
	}
	return t, nil
}

// warm opens the keys of the model's fields, each domain's by itself: a statement
// may do without some. Where that fails, whoever needs the keys hears of it then.
func (t *table) warm(ctx context.Context, fc *fieldcrypt.Crypter) {
	for _, d := range t.domains {
		_ = fc.Warm(ctx, d)
	}
}

// of returns the column of a field.
func (t *table) of(f *fieldcrypt.Field) *column { return t.byName[f.Column] }

// find returns the column of a name in a result: exact, else without regard to
// case, else without regard to underscores, as pgx matches fields. It is nil if
// there is none or more than one.
func (t *table) find(name string) *column {
	if c := t.byName[name]; c != nil {
		return c
	}
	for _, form := range []func(string) string{
		strings.ToLower,
		func(s string) string { return strings.ToLower(strings.ReplaceAll(s, "_", "")) },
	} {
		var found []*column
		for n, c := range t.byName {
			if form(n) == form(name) {
				found = append(found, c)
			}
		}
		if len(found) == 1 {
			return found[0]
		}
	}
	return nil
}

// fieldOf returns the field of a column in a struct; the zero Value inside an
// embedded pointer that is nil.
func fieldOf(v reflect.Value, index []int) reflect.Value {
	if len(index) == 1 {
		return v.Field(index[0])
	}
	f, err := v.FieldByIndexErr(index)
	if err != nil {
		return reflect.Value{}
	}
	return f
}

// isWithin reports whether a field is in a struct that is embedded by pointer.
func isWithin(t reflect.Type, index []int) bool {
	for _, n := range index[:len(index)-1] {
		if t = t.Field(n).Type; t.Kind() == reflect.Pointer {
			return true
		}
	}
	return false
}

func canBeNil(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
		return true
	}
	return false
}

// makeField is fieldOf for a settable struct: it makes embedded pointers.
func makeField(v reflect.Value, index []int) reflect.Value {
	for i, n := range index {
		if i > 0 && v.Kind() == reflect.Pointer {
			if v.IsNil() {
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		v = v.Field(n)
	}
	return v
}
