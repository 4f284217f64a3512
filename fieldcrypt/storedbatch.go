package fieldcrypt

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/fieldcrypt/go/keymgr"
)

// StoredBatch works on the rows of one batch: it takes the keys of each scope
// once, so that all of its rows see one primary key, and keeps its memory. Make
// one for every batch of at most some thousand rows; keys that are held on to
// outlive their revocation. It is not safe for concurrent use: each goroutine
// has its own.
type StoredBatch struct {
	table  *StoredTable
	ctx    context.Context
	scopes map[keymgr.Scope]*storedScope
	last   *storedScope
	row    int    // of the batch; tells the record keys of one row from those of another
	arena  []byte // where new values are, until the batch is let go
	ad     []byte
	opened []storedPlaintext
	plain  scratch // the typed plaintexts of a row; wiped
	errs   []error
}

// storedScope is the keys of a scope, and what the values of a row share.
type storedScope struct {
	scope keymgr.Scope
	seal  sealing
	row   int
}

// storedPlaintext is an opened value: from:to of StoredBatch.plain.
type storedPlaintext struct {
	from, to int
	state    storedState
}

type storedState uint8

const (
	storedClosed storedState = iota // not opened, or it does not open
	storedNull
	storedOpen
)

// Batch returns a StoredBatch. The context's tenant does not count: each row
// names its own.
func (t *StoredTable) Batch(ctx context.Context) *StoredBatch {
	return &StoredBatch{table: t, ctx: ctx, scopes: map[keymgr.Scope]*storedScope{}, opened: make([]storedPlaintext, len(t.columns))}
}

// next begins a row.
func (b *StoredBatch) next(row *StoredRow) error {
	t := b.table
	if len(row.Values) != len(t.columns) {
		return &Error{Op: "row", Err: fmt.Errorf("%w: %d values were given for %d encrypted columns", ErrUnsupported, len(row.Values), len(t.columns))}
	}
	b.row++
	return nil
}

// wipe forgets the plaintexts of a row.
func (b *StoredBatch) wipe() {
	if b.plain.whole {
		b.plain.b = b.plain.b[:cap(b.plain.b)]
	}
	clear(b.plain.b)
	b.plain.b, b.plain.whole = b.plain.b[:0], false
	if cap(b.plain.b) > maxScratch {
		b.plain.b = nil
	}
	clear(b.opened)
}

// scope returns the keys of a domain for the row.
func (b *StoredBatch) scope(at *fixed, domain string, perTenant bool, tenant string) (*storedScope, error) {
	s := keymgr.Scope{Domain: domain}
	if perTenant {
		if s.Tenant = tenant; tenant == "" {
			return nil, ErrNoTenant
		}
	}
	if b.last != nil && b.last.scope == s {
		return b.last, nil
	}
	known := b.scopes[s]
	if known == nil {
		keys, err := b.table.crypter.sealKeys(b.ctx, at, s)
		if perTenant && (errors.Is(err, ErrScopeNotFound) || errors.Is(err, ErrScopeDestroyed)) {
			return nil, &noScope{err}
		}
		if err != nil {
			return nil, err
		}
		known = &storedScope{scope: s, seal: sealing{domain: domain, tenant: s.Tenant, keys: keys}}
		b.scopes[s] = known
	}
	b.last = known
	return known, nil
}

// sealKey returns the key of an id. One that the batch's keys do not know may
// have been added since they were taken: then these are taken anew.
func (b *StoredBatch) sealKey(s *storedScope, id uint32) (*keymgr.SealKey, error) {
	key, err := s.seal.keys.SealKey(id)
	if !errors.Is(err, ErrUnknownKey) {
		return key, err
	}
	keys, err := b.table.crypter.keys.KeysFor(b.ctx, s.scope, id)
	if err != nil {
		return nil, err
	}
	s.seal.keys, s.row = keys, 0
	return keys.SealKey(id)
}

