package fieldcrypt

import (
	"context"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/fieldcrypt/go/internal/frame"
	"github.com/fieldcrypt/go/keymgr"
)

// A stored value, version 1 (FORMAT.md, "Stored values"). Do not change these:
// stored bytes depend on them.
const (
	header0, header1 = 0xFC, 0x01
	tinkPrefix       = 0x01

	headerSize = 2
	prefixSize = 1 + 4 // Tink's: 01, key id
	saltSize   = 12
	gcmSize    = 12 + 16 // iv and tag

	// Overhead is how many bytes longer than its typed plaintext a value is.
	Overhead = headerSize + prefixSize + saltSize + gcmSize
	// MinSize is a lower bound of a stored value's length in bytes, whatever
	// its key's type: the database CHECK asks for it.
	MinSize = 36
)

// keyID reads the key id of a stored value.
func keyID(stored []byte) (uint32, error) {
	if len(stored) < MinSize || stored[0] != header0 || stored[1] != header1 || stored[2] != tinkPrefix {
		return 0, ErrNotSealed
	}
	return binary.BigEndian.Uint32(stored[headerSize+1:]), nil
}

// Row is what values take from the row that they stand in, apart from
// themselves. The zero Row is that of a table without tenants and bound fields.
type Row struct {
	// Tenant is the value of the row's tenant column. Where it is "", the
	// context's tenant is meant.
	Tenant string
	// Bound returns the value of f.Bind, by the type of that Go field. It is
	// asked for fields with bind= only.
	Bound func(f *Field) (reflect.Value, error)
}

// associatedData returns frame('v'; domain, tenant, table, column[, bound]): what
// is fixed, which must not be changed, or what it has put into *buf.
func (f *Field) associatedData(buf *[]byte, at *fixed, tenant string, row *Row) (ad []byte, err error) {
	if at != nil && f.Bind == nil {
		return at.frame, nil
	}
	count := 4
	if f.Bind != nil {
		count++
	}
	ad = appendHead((*buf)[:0], frame.Value, count, f.Domain, tenant, f.Table, f.Name)
	if f.Bind != nil {
		ad, err = f.appendBound(ad, row)
	}
	*buf = ad
	return ad, err
}

// appendBound appends the bound value as a part of the frame.
func (f *Field) appendBound(dst []byte, row *Row) ([]byte, error) {
	if row.Bound == nil {
		return dst, fmt.Errorf("%w: the value is bound to field %s, which is not here", ErrUnsupported, f.Bind.Path)
	}
	v, err := row.Bound(f)
	if err != nil {
		return dst, err
	}
	base, null := reflect.Value{}, true
	if v.IsValid() {
		if v.Type() != f.Bind.Type {
			return dst, wrongType("a %s is no %s, the type of field %s", v.Type(), f.Bind.Type, f.Bind.Path)
		}
		base, null = f.Bind.codec.unwrap(v)
	}
	if null {
		return dst, wrongType("the value is bound to field %s, which is NULL", f.Bind.Path)
	}
	at := len(dst)
	dst, err = f.Bind.codec.appendBound(append(dst, 0, 0, 0, 0), base)
	if err == nil {
		binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	}
	return dst, err
}

func (f *Field) err(op string, keyID uint32, cause error, hint string) error {
	if e := (*Error)(nil); errors.As(cause, &e) {
		return cause
	}
	return &Error{Op: op, Model: f.Model.Name, Field: f.Path, Table: f.Table, Column: f.Name, KeyID: keyID, Err: cause, Hint: hint}
}

// Open opens a stored value of a field into dst, which is settable and of the
// field's Go type. NULL, which is a nil stored, sets the zero value. After an
// error dst is as it was.
//
// Errors: *Error matching [ErrNotSealed], [ErrAuthentication], [ErrWrongType],
// [ErrUnknownKey], [ErrKeyDisabled], [ErrNoTenant], or an error of keys.
func (c *Crypter) Open(ctx context.Context, f *Field, stored []byte, dst reflect.Value, row Row) error {
	if dst.Type() != f.Type || !dst.CanSet() {
		return f.err("open", 0, wrongType("the destination is a %s that cannot be set, or no %s", dst.Type(), f.Type), "")
	}
	if stored == nil {
		dst.SetZero()
		return nil
	}
	id, err := keyID(stored)
	if err != nil {
		return f.err("open", 0, err, "the column holds something that fieldcrypt did not write")
	}
	if err := c.open(ctx, f, id, stored, dst, &row); err != nil {
		return f.err("open", id, err, "")
	}
	return nil
}

func (c *Crypter) open(ctx context.Context, f *Field, id uint32, stored []byte, dst reflect.Value, row *Row) error {
	scope, err := c.readScope(ctx, f, row.Tenant)
	if err != nil {
		return err
	}
	at := f.at(c)
	keys, err := c.openKeys(ctx, at, scope, id)
	if err != nil {
		return err
	}
	key, err := keys.SealKey(id)
	if err != nil {
		return err
	}
	buf := getScratch()
	defer buf.free()
	ad, err := f.associatedData(&buf.b, at, scope.Tenant, row)
	if err != nil {
		return err
	}
	plaintext, err := c.decrypt(key, stored, ad, buf)
	if err != nil {
		return err
	}
	return f.codec.decode(plaintext, dst)
}

// decrypt returns the typed plaintext, which lives in buf where the key is
// record-keyed.
func (c *Crypter) decrypt(key *keymgr.SealKey, stored, ad []byte, buf *scratch) ([]byte, error) {
	if !key.RecordKeyed() {
		plaintext, err := key.AEAD().Decrypt(stored[headerSize:], ad)
		if err != nil {
			return nil, ErrAuthentication
		}
		return plaintext, nil
	}
	if len(stored) <= Overhead {
		return nil, ErrNotSealed
	}
	rest := stored[headerSize+prefixSize:]
	aead, err := c.records.aead(key, (*[saltSize]byte)(rest))
	if err != nil {
		return nil, err
	}
	n := len(buf.b)
	out, err := aead.Open(buf.b, nil, rest[saltSize:], ad) // appends, behind ad if that is there
	if err != nil {
		return nil, ErrAuthentication
	}
	buf.b, buf.whole = out, false // Open writes nothing behind the plaintext
	return out[n:], nil
}

// seal appends a stored value to dst.
func seal(dst []byte, key *keymgr.SealKey, record cipher.AEAD, salt *[saltSize]byte, plaintext, ad []byte) ([]byte, error) {
	if !key.RecordKeyed() {
		ct, err := key.AEAD().Encrypt(plaintext, ad)
		if err != nil {
			return nil, fmt.Errorf("%w: Tink cannot encrypt with this key", keymgr.ErrKeysetInvalid)
		}
		dst = slices.Grow(dst, headerSize+len(ct))
		return append(append(dst, header0, header1), ct...), nil
	}
	dst = slices.Grow(dst, Overhead+len(plaintext))
	return record.Seal(appendRecordHeader(dst, key.ID(), salt), nil, plaintext, ad), nil
}

// appendRecordHeader appends what stands before iv, ciphertext and tag.
func appendRecordHeader(dst []byte, keyID uint32, salt *[saltSize]byte) []byte {
	dst = append(dst, header0, header1, tinkPrefix)
	dst = binary.BigEndian.AppendUint32(dst, keyID)
	return append(dst, salt[:]...)
}
