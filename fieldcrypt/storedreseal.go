package fieldcrypt

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Reseal seals anew those values of a row that need it: whose key is not the
// primary of their scope, or if keys are named, is one of these; and those of a
// column whose identity changes. They are sealed as a driver would seal them:
// those of one domain share a fresh salt. What is inside stays as it is, byte for
// byte, padding included. NULL stays NULL.
//
// out has an element for every encrypted column: the new value, or nil where the
// column is to stay as it is. New values live in memory of the batch's that is
// never used twice. changed is how many there are.
//
// Where an identity changes, the key id says which one a value has, never a trial:
// what names a key of the new domain is of the new identity. If that is the old
// domain too, name the keys that only values of the old identity have.
//
// Errors: *Error about the row, for which [FailureClass] has a class: nothing of
// the row is to be written then; or an error of keys or of the context, for which
// it has none.
func (b *StoredBatch) Reseal(row *StoredRow, out [][]byte, keys ...uint32) (changed int, err error) {
	if err := b.next(row); err != nil {
		return 0, err
	}
	if len(out) != len(row.Values) {
		return 0, &Error{Op: "reseal", Err: fmt.Errorf("%w: there is room for %d new values, and %d columns", ErrUnsupported, len(out), len(row.Values))}
	}
	clear(out)
	defer b.wipe()
	for i, col := range b.table.columns {
		if row.Values[i] == nil {
			continue
		}
		value, err := b.reseal(row, i, col, keys)
		if err != nil {
			clear(out)
			return 0, err
		}
		if value != nil {
			out[i] = value
			changed++
		}
	}
	return changed, nil
}

func (b *StoredBatch) reseal(row *StoredRow, i int, col *storedColumn, keys []uint32) ([]byte, error) {
	stored := row.Values[i]
	id, err := keyID(stored)
	if err != nil {
		return nil, col.storedErr("reseal", 0, err)
	}
	to, err := b.scope(col.at(b.table.crypter), col.Domain, col.PerTenant, row.Tenant)
	if err != nil {
		return nil, col.storedErr("reseal", 0, err)
	}
	from, was, bound := to, col.Field, row.Bound
	isOld, err := b.isOld(col, to, row.Tenant, id, keys)
	switch {
	case err != nil:
		return nil, col.storedErr("reseal", id, err)
	case isOld:
		was, bound = col.old, row.OldBind
		if from, err = b.scope(was.at(b.table.crypter), was.Domain, was.PerTenant, row.Tenant); err != nil {
			return nil, col.storedErr("reseal", id, err)
		}
	case len(keys) > 0 && !slices.Contains(keys, id), len(keys) == 0 && id == to.seal.keys.Primary().ID():
		return nil, nil
	}
	ad, err := b.associatedData(was, from.seal.tenant, bound, i)
	if err != nil {
		return nil, col.storedErr("reseal", id, err)
	}
	start, end, err := b.open(from, id, stored, ad)
	if err != nil {
		return nil, col.storedErr("reseal", id, err)
	}
	if isOld {
		if ad, err = b.associatedData(col.Field, to.seal.tenant, row.Bound, i); err != nil {
			return nil, col.storedErr("reseal", id, err)
		}
	}
	return b.seal(to, col, b.plain.b[start:end], ad)
}

// isOld reports whether a value is of the identity that its column had.
func (b *StoredBatch) isOld(col *storedColumn, to *storedScope, tenant string, id uint32, keys []uint32) (bool, error) {
	switch {
	case col.old == nil:
		return false, nil
	case col.old.Domain == col.Domain && len(keys) == 0:
		return false, fmt.Errorf("%w: both identities are of the domain %s, so that only the keys tell them apart; name those of the old one", ErrUnsupported, col.Domain)
	case col.old.Domain == col.Domain:
		return slices.Contains(keys, id), nil
	}
	// Key ids are unique over all scopes.
	if _, err := to.seal.keys.SealKey(id); !errors.Is(err, ErrUnknownKey) {
		return false, nil
	}
	from, err := b.scope(col.old.at(b.table.crypter), col.old.Domain, col.old.PerTenant, tenant)
	if err != nil {
		return false, err
	}
	_, err = b.sealKey(from, id)
	if errors.Is(err, ErrUnknownKey) {
		return false, nil // the new scope has it since the batch began, or nobody does
	}
	return true, nil // also where the key is disabled: opening then says so
}

// seal seals a typed plaintext under the scope's primary key.
func (b *StoredBatch) seal(s *storedScope, col *storedColumn, plaintext, ad []byte) ([]byte, error) {
	if s.row != b.row { // another row, or other keys
		s.row, s.seal.record = b.row, nil
	}
	key, err := s.seal.use()
	if err != nil {
		return nil, col.storedErr("reseal", 0, err)
	}
	out, err := seal(b.room(Overhead+len(plaintext)), key, s.seal.record, &s.seal.salt, plaintext, ad)
	if err != nil {
		return nil, col.storedErr("reseal", key.ID(), err)
	}
	b.keep(out)
	return out, nil
}

// storedUUID makes a UUID out of the ways in which databases give one: 16 bytes,
// or its text. Anything else stays what it is.
func storedUUID(v any) any {
	text := ""
	switch v := v.(type) {
	case string:
		text = v
	case []byte:
		if len(v) == 16 {
			return v
		}
		text = string(v)
	default:
		return v
	}
	if len(text) == 36 && text[8] == '-' && text[13] == '-' && text[18] == '-' && text[23] == '-' {
		if b, err := hex.DecodeString(strings.ReplaceAll(text, "-", "")); err == nil {
			return b
		}
	}
	return v
}