// indexKey is sealKey for index keys.
func (b *StoredBatch) indexKey(s *storedScope, id uint32) (*keymgr.IndexKey, error) {
	find := func() *keymgr.IndexKey {
		for _, k := range s.seal.keys.IndexKeys() {
			if k.ID() == id {
				return k
			}
		}
		return nil
	}
	if k := find(); k != nil {
		return k, nil
	}
	// The Manager looks for seal keys, but what it finds on the way are the newest
	// keysets, both of them.
	if _, err := b.table.crypter.keys.KeysFor(b.ctx, s.scope, id); err != nil && !errors.Is(err, ErrUnknownKey) {
		return nil, err
	}
	keys, err := b.table.crypter.keys.Keys(b.ctx, s.scope)
	if err != nil {
		return nil, err
	}
	s.seal.keys, s.row = keys, 0
	if k := find(); k != nil {
		return k, nil
	}
	return nil, fmt.Errorf("%w: no enabled index key has the id %d", ErrUnknownKey, id)
}

// associatedData is [Field.associatedData] with the bound value as the database
// holds it. The result lives until the next call.
func (b *StoredBatch) associatedData(f *Field, tenant string, bound []any, column int) ([]byte, error) {
	row := Row{}
	if f.Bind != nil {
		row.Bound = func(f *Field) (reflect.Value, error) {
			if column >= len(bound) {
				return reflect.Value{}, fmt.Errorf("%w: the value is bound to the column %s, which was not read", ErrUnsupported, f.Bind.Column)
			}
			return f.Bind.fromStored(bound[column])
		}
	}
	return f.associatedData(&b.ad, f.at(b.table.crypter), tenant, &row)
}

// fromStored converts what a database driver gives for a bound column.
func (p *PlainField) fromStored(v any) (reflect.Value, error) {
	if isUUID(p.codec.base) {
		v = storedUUID(v)
	}
	if text, ok := v.([]byte); ok && (p.codec.form == formInt || p.codec.form == formUint) {
		v = string(text) // decimal
	}
	return p.codec.convert(v, p.Type)
}

// open opens a value under a key of the scope, behind what is in b.plain.
func (b *StoredBatch) open(s *storedScope, id uint32, stored, ad []byte) (from, to int, err error) {
	key, err := b.sealKey(s, id)
	if err != nil {
		return 0, 0, err
	}
	from = len(b.plain.b)
	b.grow(len(stored))
	b.plain.whole = true
	plaintext, err := b.table.crypter.decrypt(key, stored, ad, &b.plain)
	if err != nil {
		return 0, 0, err
	}
	if !key.RecordKeyed() {
		b.plain.b = append(b.plain.b, plaintext...)
		clear(plaintext)
	}
	return from, len(b.plain.b), nil
}

// grow makes room for n bytes of plaintext, so that none is left in memory that
// was outgrown.
func (b *StoredBatch) grow(n int) {
	if cap(b.plain.b)-len(b.plain.b) >= n {
		return
	}
	old := b.plain.b
	b.plain.b = append(make([]byte, 0, max(maxScratch, 2*(len(old)+n))), old...)
	clear(old)
}

// arenaSize is the memory that new values are made in at a time, in bytes.
const arenaSize = 64 << 10

// room returns empty memory for n bytes that nothing else will use.
func (b *StoredBatch) room(n int) []byte {
	if cap(b.arena)-len(b.arena) < n {
		b.arena = make([]byte, 0, max(arenaSize, n))
	}
	return b.arena[len(b.arena) : len(b.arena) : len(b.arena)+n]
}

// keep takes what was put into the memory of room. What outgrew it is elsewhere.
func (b *StoredBatch) keep(out []byte) {
	if at := len(b.arena); cap(b.arena) > at && len(out) > 0 && &b.arena[:at+1][at] == &out[0] {
		b.arena = b.arena[:at+len(out)]
	}
}

// storedErr says what is wrong with a value of a row.
func (f *Field) storedErr(op string, id uint32, err error) error {
	hint := ""
	if errors.Is(err, ErrNotSealed) {
		hint = "the column holds something that fieldcrypt did not write"
	}
	return f.err(op, id, err, hint)
}

// null reports whether a column of the index is NULL.
func (ix *storedIndex) null(row *StoredRow) bool {
	return slices.ContainsFunc(ix.columns, func(i int) bool { return row.Values[i] == nil })
}
