package pgxcrypt

import (
	"context"
	"fmt"
	"reflect"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// rowSealer seals the values that one statement writes from one struct.
type rowSealer struct {
	t      *table
	v      reflect.Value // the struct
	tenant string        // that it is sealed for
	sealer *fieldcrypt.Sealer
	parts  []reflect.Value
	buf    []byte // what was sealed of the row
	reuse  bool   // and may be overwritten by that of the next
}

// rowSize is the size of a row's first buffer, in bytes.
const rowSize = 512

// sealRow makes a rowSealer for one row.
func (t *table) sealRow(ctx context.Context, fc *fieldcrypt.Crypter, v reflect.Value) (*rowSealer, error) {
	r := &rowSealer{t: t}
	return r, r.begin(ctx, fc, v)
}

// begin begins a row, the first or the next. The context's tenant rules: it stands
// in for a tenant field that is zero.
//
// Errors: ErrTenantMismatch, ErrNoTenant.
func (r *rowSealer) begin(ctx context.Context, fc *fieldcrypt.Crypter, v reflect.Value) error {
	t := r.t
	r.v, r.tenant = v, ""
	if t.tenant != nil && t.model.PerTenant() {
		own := ""
		if f := fieldOf(v, t.tenant.index); f.IsValid() {
			own = f.String()
		}
		var err error
		if r.tenant, err = fieldcrypt.TenantOf(ctx, own); err != nil {
			return modelErr("seal", t.model, err, fmt.Sprintf("column %s; set the row's tenant field or use fieldcrypt.WithTenant", t.tenant.name))
		}
	}
	row := fieldcrypt.Row{Tenant: r.tenant}
	if t.binds {
		row.Bound = r.bound
	}
	if r.sealer == nil {
		r.sealer = fc.Sealer(ctx, row)
	} else {
		r.sealer.Next(row)
	}
	if !r.reuse || r.buf == nil {
		r.buf = make([]byte, 0, rowSize)
	}
	r.buf = r.buf[:0]
	return nil
}

// bound implements fieldcrypt.Row.Bound.
func (r *rowSealer) bound(f *fieldcrypt.Field) (reflect.Value, error) {
	return fieldOf(r.v, f.Bind.Index), nil
}

// bytes returns what is stored in an encrypted or an index column; nil is NULL.
func (r *rowSealer) bytes(c *column) (b []byte, err error) {
	start, null := len(r.buf), false
	switch c.kind {
	case encryptedColumn:
		r.buf, null, err = r.sealer.AppendSeal(r.buf, c.field, fieldOf(r.v, c.index))
	case nextColumn:
		b, _, err := r.sealer.NextIndex(c.blind, r.values(c)...)
		return b, err // NULL while the index is not moved
	default:
		r.buf, null, err = r.sealer.AppendIndex(r.buf, c.blind, r.values(c)...)
	}
	if null || err != nil {
		return nil, err
	}
	return r.buf[start:len(r.buf):len(r.buf)], nil
}

// values returns what an index is made of.
func (r *rowSealer) values(c *column) []reflect.Value {
	r.parts = r.parts[:0]
	for _, m := range c.members {
		r.parts = append(r.parts, fieldOf(r.v, m.index))
	}
	return r.parts
}

// moving reports whether an index is written under another key as well.
func (r *rowSealer) moving(c *column) (bool, error) {
	_, moving, err := r.sealer.NextIndex(c.blind, r.values(c)...)
	return moving, err
}

// value returns the argument of a column.
func (r *rowSealer) value(c *column) (any, error) {
	switch c.kind {
	case plainColumn, clearColumn:
		v := r.plain(c)
		if !v.IsValid() {
			return nil, nil
		}
		if c.kind == clearColumn {
			return unlogged(v), nil
		}
		return v.Interface(), nil
	}
	b, err := r.bytes(c)
	return argument(b), err
}

// plain returns the value of a column that is stored as it is.
func (r *rowSealer) plain(c *column) reflect.Value {
	v := fieldOf(r.v, c.index)
	if c == r.t.tenant && r.tenant != "" && v.IsValid() && v.String() == "" {
		return reflect.ValueOf(r.tenant).Convert(c.typ)
	}
	return v
}

// fillTenant gives the struct of a row that was sealed the tenant that it was
// sealed for.
func (r *rowSealer) fillTenant() {
	if r.tenant == "" || !r.v.CanSet() {
		return
	}
	if f := fieldOf(r.v, r.t.tenant.index); f.IsValid() && f.String() == "" {
		f.SetString(r.tenant)
	}
}

// structType takes the pointers off a type.
func structType(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

// structOf returns the struct that a value or pointer is; settable by pointer.
func structOf(row any) reflect.Value {
	v := reflect.ValueOf(row)
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	return v
}
