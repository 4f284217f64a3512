package gormcrypt

import (
	"maps"
	"slices"
	"strings"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// column is an encrypted column as SQL names it.
type column struct {
	name   string // SQL name
	field  *fieldcrypt.Field
	tenant *companion // the tenant column of its table, where its keys are per tenant
	bound  *companion // the column that its values are bound to, where they are
	plain  string     // the plaintext column that is being adopted, "" for none
}

// companion is a plain column that the values of encrypted ones depend on.
type companion struct {
	name  string // SQL name
	field *fieldcrypt.PlainField
}

func (c *companion) key() string { return strings.ToLower(c.name) }

// companions are the columns that must be read along with one.
func (c *column) companions() (list []*companion) {
	if c.tenant != nil {
		list = append(list, c.tenant)
	}
	if c.bound != nil {
		list = append(list, c.bound)
	}
	return list
}

func (c *column) key() string { return strings.ToLower(c.name) }

// index is a blind index column as SQL names it.
type index struct {
	name    string    // SQL name
	columns []*column // that it is made of, in order
	blind   *fieldcrypt.BlindIndex
}

// next is the column that is written too while the index moves to another key.
func (ix *index) next() string { return ix.name + fieldcrypt.NextSuffix }

// searches reports whether the index answers equality on one column.
func (ix *index) searches() bool {
	return len(ix.columns) == 1 && ix.columns[0].field.SearchIndex() == ix.blind
}

// table is what is encrypted in a table: by one model, or by all that map to it.
type table struct {
	name    string // SQL name, lower case, with the schema if the model names one
	columns map[string]*column
	indexes map[string]*index
	search  map[string]*index  // by column
	plains  map[string]*column // by the plaintext column that is being adopted
	tenant  *companion         // the tenant column, where keys are per tenant
	domains []string           // key domains, sorted
	special bool               // has an index over several fields, or a truncated one
}

func newTable(name string) *table {
	return &table{name: strings.ToLower(name), columns: map[string]*column{}, indexes: map[string]*index{}, search: map[string]*index{}, plains: map[string]*column{}}
}

func (t *table) addColumn(c *column) {
	t.columns[c.key()] = c
	if c.plain != "" {
		t.plains[strings.ToLower(c.plain)] = c
	}
	if c.tenant != nil {
		t.tenant = c.tenant
	}
	t.addDomains(c.field.Domain)
}

func (t *table) addDomains(names ...string) {
	t.domains = append(slices.Clone(t.domains), names...)
	slices.Sort(t.domains)
	t.domains = slices.Compact(t.domains)
}

func (t *table) addIndex(ix *index) {
	t.indexes[strings.ToLower(ix.name)] = ix
	t.special = t.special || len(ix.columns) > 1 || ix.truncated()
	if ix.searches() {
		t.search[ix.columns[0].key()] = ix
	}
}

// merged returns a table with what is encrypted in either.
func (t *table) merged(other *table) *table {
	m := newTable(t.name)
	for _, from := range []*table{other, t} {
		maps.Copy(m.columns, from.columns)
		maps.Copy(m.indexes, from.indexes)
		maps.Copy(m.search, from.search)
		maps.Copy(m.plains, from.plains)
		if from.tenant != nil {
			m.tenant = from.tenant
		}
		m.addDomains(from.domains...)
		m.special = m.special || from.special
	}
	return m
}

// includes reports whether other adds nothing to t.
func (t *table) includes(other *table) bool {
	for name := range other.columns {
		if t.columns[name] == nil {
			return false
		}
	}
	for name := range other.indexes {
		if t.indexes[name] == nil {
			return false
		}
	}
	for name := range other.plains {
		if t.plains[name] == nil {
			return false
		}
	}
	return other.tenant == nil || t.tenant != nil
}

// is reports whether the table is the one that SQL names by path. Where one of
// them says no schema, the name alone decides.
func (t *table) is(path string) bool {
	schemaA, nameA := splitPath(t.name)
	schemaB, nameB := splitPath(path)
	return nameA == nameB && (schemaA == schemaB || schemaA == "" || schemaB == "")
}

func splitPath(path string) (qualifier, name string) {
	if i := strings.LastIndexByte(path, '.'); i >= 0 {
		return path[:i], path[i+1:]
	}
	return "", path
}

// registry is what is known of a database. It is immutable: a model that is
// parsed makes a new one.
type registry struct {
	tables []*table
	words  map[string]bool // names of all encrypted columns, true, and of their indexes and tables, lower case
}

// with returns a registry that knows t too.
func (r *registry) with(t *table) *registry {
	at := slices.IndexFunc(r.tables, func(o *table) bool { return o.name == t.name })
	if at >= 0 && r.tables[at].includes(t) {
		return r
	}
	next := &registry{slices.Clone(r.tables), maps.Clone(r.words)}
	if _, name := splitPath(t.name); !next.words[name] {
		next.words[name] = false
	}
	for name := range t.columns {
		next.words[name] = true
	}
	for name := range t.plains {
		next.words[name] = true
	}
	for name := range t.indexes {
		if !next.words[name] {
			next.words[name] = false
		}
	}
	if at < 0 {
		next.tables = append(next.tables, t)
	} else {
		next.tables[at] = next.tables[at].merged(t)
	}
	return next
}

// find returns the tables that SQL may mean by path, nil if none is encrypted.
func (r *registry) find(path string) []*table { return r.also(nil, path) }

// also adds to tables those that SQL may mean by path.
func (r *registry) also(tables []*table, path string) []*table {
	for _, t := range r.tables {
		if t.is(path) && !slices.Contains(tables, t) {
			tables = append(tables[:len(tables):len(tables)], t)
		}
	}
	return tables
}

// exactly returns the table of that name, schema included.
func (r *registry) exactly(name string) []*table {
	for _, t := range r.tables {
		if t.name == name {
			return []*table{t}
		}
	}
	return nil
}

// column returns an encrypted column of that name, of whatever table, or one
// whose plaintext is adopted from a column of that name.
func (r *registry) column(name string) *column {
	for _, t := range r.tables {
		if c := firstColumn(t.columns[name], t.plains[name]); c != nil {
			return c
		}
	}
	return nil
}

func firstColumn(columns ...*column) *column {
	for _, c := range columns {
		if c != nil {
			return c
		}
	}
	return nil
}

// encrypts reports whether a table has an encrypted column of that name, in
// lower case.
func (r *registry) encrypts(name string) bool { return r.words[name] }

// concerns reports whether text holds the name of an encrypted column or of its
// table as a word, wherever it stands. It is the cheap first look at every piece
// of SQL.
func (r *registry) concerns(text string) bool {
	return anyWord(text, func(w string) bool {
		_, ok := r.words[w]
		return ok
	})
}

// anyWord reports whether one of the words of text, in lower case, is meant.
func anyWord(text string, meant func(string) bool) bool {
	for i := 0; i < len(text); {
		n := span(text[i:], isWordByte)
		if n > 0 && meant(strings.ToLower(text[i:i+n])) {
			return true
		}
		i += max(n, 1)
	}
	return false
}
