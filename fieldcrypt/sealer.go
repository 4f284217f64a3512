package fieldcrypt

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"reflect"

	"github.com/fieldcrypt/go/keymgr"
)

// maxSeals bounds the values sealed under one salt (FORMAT.md, "Limits").
const maxSeals = 1 << 16

// Sealer seals the values that one statement writes into one row. Those of one
// domain share a salt and so one key derivation. It is not safe for concurrent
// use and must not serve two rows or two statements.
type Sealer struct {
	crypter *Crypter
	ctx     context.Context
	row     Row
	records []sealing
}

// sealing is what the fields of one domain share.
type sealing struct {
	domain string
	tenant string
	keys   *keymgr.Keys
	salt   [saltSize]byte
	record cipher.AEAD // nil if the primary key is not record-keyed
	seals  int
}

// Sealer returns a Sealer for one row of one statement.
func (c *Crypter) Sealer(ctx context.Context, row Row) *Sealer {
	return &Sealer{crypter: c, ctx: ctx, row: row}
}

// Seal seals a value of the field's Go type. NULL (a nil pointer, slice, map or
// interface, an invalid sql.Null, the zero [reflect.Value]) gives nil.
//
// Errors: *Error matching [ErrWrongType], [ErrNoTenant], [ErrTenantMismatch], or
// an error of keys.
func (s *Sealer) Seal(f *Field, v reflect.Value) ([]byte, error) {
	if !v.IsValid() {
		return nil, nil
	}
	if v.Type() != f.Type {
		return nil, f.err("seal", 0, wrongType("a %s is no %s", v.Type(), f.Type), "")
	}
	base, null := f.codec.unwrap(v)
	if null {
		return nil, nil
	}
	out, err := s.seal(f, base)
	if err != nil {
		return nil, f.err("seal", 0, err, "")
	}
	return out, nil
}

func (s *Sealer) seal(f *Field, base reflect.Value) ([]byte, error) {
	d, err := s.domain(f.Domain, f.PerTenant)
	if err != nil {
		return nil, err
	}
	key := d.keys.Primary()
	if key.RecordKeyed() && (d.record == nil || d.seals == maxSeals) {
		rand.Read(d.salt[:]) // never fails
		if d.record, err = key.Record(&d.salt); err != nil {
			return nil, err
		}
		d.seals = 0
	}
	d.seals++
	buf := getScratch()
	defer buf.free()
	b, err := f.appendAssociatedData(buf.b[:0], d.tenant, &s.row)
	buf.b = b
	if err != nil {
		return nil, err
	}
	n := len(b)
	b, err = f.codec.append(b, base)
	buf.b = b
	if err != nil {
		return nil, err
	}
	if f.Pad > 0 {
		b = pad(b, n, f.Pad)
		buf.b = b
	}
	return seal(key, d.record, &d.salt, b[n:], b[:n])
}

// domain opens a domain's keys once per row.
func (s *Sealer) domain(domain string, perTenant bool) (*sealing, error) {
	for i := range s.records {
		if s.records[i].domain == domain {
			return &s.records[i], nil
		}
	}
	scope, err := s.crypter.scope(s.ctx, domain, perTenant, s.row.Tenant)
	if err != nil {
		return nil, err
	}
	keys, err := s.crypter.keys.Keys(s.ctx, scope)
	if err != nil {
		return nil, err
	}
	s.records = append(s.records, sealing{domain: domain, tenant: scope.Tenant, keys: keys})
	return &s.records[len(s.records)-1], nil
}

// Index returns what is stored in an index column for the values of the
// index's fields, in their order, each of its field's Go type. It is nil, for
// NULL, if one of them is NULL or its transforms leave nothing of it.
//
// Errors: as Seal.
func (s *Sealer) Index(ix *BlindIndex, values ...reflect.Value) ([]byte, error) {
	d, err := s.domain(ix.Domain, ix.PerTenant)
	if err != nil {
		return nil, ix.err("index", err, "")
	}
	buf := getScratch()
	defer buf.free()
	input, ok, err := ix.input(buf.b[:0], d.tenant, values)
	buf.b = input
	if err != nil {
		return nil, ix.err("index", err, "")
	}
	if !ok {
		return nil, nil
	}
	return ix.compute(d.keys.IndexKeys()[0], input), nil
}
