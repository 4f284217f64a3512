package fieldcrypt

import (
	"context"
	"encoding/binary"
	"fmt"
	"reflect"
	"slices"

	"github.com/fieldcrypt/go/internal/frame"
	"github.com/fieldcrypt/go/internal/transform"
	"github.com/fieldcrypt/go/keymgr"
)

// MaxIndexBits is the length of a full blind index in bits.
const MaxIndexBits = 128

// indexSuffix makes the index column of a tag out of the field's column.
const indexSuffix = "_bidx"

// Index declares a blind index in the method FieldcryptIndexes of a model: more
// than one on a field, over several fields, or truncated.
//
//	func (Patient) FieldcryptIndexes() []fieldcrypt.Index
type Index struct {
	Column string // the index column, and its logical name
	ID     string // logical name "table.column", kept when Column or the table is renamed; "" for the default
	Parts  []Part
	// Bits truncates the index, 1 to 128. A truncated index finds rows that do
	// not match, about one in 2^Bits, and so tells less to who reads the
	// database. Defaults to 0: all 128.
	Bits int
}

// Part is a field of an [Index] and the transforms that its value passes
// through, on write and on search.
type Part struct {
	Field     string // Go selector of an encrypted field
	Transform string // "fold|trim"; "" for none. See FORMAT.md, "Transforms"
}

type indexer interface{ FieldcryptIndexes() []Index }

// BlindIndex is a resolved index of a model. It is immutable.
type BlindIndex struct {
	Column string // column by declaration; what SQL names it may differ
	Name   string // logical name: part of what is hashed
	Table  string // logical table
	Domain string
	Bits   int      // 1..128
	Fields []*Field // of its parts, in order

	PerTenant bool
	parts     []indexPart
	fixed     *fixed // nil: the frame is made each time
}

type indexPart struct {
	field     *Field
	transform *transform.Pipeline // nil for none
}

// Size returns the length of the index column in bytes: the key id and the
// index itself.
func (ix *BlindIndex) Size() int { return 4 + (ix.Bits+7)/8 }

func (ix *BlindIndex) err(op string, cause error, hint string) error {
	return &Error{Op: op, Model: ix.Fields[0].Model.Name, Table: ix.Table, Column: ix.Name, Err: cause, Hint: hint}
}

// shortens reports whether values that differ may have one index.
func (p indexPart) shortens() bool { return p.transform != nil && p.transform.Shortens() }

// indexable: text, bytes, integers and times have one form per value.
func (c *codec) indexable() bool {
	switch c.form {
	case formText, formString, formBytes, formInt, formUint, formTime:
		return true
	}
	return false
}

func (c *codec) isText() bool { return c.form == formText || c.form == formString }

// binds reports whether a type can be a bound value: integers, UUIDs, text, bytes.
func (c *codec) binds() bool {
	if isUUID(c.base) {
		return true
	}
	switch c.form {
	case formText, formString, formBytes, formInt, formUint:
		return true
	}
	return false
}

// isUUID: any 16-byte array, however it prints.
func isUUID(t reflect.Type) bool {
	return t.Kind() == reflect.Array && t.Len() == 16 && t.Elem().Kind() == reflect.Uint8
}

// appendBound appends the type byte and payload of a bound value.
func (c *codec) appendBound(dst []byte, v reflect.Value) ([]byte, error) {
	if isUUID(c.base) {
		return append(append(dst, typeBytes), addressable(v).Elem().Bytes()...), nil
	}
	start := len(dst)
	dst, err := c.append(dst, v)
	if err == nil && dst[start] == typeTextM {
		dst[start] = typeText // one form for text, however the Go type makes it
	}
	return dst, err
}

// appendIndexed appends the type byte and payload under which a base value is
// indexed: text as 02, a time without its zone. ok is false if the transform
// leaves nothing of a value that was not empty.
func (p indexPart) appendIndexed(dst []byte, v reflect.Value) (_ []byte, ok bool, err error) {
	start := len(dst)
	dst, err = p.field.codec.append(dst, v)
	if err != nil {
		return dst, false, err
	}
	return p.normalize(dst, start)
}

// normalize makes what is indexed of a typed plaintext without padding, which is
// dst from start on.
func (p indexPart) normalize(dst []byte, start int) (_ []byte, ok bool, err error) {
	switch p.field.codec.form {
	case formTime:
		return dst[:len(dst)-4], true, nil
	case formText, formString:
		dst[start] = typeText
		if p.transform == nil {
			return dst, true, nil
		}
		empty := len(dst) == start+1
		out, err := p.transform.Rewrite(dst, start+1)
		if err != nil {
			return dst, false, wrongType("the index transform %s refused the value", p.transform)
		}
		return out, len(out) > start+1 || empty, nil
	}
	return dst, true, nil
}

