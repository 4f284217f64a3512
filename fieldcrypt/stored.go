package fieldcrypt

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/fieldcrypt/go/internal/transform"
)

// StoredTable works on the rows of a table as the database holds them, by a
// manifest and without the models' Go types. It is for migrators; applications
// read and write through a driver. It is immutable and safe for concurrent use.
type StoredTable struct {
	crypter *Crypter
	columns []*storedColumn
	indexes []*storedIndex
}

// storedColumn is a column under its identity, and under the one it had before.
type storedColumn struct {
	*Field
	column string
	old    *Field // nil: its identity does not change
}

// storedIndex is a blind index, and the columns of its parts.
type storedIndex struct {
	*BlindIndex
	columns []int
}

// StoredRow is a row as the database holds it. Its lists are in the order of the
// [ManifestTable]; nil is NULL.
type StoredRow struct {
	Tenant  string   // the tenant column; "" where the table has none, or NULL
	Values  [][]byte // of all encrypted columns
	Terms   [][]byte // of all index columns; needed to verify
	Next    [][]byte // of the second index columns, or nil: not there. An element may be NULL
	Bound   []any    // for each encrypted column that is bound, the bound column's value as a driver gives it; nil if none is
	OldBind []any    // as Bound, for the old identities
}

// OldIdentity is what a column's values were sealed as before its identity
// changed. What it does not say is as it is now, but Bind: nil is not bound. Its
// keys were per tenant if those of its domain are.
type OldIdentity struct {
	Column string // the encrypted column, as in the manifest
	Domain string // "": the same
	ID     string // "table.column"; "": the same
	Bind   *ManifestBind
}

// Table returns a table of a manifest, ready for its rows. The columns that
// change their identity are named with the one they had.
//
// A manifest with custom transforms wants a Crypter whose Config has them.
//
// Errors: *Error matching [ErrManifest], or [ErrUnknownDomain].
func (c *Crypter) Table(m *ManifestTable, old ...OldIdentity) (*StoredTable, error) {
	if err := m.check(); err != nil {
		return nil, manifestErr(fmt.Errorf("table %s: %w", clipName(m.Name()), err))
	}
	t := &StoredTable{crypter: c}
	model := &Model{Name: strings.Join(m.Models, ", "), Table: m.Table}
	for i := range m.Columns {
		f, err := c.storedField(model, &m.Columns[i])
		if err != nil {
			return nil, err
		}
		t.columns = append(t.columns, &storedColumn{Field: f, column: m.Columns[i].Column})
	}
	for _, o := range old {
		if err := t.changes(m, o); err != nil {
			return nil, err
		}
	}
	for i := range m.Indexes {
		ix, err := t.storedIndex(&m.Indexes[i])
		if err != nil {
			return nil, err
		}
		t.indexes = append(t.indexes, ix)
	}
	return t, nil
}

func (c *Crypter) storedField(m *Model, col *ManifestColumn) (*Field, error) {
	id, err := parseIdentity(col.ID)
	if err != nil {
		return nil, manifestErr(err)
	}
	f := &Field{Model: m, Column: col.Column, Table: id.table, Name: id.column, Domain: col.Domain, Pad: col.Pad, PerTenant: col.PerTenant}
	perTenant, err := c.keys.PerTenant(col.Domain)
	if err != nil {
		return nil, f.err("manifest", 0, err, "the keys are of another application, or the manifest is")
	}
	if perTenant != col.PerTenant {
		return nil, manifestErr(fmt.Errorf("it has per_tenant %t for the column %s, and the keys of the domain %s have %t", col.PerTenant, col.Column, col.Domain, perTenant))
	}
	if f.codec, err = codecOf(col.Type); err != nil {
		return nil, manifestErr(err)
	}
	f.Type = f.codec.base
	if f.Bind, err = storedBind(m, col.Bind); err != nil {
		return nil, err
	}
	f.fix(c)
	return f, nil
}

func storedBind(m *Model, b *ManifestBind) (*PlainField, error) {
	if b == nil {
		return nil, nil
	}
	codec, err := codecOf(b.Type)
	if err != nil {
		return nil, manifestErr(err)
	}
	return &PlainField{Model: m, Path: b.Column, Column: b.Column, Type: codec.base, codec: codec}, nil
}

// changes notes the identity that a column had.
func (t *StoredTable) changes(m *ManifestTable, o OldIdentity) error {
	i := slices.IndexFunc(m.Columns, func(c ManifestColumn) bool { return c.Column == o.Column })
	if i < 0 || t.columns[i].old != nil {
		return manifestErr(fmt.Errorf("the old identity of %q: no encrypted column of the table, or named twice", clipName(o.Column)))
	}
	col := m.Columns[i]
	if o.Domain != "" {
		col.Domain = o.Domain
	}
	if o.ID != "" {
		col.ID = o.ID
	}
	col.Bind = o.Bind
	perTenant, err := t.crypter.keys.PerTenant(col.Domain)
	if err != nil {
		return t.columns[i].err("manifest", 0, err, "the domain of the old identity must still have its keys")
	}
	col.PerTenant = perTenant
	if err := col.check(m); err != nil {
		return manifestErr(fmt.Errorf("the old identity of %s: %w", col.Column, err))
	}
	old, err := t.crypter.storedField(t.columns[i].Model, &col)
	if err != nil {
		return err
	}
	t.columns[i].old = old
	return nil
}

func (t *StoredTable) storedIndex(m *ManifestIndex) (*storedIndex, error) {
	id, err := parseIdentity(m.ID)
	if err != nil {
		return nil, manifestErr(err)
	}
	ix := &storedIndex{BlindIndex: &BlindIndex{Column: m.Column, Table: id.table, Name: id.column, Bits: m.Bits}}
	for _, p := range m.Parts {
		i := slices.IndexFunc(t.columns, func(c *storedColumn) bool { return c.column == p.Column })
		f := t.columns[i].Field // check has seen that it is there
		part := indexPart{field: f}
		if p.Transform != "" {
			if part.transform, err = transform.Parse(p.Transform, t.crypter.cfg.Transforms); err != nil {
				return nil, manifestErr(fmt.Errorf("index %s: %w; custom transforms are the application's own: run its migrator, with its Config", m.Column, err))
			}
		}
		ix.Domain, ix.PerTenant = f.Domain, f.PerTenant
		ix.parts, ix.Fields, ix.columns = append(ix.parts, part), append(ix.Fields, f), append(ix.columns, i)
	}
	ix.fix(t.crypter)
	return ix, nil
}

// KeyID returns the id of the key that a stored value names; ok is false for what
// is no stored value. It says nothing of whether the value is genuine.
func KeyID(stored []byte) (id uint32, ok bool) {
	id, err := keyID(stored)
	return id, err == nil
}

// IndexKeyID returns the id of the key that a blind index names; ok is false for
// what is too short to be one.
func IndexKeyID(term []byte) (id uint32, ok bool) {
	if len(term) <= 4 {
		return 0, false
	}
	return binary.BigEndian.Uint32(term), true
}
