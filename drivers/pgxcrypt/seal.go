package pgxcrypt

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// written are the columns that a statement names, checked as a whole: what is
// sealed must be found and opened again.
//
// Errors: ErrUnsupported.
func (t *table) written(op string, columns []*column) error {
	has := func(c *column) bool { return slices.Contains(columns, c) }
	for _, ix := range t.indexes {
		for _, member := range ix.members {
			switch {
			case has(ix) && !has(member):
				return fieldErr(op, member.field, fieldcrypt.ErrUnsupported, fmt.Sprintf(
					"the index column %s is named without the column %s; write both together, and search by pgxcrypt.Eq", ix.name, member.name))
			case has(member) && !has(ix):
				return fieldErr(op, member.field, fieldcrypt.ErrUnsupported, fmt.Sprintf(
					"the column %s is named without its index column %s, which would no longer fit; write both together, and search by pgxcrypt.Eq", member.name, ix.name))
			}
		}
	}
	for _, c := range columns {
		if !c.encrypted() {
			continue
		}
		if c.bound != nil && !has(c.bound) {
			return fieldErr(op, c.field, fieldcrypt.ErrUnsupported, fmt.Sprintf(
				"the value is bound to %s, which is not named; write it too, or make it a condition", c.bound.name))
		}
		if c.field.PerTenant && !has(t.tenant) {
			return fieldErr(op, c.field, fieldcrypt.ErrUnsupported, fmt.Sprintf(
				"its keys are those of the row's tenant, but %s is not named; write it too, or make it a condition", t.tenant.name))
		}
	}
	return nil
}

// rowSealer seals the values that one statement writes from one struct.
type rowSealer struct {
	t      *table
	v      reflect.Value // the struct
	tenant string
	sealer *fieldcrypt.Sealer
	parts  []reflect.Value
}

// sealRow begins a row. The context's tenant rules: it stands in for a tenant
// field that is zero.
//
// Errors: ErrTenantMismatch, ErrNoTenant.
func (t *table) sealRow(ctx context.Context, fc *fieldcrypt.Crypter, v reflect.Value) (*rowSealer, error) {
	r := &rowSealer{t: t, v: v}
	if t.tenant != nil {
		if f := fieldOf(v, t.tenant.index); f.IsValid() {
			r.tenant = f.String()
		}
		switch given := fieldcrypt.TenantFrom(ctx); {
		case r.tenant == "":
			r.tenant = given
		case given != "" && given != r.tenant:
			return nil, modelErr("seal", t.model, fieldcrypt.ErrTenantMismatch, "row and context name two")
		}
		if t.perTenant && r.tenant == "" {
			return nil, modelErr("seal", t.model, fieldcrypt.ErrNoTenant, "the row names none; set its tenant field or use fieldcrypt.WithTenant")
		}
	}
	r.sealer = fc.Sealer(ctx, fieldcrypt.Row{Tenant: r.tenant, Bound: r.bound})
	return r, nil
}

// bound implements fieldcrypt.Row.Bound.
func (r *rowSealer) bound(f *fieldcrypt.Field) (reflect.Value, error) {
	return fieldOf(r.v, f.Bind.Index), nil
}

// bytes returns what is stored in an encrypted or an index column.
func (r *rowSealer) bytes(c *column) ([]byte, error) {
	if c.encrypted() {
		return r.sealer.Seal(c.field, fieldOf(r.v, c.index))
	}
	r.parts = r.parts[:0]
	for _, m := range c.members {
		r.parts = append(r.parts, fieldOf(r.v, m.index))
	}
	return r.sealer.Index(c.blind, r.parts...)
}

// value returns the argument of a column.
func (r *rowSealer) value(c *column) (any, error) {
	if c.encrypted() || c.blind != nil {
		b, err := r.bytes(c)
		return argument(b), err
	}
	v := r.plain(c)
	if !v.IsValid() {
		return nil, nil
	}
	return v.Interface(), nil
}

// plain returns the value of a column that is stored as it is.
func (r *rowSealer) plain(c *column) reflect.Value {
	v := fieldOf(r.v, c.index)
	if c == r.t.tenant && (!v.IsValid() || v.String() != r.tenant) {
		return reflect.ValueOf(r.tenant).Convert(c.typ)
	}
	return v
}

// fillTenant gives the struct of a row that was sealed the tenant that it was
// sealed for.
func (r *rowSealer) fillTenant() {
	if r.t.tenant == nil || r.tenant == "" || !r.v.CanSet() {
		return
	}
	if f := fieldOf(r.v, r.t.tenant.index); f.IsValid() && f.String() == "" {
		f.SetString(r.tenant)
	}
}

// of returns the column of a field.
func (t *table) of(f *fieldcrypt.Field) *column { return t.byName[f.Column] }

// structOf returns the struct that a value or pointer is; settable by pointer.
func structOf(row any) reflect.Value {
	v := reflect.ValueOf(row)
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	return v
}
