package fieldcrypt

import (
	"reflect"
	"slices"
	"strings"
)

// Plain returns the fields that are stored as they are, in order of declaration,
// the tenant's among them. Fields with db:"-" and what GORM takes for a relation,
// a struct or a list of them without a column of its own, are none.
func (m *Model) Plain() []*PlainField { return m.plain }

// Derived returns what a driver has made of the model and kept with it under a
// key, which is of a type of the driver's own. It is made at first use.
func (m *Model) Derived(key any, make func() (any, error)) (any, error) {
	if d, ok := m.derived.Load(key); ok {
		return d.(*derived).value, d.(*derived).err
	}
	value, err := make()
	d, _ := m.derived.LoadOrStore(key, &derived{value, err})
	return d.(*derived).value, d.(*derived).err
}

type derived struct {
	value any
	err   error
}

// columns lists the plain columns.
func (p *parser) columns() (list []*PlainField) {
	for _, f := range p.plain {
		if isColumn(p.model.Type.FieldByIndex(f.Index)) {
			list = append(list, f)
		}
	}
	if p.model.Tenant != nil {
		list = append(list, p.model.Tenant)
	}
	slices.SortFunc(list, func(a, b *PlainField) int { return slices.Compare(a.Index, b.Index) })
	return list
}

// isColumn reports whether an untagged field is stored in a column.
func isColumn(f reflect.StructField) bool {
	db, _, _ := strings.Cut(f.Tag.Get("db"), ",")
	gorm := gormSettings(f.Tag.Get("gorm"))
	switch {
	case db == "-":
		return false
	case db != "" || gorm["COLUMN"] != "" || serialized(gorm):
		return true
	}
	t := deref(f.Type)
	if isValuer(f.Type) {
		return true
	}
	if t.Kind() == reflect.Slice || t.Kind() == reflect.Array {
		t = deref(t.Elem())
	}
	return t.Kind() != reflect.Struct || t == timeType || reflect.PointerTo(t).Implements(textMarshaler) ||
		reflect.PointerTo(t).Implements(valuerType)
}
