package fieldcrypt

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// ManifestFormat is the number of the format that [Crypter.Manifest] writes
// (FORMAT.md, "Manifest").
const ManifestFormat = 1

// Manifest says where a database holds encrypted values, and what each was
// sealed and indexed with: all that a migrator needs to know of an application's
// models without their Go types. [Crypter.Manifest] writes it, [ParseManifest]
// reads it. It holds no keys and no values.
type Manifest struct {
	Format int             `json:"format"`
	Tables []ManifestTable `json:"tables"` // sorted by schema and table
}

// ManifestTable is a table with encrypted columns. Names are those of the
// models' declarations: where GORM's settings (a prefix, a namer) give SQL other
// names, say those here before the table is used. What values are authenticated
// with is the ids, never these names.
type ManifestTable struct {
	Schema     string           `json:"schema,omitempty"` // "": the search path
	Table      string           `json:"table"`
	Models     []string         `json:"models"`                // Go types, sorted
	PrimaryKey []string         `json:"primary_key,omitempty"` // columns, if the models tell
	Tenant     string           `json:"tenant,omitempty"`      // the tenant column
	Columns    []ManifestColumn `json:"columns"`               // encrypted ones, sorted
	Indexes    []ManifestIndex  `json:"indexes,omitempty"`     // sorted by column
}

// ManifestColumn is an encrypted column.
type ManifestColumn struct {
	Column    string        `json:"column"`
	ID        string        `json:"id"` // logical name "table.column"
	Domain    string        `json:"domain"`
	PerTenant bool          `json:"per_tenant,omitempty"`
	Type      string        `json:"type"` // of the plaintext: FORMAT.md, "Manifest"
	Nullable  bool          `json:"nullable,omitempty"`
	Pad       int           `json:"pad,omitempty"`
	Bind      *ManifestBind `json:"bind,omitempty"`
	Plain     string        `json:"plain,omitempty"` // the plaintext column that is being adopted
	Fallback  bool          `json:"fallback,omitempty"`
}

// ManifestBind is the plain column that values of a column are bound to.
type ManifestBind struct {
	Column string `json:"column"`
	Type   string `json:"type"`
}

// ManifestIndex is a blind index column.
type ManifestIndex struct {
	Column string         `json:"column"`
	ID     string         `json:"id"`
	Parts  []ManifestPart `json:"parts"` // in order
	Bits   int            `json:"bits"`
	Unique bool           `json:"unique,omitempty"` // a gorm tag asks for a unique index with it
}

// ManifestPart is an encrypted column of an index, and its transforms.
type ManifestPart struct {
	Column    string `json:"column"`
	Transform string `json:"transform,omitempty"`
}

// Manifest returns the manifest of models as JSON that is the same for the same
// models. An application commits it, and one line of a test keeps it current:
//
//	//go:embed fieldcrypt.json
//	var manifest []byte
//
//	func TestManifest(t *testing.T) {
//		fc := fieldcrypt.New(keymgrtest.New(t, "medical", "finance"), fieldcrypt.Config{})
//		if err := fc.CheckManifest(manifest, &Patient{}, &Visit{}); err != nil {
//			t.Error(err)
//		}
//	}
//
// The Crypter's Config and the domains of its keys are to be those of the
// application: they say which transforms there are, and which domains have keys
// per tenant. Models of one table are joined; where they differ in a column they
// have in common, that is an error.
//
// Errors: those of [Crypter.Model]; *Error matching [ErrModel].
func (c *Crypter) Manifest(models ...any) ([]byte, error) {
	m := Manifest{Format: ManifestFormat, Tables: []ManifestTable{}}
	for _, v := range models {
		model, err := c.Model(v)
		if err != nil {
			return nil, err
		}
		if len(model.Fields) == 0 {
			return nil, model.err("", fmt.Errorf("no field is tagged, so there is nothing to say of it in a manifest"))
		}
		if err := m.add(model.manifest()); err != nil {
			return nil, model.err("", err)
		}
	}
	m.sort()
	if err := m.check(); err != nil {
		return nil, &Error{Op: "manifest", Err: fmt.Errorf("%w: %w", ErrModel, err)}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(m); err != nil {
		return nil, &Error{Op: "manifest", Err: fmt.Errorf("%w: %w", ErrModel, err)}
	}
	return b.Bytes(), nil
}

// Table returns the table of a name, with its schema and a dot before it if the
// manifest has one; nil if it is not in the manifest.
func (m *Manifest) Table(name string) *ManifestTable {
	for i := range m.Tables {
		if m.Tables[i].Name() == name {
			return &m.Tables[i]
		}
	}
	return nil
}

// Name returns the table's name, with its schema and a dot before it if it has one.
func (t *ManifestTable) Name() string {
	if t.Schema == "" {
		return t.Table
	}
	return t.Schema + "." + t.Table
}

// Domains returns the key domains of the table's columns, sorted, each once.
func (t *ManifestTable) Domains() []string {
	var domains []string
	for _, col := range t.Columns {
		domains = append(domains, col.Domain)
	}
	slices.Sort(domains)
	return slices.Compact(domains)
}

func (m *Manifest) sort() {
	slices.SortFunc(m.Tables, func(a, b ManifestTable) int {
		if a.Schema != b.Schema {
			return strings.Compare(a.Schema, b.Schema)
		}
		return strings.Compare(a.Table, b.Table)
	})
	for _, t := range m.Tables {
		slices.Sort(t.Models)
		slices.SortFunc(t.Columns, func(a, b ManifestColumn) int { return strings.Compare(a.Column, b.Column) })
		slices.SortFunc(t.Indexes, func(a, b ManifestIndex) int { return strings.Compare(a.Column, b.Column) })
	}
}