// input appends the PRF input of an index: frame('i'; domain, tenant, table,
// name, value...). ok is false if the index is NULL. at is what is fixed, or nil.
func (ix *BlindIndex) input(dst []byte, at *fixed, tenant string, values []reflect.Value) (_ []byte, ok bool, err error) {
	if len(values) != len(ix.parts) {
		return dst, false, fmt.Errorf("%w: the index has %d fields, %d values were given", ErrUnsearchable, len(ix.parts), len(values))
	}
	dst = ix.begin(dst, at, tenant)
	for i, part := range ix.parts {
		if !values[i].IsValid() {
			return dst, false, nil
		}
		if values[i].Type() != part.field.Type {
			return dst, false, wrongType("a %s is no %s, the type of field %s", values[i].Type(), part.field.Type, part.field.Path)
		}
		base, null := part.field.codec.unwrap(values[i])
		if null {
			return dst, false, nil
		}
		at := len(dst)
		dst = append(dst, 0, 0, 0, 0)
		dst, ok, err = part.appendIndexed(dst, base)
		if err != nil || !ok {
			return dst, false, err
		}
		binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	}
	return dst, true, nil
}

// begin appends what stands before the values of the PRF input.
func (ix *BlindIndex) begin(dst []byte, at *fixed, tenant string) []byte {
	if at != nil {
		return append(dst, at.frame...)
	}
	return appendHead(dst, frame.Index, 4+len(ix.parts), ix.Domain, tenant, ix.Table, ix.Name)
}

// compute appends key id | PRF(input), truncated to the index's bits, to dst. The
// input is in buf, and the whole PRF is computed there.
func (ix *BlindIndex) compute(dst []byte, key *keymgr.IndexKey, buf *scratch) []byte {
	n := len(buf.b)
	buf.b = key.Compute(buf.b, buf.b)
	dst = slices.Grow(dst, ix.Size())
	dst = binary.BigEndian.AppendUint32(dst, key.ID())
	dst = append(dst, buf.b[n:][:ix.Size()-4]...)
	if spare := ix.Bits % 8; spare != 0 {
		dst[len(dst)-1] &= 0xFF << (8 - spare)
	}
	buf.b = buf.b[:n]
	return dst
}

// Terms returns what a search compares an index column with: the terms under
// every live index key, the one that writes first. The values are converted to
// their fields' types and pass through the index's transforms.
//
// Errors: *Error matching [ErrUnsearchable] for NULL and for a value that the
// transforms leave nothing of, [ErrWrongType], [ErrNoTenant], or an error of keys.
func (c *Crypter) Terms(ctx context.Context, ix *BlindIndex, row Row, values ...any) ([][]byte, error) {
	buf := getScratch()
	defer buf.free()
	keys, _, err := c.searchInput(ctx, ix, row, values, buf)
	if err != nil {
		return nil, err
	}
	return ix.terms(keys, buf), nil
}

// searchInput puts the PRF input of what is searched for into buf, and returns
// the keys and the tenant of the search.
func (c *Crypter) searchInput(ctx context.Context, ix *BlindIndex, row Row, values []any, buf *scratch) (*keymgr.Keys, string, error) {
	converted, err := ix.convert(values)
	if err != nil {
		return nil, "", err
	}
	scope, err := c.scope(ctx, ix.Domain, ix.PerTenant, row.Tenant)
	if err != nil {
		return nil, "", ix.err("search", err, "")
	}
	at := ix.at(c)
	keys, err := c.sealKeys(ctx, at, scope)
	if err != nil {
		return nil, "", ix.err("search", err, "")
	}
	input, ok, err := ix.input(buf.b[:0], at, scope.Tenant, converted)
	buf.b = input
	switch {
	case err != nil:
		return nil, "", ix.err("search", err, "")
	case !ok:
		return nil, "", ix.err("search", ErrUnsearchable, noTerm)
	}
	return keys, scope.Tenant, nil
}

// terms computes the index of the input in buf under every live key.
func (ix *BlindIndex) terms(keys *keymgr.Keys, buf *scratch) [][]byte {
	live := keys.IndexKeys()
	terms := make([][]byte, len(live))
	all := make([]byte, 0, len(live)*ix.Size())
	for i, k := range live {
		from := len(all)
		all = ix.compute(all, k, buf)
		terms[i] = all[from:len(all):len(all)]
	}
	return terms
}
