package fieldcrypt

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"reflect"
	"slices"

	"github.com/fieldcrypt/go/keymgr"
)

// maxSeals bounds the values sealed under one salt (FORMAT.md, "Limits").
const maxSeals = 1 << 16

// Sealer seals the values that one statement writes into one row. Those of one
// domain share a salt and so one key derivation. It is not safe for concurrent
// use and must not serve two statements, nor two rows without [Sealer.Next].
type Sealer struct {
	crypter *Crypter
	ctx     context.Context
	row     Row
	first   sealing // of the domain that came first; most rows have one
	others  []sealing
	ad      []byte // for associated data
}

// sealing is what the fields of one domain share.
type sealing struct {
	domain string
	tenant string
	keys   *keymgr.Keys // nil: none yet
	salt   [saltSize]byte
	record cipher.AEAD // nil if the primary key is not record-keyed
	seals  int
}

// Sealer returns a Sealer for one row of one statement.
func (c *Crypter) Sealer(ctx context.Context, row Row) *Sealer {
	return &Sealer{crypter: c, ctx: ctx, row: row}
}

// Next turns to another row of the same statement. The Sealer is then as
// [Crypter.Sealer] would make it: salts and record keys are fresh, and the keys
// of each domain are asked for anew, so that in a long statement too a key that
// was evicted, revoked or rotated serves no further row. Only memory is kept.
func (s *Sealer) Next(row Row) {
	s.row = row
	s.first = sealing{}
	clear(s.others)
	s.others = s.others[:0]
}

// Seal seals a value of the field's Go type. NULL (a nil pointer, slice, map or
// interface, an invalid sql.Null, the zero [reflect.Value]) gives nil.
//
// Errors: *Error matching [ErrWrongType], [ErrNoTenant], [ErrTenantMismatch], or
// an error of keys.
func (s *Sealer) Seal(f *Field, v reflect.Value) ([]byte, error) {
	out, null, err := s.AppendSeal(nil, f, v)
	if null || err != nil {
		return nil, err
	}
	return out, nil
}

// AppendSeal is [Sealer.Seal] that appends the stored value to dst, so that the
// values of a row, or of many, can share one buffer. null says that the value
// is NULL; then, and after an error, out is dst. The value must not share memory
// with dst.
func (s *Sealer) AppendSeal(dst []byte, f *Field, v reflect.Value) (out []byte, null bool, err error) {
	if !v.IsValid() {
		return dst, true, nil
	}
	if v.Type() != f.Type {
		return dst, false, f.err("seal", 0, wrongType("a %s is no %s", v.Type(), f.Type), "")
	}
	base, null := f.codec.unwrap(v)
	if null {
		return dst, true, nil
	}
	if out, err = s.seal(dst, f, base); err != nil {
		return dst, false, f.err("seal", 0, err, "")
	}
	return out, false, nil
}

func (s *Sealer) seal(dst []byte, f *Field, base reflect.Value) ([]byte, error) {
	at := f.at(s.crypter)
	d, err := s.domain(at, f.Domain, f.PerTenant)
	if err != nil {
		return nil, err
	}
	key, err := d.use()
	if err != nil {
		return nil, err
	}
	ad, err := f.associatedData(&s.ad, at, d.tenant, &s.row)
	if err != nil {
		return nil, err
	}
	if n := f.codec.size(base); n > 0 && key.RecordKeyed() {
		return d.seal(dst, f, base, padded(n, f.Pad), ad)
	}
	buf := getScratch()
	defer buf.free()
	b, err := f.codec.append(buf.b[:0], base)
	buf.b = b
	if err != nil {
		return nil, err
	}
	if f.Pad > 0 {
		b = pad(b, 0, f.Pad)
		buf.b = b
	}
	return seal(dst, key, d.record, &d.salt, b, ad)
}

// use returns the key for one more seal, and sees to its record key.
func (d *sealing) use() (key *keymgr.SealKey, err error) {
	key = d.keys.Primary()
	if key.RecordKeyed() && (d.record == nil || d.seals == maxSeals) {
		rand.Read(d.salt[:]) // never fails
		if d.record, err = key.Record(&d.salt); err != nil {
			return nil, err
		}
		d.seals = 0
	}
	d.seals++
	return key, nil
}

// seal seals a base value whose typed plaintext has n bytes, padding included,
// under a record key. It is encoded where its iv and ciphertext come to stand.
func (d *sealing) seal(dst []byte, f *Field, base reflect.Value, n int, ad []byte) ([]byte, error) {
	dst = slices.Grow(dst, Overhead+n) // so that no plaintext is left in memory that dst grew out of
	dst = appendRecordHeader(dst, d.keys.Primary().ID(), &d.salt)
	b, err := f.codec.append(dst, base)
	if err != nil {
		return nil, err
	}
	if f.Pad > 0 {
		b = pad(b, len(dst), f.Pad)
	}
	return d.record.Seal(dst, nil, b[len(dst):], ad), nil
}

// domain opens a domain's keys once per row. at may be nil.
func (s *Sealer) domain(at *fixed, domain string, perTenant bool) (*sealing, error) {
	if s.first.keys != nil && s.first.domain == domain {
		return &s.first, nil
	}
	for i := range s.others {
		if s.others[i].domain == domain {
			return &s.others[i], nil
		}
	}
	scope, err := s.crypter.scope(s.ctx, domain, perTenant, s.row.Tenant)
	if err != nil {
		return nil, err
	}
	keys, err := s.crypter.sealKeys(s.ctx, at, scope)
	if err != nil {
		return nil, err
	}
	d := &s.first
	if d.keys != nil {
		s.others = append(s.others, sealing{})
		d = &s.others[len(s.others)-1]
	}
	d.domain, d.tenant, d.keys = domain, scope.Tenant, keys
	return d, nil
}

// Index returns what is stored in an index column for the values of the
// index's fields, in their order, each of its field's Go type. It is nil, for
// NULL, if one of them is NULL or its transforms leave nothing of it.
//
// Errors: as Seal.
func (s *Sealer) Index(ix *BlindIndex, values ...reflect.Value) ([]byte, error) {
	out, null, err := s.AppendIndex(nil, ix, values...)
	if null || err != nil {
		return nil, err
	}
	return out, nil
}

// AppendIndex is [Sealer.Index] that appends the [BlindIndex.Size] bytes to
// dst. null says that the index is NULL; then, and after an error, out is dst.
func (s *Sealer) AppendIndex(dst []byte, ix *BlindIndex, values ...reflect.Value) (out []byte, null bool, err error) {
	at := ix.at(s.crypter)
	d, err := s.domain(at, ix.Domain, ix.PerTenant)
	if err != nil {
		return dst, false, ix.err("index", err, "")
	}
	buf := getScratch()
	defer buf.free()
	input, ok, err := ix.input(buf.b[:0], at, d.tenant, values)
	buf.b = input
	if err != nil {
		return dst, false, ix.err("index", err, "")
	}
	if !ok {
		return dst, true, nil
	}
	return ix.compute(dst, d.keys.IndexKeys()[0], buf), false, nil
}
