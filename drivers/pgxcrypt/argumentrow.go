package pgxcrypt

import (
	"context"
	"fmt"
	"reflect"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// argumentRow is the arguments that write one row. It changes its values.
type argumentRow struct {
	ctx    context.Context
	fc     *fieldcrypt.Crypter
	sql    string
	values []any
	tenant string
	named  bool // the tenant is among the values

	secrets []argumentSecret
	indexes []argumentIndex
}

// argumentSecret is a Secret among arguments.
type argumentSecret struct {
	at     int
	secret fieldcrypt.AnySecret
	field  *fieldcrypt.Field
	sealer *fieldcrypt.Sealer
	own    map[bool]bool // it has its index; and, for true, its second one
}

// argumentIndex is a SecretIndex among arguments.
type argumentIndex struct {
	at   int
	of   fieldcrypt.AnySecret
	set  bool
	next bool
	term []byte
	used bool // a Secret's
}

// tenants fills the tenants among the values, which must be one, and returns them.
func (r *argumentRow) tenants() (found []any, err error) {
	for i, v := range r.values {
		if p, ok := v.(*fieldcrypt.Tenant); ok && p != nil {
			v = *p
		}
		own, ok := v.(fieldcrypt.Tenant)
		if !ok {
			continue
		}
		tenant, err := fieldcrypt.TenantOf(r.ctx, string(own))
		if err == nil && r.named && tenant != r.tenant {
			err = fieldcrypt.ErrTenantMismatch
		}
		if err != nil {
			return nil, usageErr("seal", err, "the tenant among the arguments; set it, or use fieldcrypt.WithTenant")
		}
		r.tenant, r.named = tenant, true
		r.values[i] = tenant
		found = append(found, fieldcrypt.Tenant(tenant))
	}
	return found, nil
}

// seal seals the values.
func (r *argumentRow) seal() error {
	for i, v := range r.values {
		switch v := present(v).(type) {
		case fieldcrypt.AnySecret:
			if err := r.addSecret(i, v); err != nil {
				return err
			}
		case fieldcrypt.AnySecretIndex:
			of, set, next := fieldcrypt.SecretOf(v)
			r.indexes = append(r.indexes, argumentIndex{at: i, of: of, set: set, next: next})
		}
	}
	for i := range r.indexes {
		if err := r.sealIndex(&r.indexes[i]); err != nil {
			return err
		}
	}
	if err := r.paired(); err != nil {
		return err
	}
	for _, s := range r.secrets {
		b, err := s.sealer.SealSecret(s.secret)
		if err != nil {
			return err
		}
		r.values[s.at] = argument(b)
	}
	return nil
}

// present takes a pointer off a pointer to a Secret, and puts NULL in the place of
// a nil one.
func present(v any) any {
	rv := reflect.ValueOf(v)
	if isPointerTo(v) && !rv.IsNil() {
		rv = rv.Elem()
		v = rv.Interface()
	}
	switch v.(type) {
	case fieldcrypt.AnySecret, fieldcrypt.AnySecretIndex:
		if rv.Kind() == reflect.Pointer && rv.IsNil() {
			return reflect.New(rv.Type().Elem()).Interface()
		}
	}
	return v
}

// addSecret notes a Secret. Those of one column are of different rows, which do
// not share a salt.
func (r *argumentRow) addSecret(at int, secret fieldcrypt.AnySecret) error {
	f, err := r.fc.SecretField(secret)
	if err != nil {
		return err
	}
	if f.PerTenant && !r.named {
		return fieldErr("seal", f, fieldcrypt.ErrUnsupported, "its keys are those of the row's tenant, and no fieldcrypt.Tenant is among the arguments; give the tenant column that type, and write it or make it a condition")
	}
	if f.PerTenant {
		for _, t := range targets(r.sql) {
			if err := t.holds("seal", f); err != nil {
				return err
			}
		}
	}
	s := argumentSecret{at: at, secret: secret, field: f, own: map[bool]bool{}}
	same := 0
	for _, other := range r.secrets {
		if fieldcrypt.SameColumn(other.secret, secret) {
			same++
		} else if s.sealer == nil {
			s.sealer = other.sealer
		}
	}
	if s.sealer == nil || same > 0 {
		s.sealer = r.sealer()
	}
	r.secrets = append(r.secrets, s)
	return nil
}

func (r *argumentRow) sealer() *fieldcrypt.Sealer {
	return r.fc.Sealer(r.ctx, fieldcrypt.Row{Tenant: r.tenant})
}

// indexOf returns the index argument of a Secret's column.
func (r *argumentRow) indexOf(secret fieldcrypt.AnySecret, next bool) *argumentIndex {
	for i := range r.indexes {
		if ix := &r.indexes[i]; ix.next == next && fieldcrypt.SameColumn(ix.of, secret) {
			return ix
		}
	}
	return nil
}

// sealIndex computes an index.
func (r *argumentRow) sealIndex(ix *argumentIndex) error {
	f, err := r.fc.SecretField(ix.of)
	if err != nil {
		return err
	}
	if f.PerTenant && !r.named {
		return fieldErr("index", f, fieldcrypt.ErrUnsupported, "its keys are those of the row's tenant, and no fieldcrypt.Tenant is among the arguments; search by Crypter.SecretTerms")
	}
	if !ix.set {
		n := 0
		for _, s := range r.secrets {
			if fieldcrypt.SameColumn(s.secret, ix.of) {
				ix.of, ix.used = s.secret, true
				s.own[ix.next] = true
				n++
			}
		}
		if n != 1 {
			return fieldErr("index", f, fieldcrypt.ErrUnsupported, fmt.Sprintf("the index argument is empty, and %d Secrets of its column are among the arguments; make it with Secret.Index, or search by Crypter.SecretTerms", n))
		}
	}
	term, moving, err := r.sealer().SecretTerm(ix.of, ix.next)
	if err != nil {
		return err
	}
	if moving && !ix.next && r.indexOf(ix.of, true) == nil {
		return fieldErr("index", f, fieldcrypt.ErrUnsupported, "the index is being moved to another key, and its second column is not among the arguments; write both, that one as a fieldcrypt.SecretNextIndex")
	}
	if err := updates("index", r.sql, f, moving); err != nil {
		return err
	}
	ix.term = term
	r.values[ix.at] = argument(term)
	return nil
}
