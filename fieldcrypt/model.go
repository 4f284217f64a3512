package fieldcrypt

import (
	"fmt"
	"reflect"
	"slices"
	"sync"
)

// Model is what the tags of a struct say. It is parsed once per type and
// immutable.
type Model struct {
	Name    string       // Go type, "app.Patient"
	Type    reflect.Type // of the struct
	Table   string       // logical table
	Fields  []*Field     // encrypted fields, in order of declaration
	Indexes []*BlindIndex
	Tenant  *PlainField // the tenant column, or nil

	plain   []*PlainField
	derived sync.Map // a driver's key -> *derived
}

// Field is an encrypted field of a model. It is immutable.
type Field struct {
	Model  *Model
	Path   string       // Go selector, "Address.Street", with the names of embedded structs
	Index  []int        // reflect index path, through pointers to embedded structs too
	Type   reflect.Type // Go type
	Column string       // column by `gorm:"column:"`, `db:` or the default names; what SQL names it may differ

	Table  string // logical table: part of the identity that values are bound to
	Name   string // logical column
	Domain string // key domain
	Pad    int    // pad=<n>; 0 for none

	PerTenant bool        // the domain has keys per tenant
	Bind      *PlainField // bind=<Field>, or nil
	Plain     string      // plain=<column>, or ""
	Fallback  bool        // plain=<column>,fallback

	Indexes []*BlindIndex // those that this field is a part of; the tag's own first

	codec *codec
	fixed *fixed // nil: the frame is made each time
}

// PlainField is a field that is stored as it is and that values are bound to:
// the tenant column or the target of bind=.
type PlainField struct {
	Model  *Model
	Path   string
	Index  []int
	Type   reflect.Type
	Column string

	codec *codec
}

// Identity returns the field's stable logical name, "patients.mrn".
func (f *Field) Identity() string { return identity{f.Table, f.Name}.String() }

// SearchIndex returns the index that answers equality on this field: over the
// field alone, of full length, and of the whole value: first(n) and last(n) keep
// a part of it. It is nil if there is none.
func (f *Field) SearchIndex() *BlindIndex {
	for _, ix := range f.Indexes {
		if len(ix.parts) == 1 && ix.Bits == MaxIndexBits && !ix.parts[0].shortens() {
			return ix
		}
	}
	return nil
}

// Domains returns the key domains of the model's fields, sorted, each once.
func (m *Model) Domains() []string {
	var domains []string
	for _, f := range m.Fields {
		domains = append(domains, f.Domain)
	}
	slices.Sort(domains)
	return slices.Compact(domains)
}

// PerTenant reports whether fields of the model have keys per tenant: its rows
// belong to the tenants in the column of Tenant.
func (m *Model) PerTenant() bool {
	return slices.ContainsFunc(m.Fields, func(f *Field) bool { return f.PerTenant })
}

// Field returns the field with a Go selector, or nil.
func (m *Model) Field(path string) *Field {
	for _, f := range m.Fields {
		if f.Path == path {
			return f
		}
	}
	return nil
}

// err makes an Error of kind ErrModel about a field of the model; path may be "".
func (m *Model) err(path string, cause error) error {
	return &Error{Op: "model", Model: m.Name, Field: path, Err: fmt.Errorf("%w: %w", ErrModel, cause)}
}

// Model returns the parsed model of a struct type: of a value, a pointer, a
// slice of them, or a [reflect.Type]. Parsing happens once per type. A struct
// without tags gives a Model without Fields.
//
// Errors: *Error matching [ErrModel], or [ErrUnknownDomain] for a domain that
// the keys do not have.
func (c *Crypter) Model(v any) (*Model, error) {
	t, ok := v.(reflect.Type)
	if !ok {
		t = reflect.TypeOf(v)
	}
	for t != nil && (t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Array) {
		t = t.Elem()
	}
	if t == nil || t.Kind() != reflect.Struct {
		return nil, &Error{Op: "model", Err: fmt.Errorf("%w: %v is not a struct", ErrModel, t)}
	}
	if r, ok := c.models.Load(t); ok {
		return r.(*modelResult).unpack()
	}
	m, err := c.parseModel(t)
	r, _ := c.models.LoadOrStore(t, &modelResult{m, err})
	return r.(*modelResult).unpack()
}

type modelResult struct {
	model *Model
	err   error
}

func (r *modelResult) unpack() (*Model, error) { return r.model, r.err }
