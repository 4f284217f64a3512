package fieldcrypt

import (
	"encoding/binary"
	"fmt"
)

// Term computes what is stored for a row in an index column, by its number in the
// manifest's table, under an enabled index key, or the primary one for 0. It is
// nil for NULL. It lives as long as the batch.
//
// Errors: as [StoredBatch.Reseal]; *Error matching [ErrUnknownKey] for a key that
// is not an enabled index key of the row's scope.
func (b *StoredBatch) Term(row *StoredRow, index int, key uint32) ([]byte, error) {
	if err := b.next(row); err != nil {
		return nil, err
	}
	if index < 0 || index >= len(b.table.indexes) {
		return nil, &Error{Op: "index", Err: fmt.Errorf("%w: there is no index %d, the table has %d", ErrUnsupported, index, len(b.table.indexes))}
	}
	defer b.wipe()
	ix := b.table.indexes[index]
	if ix.null(row) {
		return nil, nil
	}
	for _, i := range ix.columns {
		if err := b.verifyValue(row, i, b.table.columns[i]); err != nil {
			return nil, err
		}
	}
	buf := getScratch()
	defer buf.free()
	s, null, err := b.termInput(row, ix, buf)
	if err != nil {
		return nil, ix.err("index", err, "")
	}
	if null {
		return nil, nil
	}
	k := s.seal.keys.IndexKeys()[0]
	if key != 0 {
		if k, err = b.indexKey(s, key); err != nil {
			return nil, ix.err("index", err, "")
		}
	}
	out := ix.compute(b.room(ix.Size()), k, buf)
	b.keep(out)
	return out, nil
}

// appendStored appends a part of the PRF input: what is indexed of a typed
// plaintext, cut into type and payload. ok is false if the index is NULL.
func (p indexPart) appendStored(dst []byte, typ byte, payload []byte) (_ []byte, ok bool, err error) {
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0, typ)
	dst = append(dst, payload...)
	if dst, ok, err = p.normalize(dst, at+4); err != nil || !ok {
		return dst, false, err
	}
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst, true, nil
}
