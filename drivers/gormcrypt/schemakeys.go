package gormcrypt

import (
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm/schema"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// wanted is an index or unique constraint that a model has over blind indexes.
type wanted struct {
	name    string
	columns []string // "" for an expression
	unique  bool
	partial bool
	of      *index // the first of the blind indexes
}

// wanted returns the indexes of the model that AutoMigrate makes.
func (c *comparison) wanted() (all []wanted) {
	// ParseIndexes writes to the fields, which others read: give it others.
	own := &schema.Schema{}
	for _, f := range c.schema.Fields {
		f := *f
		own.Fields = append(own.Fields, &f)
		if ix := c.sealed.indexes[strings.ToLower(f.DBName)]; ix != nil && f.Unique {
			all = append(all, wanted{c.namer.UniqueName(c.schema.Table, f.DBName), []string{f.DBName}, true, false, ix})
		}
	}
	for _, ix := range own.ParseIndexes() {
		w := wanted{name: ix.Name, unique: strings.EqualFold(ix.Class, "UNIQUE"), partial: ix.Where != ""}
		for _, f := range ix.Fields {
			name := f.DBName
			if f.Expression != "" {
				name = ""
			}
			w.columns = append(w.columns, name)
			if blind := c.sealed.indexes[strings.ToLower(name)]; blind != nil && w.of == nil {
				w.of = blind
			}
		}
		if w.of != nil {
			all = append(all, w)
		}
	}
	return all
}

func (w *wanted) String() string {
	text := "index"
	if w.unique {
		text = "UNIQUE index"
	}
	if w.partial {
		text = "partial " + text
	}
	return text + " on " + columnList(w.columns)
}

func columnList(names []string) string {
	return "(" + strings.ReplaceAll(strings.Join(names, ", "), ", ,", ", an expression,") + ")"
}

// compareIndexes looks for indexes that do what those of the model do, whatever
// they are called.
func (c *comparison) compareIndexes() {
	for _, w := range c.wanted() {
		reason, hint := fmt.Sprintf("the table %s has no %s", c.path, &w), "run AutoMigrate"
		for _, live := range c.live.indexes {
			same := c.sameColumns(live.columns, w.columns) && live.partial == w.partial && (live.unique || !w.unique)
			if same && live.valid {
				reason = ""
				break
			}
			switch {
			case same:
				reason, hint = fmt.Sprintf("the index %s is not valid: making it did not end", live.name), "drop it and run AutoMigrate, or REINDEX it"
			case live.name == w.name:
				reason += fmt.Sprintf("; its %s is another", live.name)
				hint = fmt.Sprintf("drop the index %s and run AutoMigrate", live.name)
			}
		}
		if reason != "" {
			reason = strings.Replace(reason, "; ", ", and ", 1)
			c.differs(w.of.columns[0].field, w.of.blind.Name, reason, hint)
		}
	}
}

func (c *comparison) sameColumns(live, want []string) bool {
	return slices.EqualFunc(live, want, func(a, b string) bool { return c.live.fold(a) == c.live.fold(b) })
}

// compareKeys looks for what must not be on ciphertext: it differs at every write,
// so that an index finds nothing, a unique constraint lets everything in and a
// foreign key nothing.
func (c *comparison) compareKeys() {
	const hint = "drop it; the option index of the tag makes an index column for searches and unique constraints"
	for _, live := range c.live.indexes {
		what := "the index " + live.name + " is"
		switch {
		case live.primary:
			what = "the primary key is"
		case live.unique:
			what = "the unique index " + live.name + " is"
		}
		for _, col := range c.onCiphertext(live.columns) {
			c.differs(col.field, col.field.Name, what+" on the ciphertext of "+c.full(col.name), hint)
		}
	}
	for _, live := range c.live.foreign {
		for _, col := range c.onCiphertext(live.columns) {
			c.differs(col.field, col.field.Name, "the foreign key "+live.name+" is on the ciphertext of "+c.full(col.name), "drop it, and refer to a plain key")
		}
	}
}

func (c *comparison) onCiphertext(names []string) (columns []*column) {
	for _, f := range c.sealed.columns {
		if slices.ContainsFunc(names, func(name string) bool { return c.live.fold(name) == c.live.fold(f.name) }) {
			columns = append(columns, f)
		}
	}
	slices.SortFunc(columns, func(a, b *column) int { return strings.Compare(a.name, b.name) })
	return columns
}

// compareCompanions looks for the plain columns that values are bound to, and for
// those of option plain=, which are written too.
func (c *comparison) compareCompanions(m *fieldcrypt.Model) {
	seen := map[string]bool{}
	look := func(f *fieldcrypt.Field, p *fieldcrypt.PlainField, what string) {
		sf := c.schema.FieldsByBindName[p.Path]
		if sf == nil || sf.DBName == "" || seen[sf.DBName] {
			return
		}
		seen[sf.DBName] = true
		if c.live.column(sf.DBName) == nil {
			c.differs(f, f.Name, fmt.Sprintf("the %s column %s is missing", what, c.full(sf.DBName)), way(sf))
			return
		}
		c.compareText(f, p, sf.DBName)
	}
	for _, f := range m.Fields {
		if m.Tenant != nil {
			look(f, m.Tenant, "tenant")
		}
		if f.Bind != nil {
			look(f, f.Bind, "bound")
		}
		if f.Plain != "" && c.live.column(f.Plain) == nil {
			c.differs(f, f.Name, fmt.Sprintf("the plaintext column %s of option plain= is missing", c.full(f.Plain)), "run AutoMigrate, or take the option out if the column is adopted")
		}
	}
}
