package fieldcrypt

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
)

// ErrWrongIndex: the blind index of a row is not that of the row's values: one
// was changed, or copied from another row, without the other.
var ErrWrongIndex = errors.New("blind index does not belong to the value")

// Verify opens all values of a row, asks each whether an application would read
// it, and recomputes the row's indexes under the keys that they name. failures
// has an *Error for every value and index that is not as it must be, for which
// [FailureClass] has a class; it is valid until the next call. The second column
// of an index may be NULL, which says that it was not filled yet. Of JSON and of
// what marshalers wrote it sees the form alone, not whether the Go type takes it.
//
// Errors: an error of keys or of the context: nothing is said of the row then.
func (b *StoredBatch) Verify(row *StoredRow) (failures []error, err error) {
	if err := b.next(row); err != nil {
		return nil, err
	}
	if len(row.Terms) != len(b.table.indexes) || row.Next != nil && len(row.Next) != len(b.table.indexes) {
		return nil, &Error{Op: "verify", Err: fmt.Errorf("%w: %d terms were given for %d indexes", ErrUnsupported, len(row.Terms), len(b.table.indexes))}
	}
	defer b.wipe()
	b.errs = b.errs[:0]
	note := func(err error) error {
		if err != nil && FailureClass(err) == "" {
			return err
		}
		if err != nil {
			b.errs = append(b.errs, err)
		}
		return nil
	}
	for i, col := range b.table.columns {
		if err := note(b.verifyValue(row, i, col)); err != nil {
			return nil, err
		}
	}
	for i, ix := range b.table.indexes {
		if err := note(b.verifyTerm(row, ix, ix.Name, row.Terms[i])); err != nil {
			return nil, err
		}
		if row.Next != nil && row.Next[i] != nil {
			if err := note(b.verifyTerm(row, ix, ix.Name+NextSuffix, row.Next[i])); err != nil {
				return nil, err
			}
		}
	}
	return b.errs, nil
}

// verifyValue opens a value into b.opened and decodes it.
func (b *StoredBatch) verifyValue(row *StoredRow, i int, col *storedColumn) error {
	id, err := b.openColumn(row, i, col)
	if err != nil || b.opened[i].state != storedOpen {
		return err
	}
	p := &b.opened[i]
	value := reflect.New(col.Type).Elem()
	if err := col.codec.decode(b.plain.b[p.from:p.to], value); err != nil {
		p.state = storedClosed
		return col.storedErr("verify", id, err)
	}
	if col.Type.Kind() == reflect.Slice {
		clear(value.Bytes())
	}
	return nil
}

// openColumn opens a value into b.opened.
func (b *StoredBatch) openColumn(row *StoredRow, i int, col *storedColumn) (id uint32, err error) {
	stored := row.Values[i]
	if stored == nil {
		b.opened[i].state = storedNull
		return 0, nil
	}
	if id, err = keyID(stored); err != nil {
		return 0, col.storedErr("verify", 0, err)
	}
	s, err := b.scope(col.at(b.table.crypter), col.Domain, col.PerTenant, row.Tenant)
	if err != nil {
		return id, col.storedErr("verify", id, err)
	}
	ad, err := b.associatedData(col.Field, s.seal.tenant, row.Bound, i)
	if err != nil {
		return id, col.storedErr("verify", id, err)
	}
	from, to, err := b.open(s, id, stored, ad)
	if err != nil {
		return id, col.storedErr("verify", id, err)
	}
	b.opened[i] = storedPlaintext{from, to, storedOpen}
	return id, nil
}

// verifyTerm compares a stored term, of the column of a name, with that of the
// opened values.
func (b *StoredBatch) verifyTerm(row *StoredRow, ix *storedIndex, name string, stored []byte) error {
	for _, i := range ix.columns {
		if b.opened[i].state == storedClosed {
			return nil // that is a failure already
		}
	}
	wrong := func(id uint32, err error) error {
		return &Error{Op: "verify", Model: ix.Fields[0].Model.Name, Table: ix.Table, Column: name, KeyID: id, Err: err}
	}
	buf := getScratch()
	defer buf.free()
	s, null, err := b.termInput(row, ix, buf)
	if err != nil {
		return wrong(0, err)
	}
	switch {
	case null && stored == nil:
		return nil
	case null:
		return wrong(0, fmt.Errorf("%w: it is set, and the value has none", ErrWrongIndex))
	case stored == nil:
		return wrong(0, fmt.Errorf("%w: it is NULL, so that no search finds the row", ErrWrongIndex))
	case len(stored) != ix.Size():
		return wrong(0, fmt.Errorf("%w: it has %d bytes, not %d", ErrWrongIndex, len(stored), ix.Size()))
	}
	id, _ := IndexKeyID(stored)
	key, err := b.indexKey(s, id)
	if err != nil {
		return wrong(id, err)
	}
	var term [4 + MaxIndexBits/8]byte
	if !bytes.Equal(stored, ix.compute(term[:0], key, buf)) {
		return wrong(id, ErrWrongIndex)
	}
	return nil
}

// termInput puts the PRF input of an index into buf; null if the index is NULL.
// The values of its columns are open.
func (b *StoredBatch) termInput(row *StoredRow, ix *storedIndex, buf *scratch) (s *storedScope, null bool, err error) {
	if ix.null(row) {
		return nil, true, nil
	}
	at := ix.at(b.table.crypter)
	if s, err = b.scope(at, ix.Domain, ix.PerTenant, row.Tenant); err != nil {
		return nil, false, err
	}
	input := ix.begin(buf.b[:0], at, s.seal.tenant)
	for n, i := range ix.columns {
		typ, payload, err := unpad(b.plain.b[b.opened[i].from:b.opened[i].to])
		ok := false
		if err == nil {
			input, ok, err = ix.parts[n].appendStored(input, typ, payload)
		}
		buf.b = input
		if err != nil || !ok {
			return s, err == nil, err
		}
	}
	return s, false, nil
}
