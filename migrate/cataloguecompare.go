package migrate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fieldcrypt/go/fieldcrypt"
)

const adoptWay = "plaintext is never converted in place: add a column beside it and adopt it"

// comparison gathers what is wrong with one table.
type comparison struct {
	*Table
	bytea string // what the database calls bytes
	found Problems
}

func (c *Catalogue) compare(t *Table) Problems {
	cmp := &comparison{Table: t, bytea: "blob"}
	if c.postgres {
		cmp.bytea = "bytea"
	}
	for i := range t.Manifest.Columns {
		cmp.encrypted(&t.Manifest.Columns[i])
	}
	for i := range t.Manifest.Indexes {
		cmp.index(&t.Manifest.Indexes[i])
	}
	cmp.plain()
	cmp.key()
	cmp.indexes()
	cmp.surroundings()
	return cmp.found
}

func (c *comparison) full() string {
	if c.Schema == "" {
		return c.Name
	}
	return c.Schema + "." + c.Name
}

func (c *comparison) add(s Severity, kind, column, text, way string) {
	c.found = append(c.found, Problem{s, kind, c.full(), column, text, way})
}

// encrypted compares an encrypted column.
func (c *comparison) encrypted(m *fieldcrypt.ManifestColumn) {
	live := c.Column(m.Column)
	if live == nil {
		c.add(Refuse, ColumnMissing, m.Column, "is missing", "make it (gormcrypt's AutoMigrate, pgxcrypt.DDL), or write the manifest anew")
		return
	}
	isValue := c.bytea == "bytea" && live.Type == fieldcrypt.PostgresType || strings.HasSuffix(live.Type, "."+fieldcrypt.PostgresType)
	switch {
	case isValue && live.flaw != "":
		c.add(Refuse, CheckMissing, m.Column, "is of the domain "+live.Type+", which "+live.flaw,
			"make the domain anew as fieldcrypt.CreatePostgresType has it; a CHECK that is not valid: ALTER DOMAIN ... VALIDATE CONSTRAINT")
	case isValue:
	case live.Type != c.bytea:
		c.add(Refuse, ColumnType, m.Column, "is of type "+live.Type+", not "+c.want(), adoptWay)
	case !live.Checked && live.flaw != "":
		c.add(Refuse, CheckMissing, m.Column, live.flaw, "ALTER TABLE ... VALIDATE CONSTRAINT")
	case !live.Checked:
		c.add(Refuse, CheckMissing, m.Column, "has no CHECK, so that plaintext can be stored", c.checkWay())
	}
	if live.NotNull && m.Nullable {
		c.add(Warn, ColumnNotNull, m.Column, "is NOT NULL, and values of its Go type can be NULL", "drop NOT NULL, or take the pointer off the field")
	}
	if live.Made != "" {
		c.add(Refuse, ColumnMade, m.Column, "has "+live.Made+", which cannot be encrypted", "drop it")
	}
}

func (c *comparison) want() string {
	if c.bytea == "bytea" {
		return fieldcrypt.PostgresType
	}
	return c.bytea
}

func (c *comparison) checkWay() string {
	if c.bytea == "bytea" {
		return "run gormcrypt's AutoMigrate or pgxcrypt.DDL, which change a bytea to " + fieldcrypt.PostgresType + " if it holds sealed values alone"
	}
	return "run gormcrypt's AutoMigrate, which rebuilds the table with it"
}

// index compares an index column.
func (c *comparison) index(m *fieldcrypt.ManifestIndex) {
	live := c.Column(m.Column)
	if live == nil {
		c.add(Refuse, ColumnMissing, m.Column, "is missing, an index column", "make it, and fill the rows that are there by re-indexing")
		return
	}
	if live.Type != c.bytea {
		c.add(Refuse, ColumnType, m.Column, "is an index column of type "+live.Type+", not "+c.bytea, "rename or drop it, make it anew and re-index")
	}
	if live.NotNull && c.canBeNull(m) {
		c.add(Warn, ColumnNotNull, m.Column, "is NOT NULL, and there are values without an index", "drop NOT NULL")
	}
	if live.Made != "" {
		c.add(Refuse, ColumnMade, m.Column, "has "+live.Made+", and the index is not that of a value", "drop it")
	}
	unique := c.UniqueOver(live.Name)
	switch {
	case m.Unique && len(unique) == 0:
		c.add(Warn, IndexMissing, m.Column, "is to be unique, and has no unique index", "make it (gormcrypt's AutoMigrate, pgxcrypt.DDL)")
	case !m.Unique && len(unique) > 0:
		c.add(Warn, IndexUnique, m.Column, "is in the unique index "+unique[0].Name+", of which the models do not say",
			`a re-index keeps it unique; tag the field gorm:"uniqueIndex" if a driver is to know`)
	}
}

func (c *comparison) canBeNull(m *fieldcrypt.ManifestIndex) bool {
	return slices.ContainsFunc(m.Parts, func(p fieldcrypt.ManifestPart) bool {
		return p.Transform != "" || slices.ContainsFunc(c.Manifest.Columns, func(col fieldcrypt.ManifestColumn) bool {
			return col.Column == p.Column && col.Nullable
		})
	})
}

// plain looks for the columns that are read as they are.
func (c *comparison) plain() {
	seen := map[string]bool{}
	look := func(column, what string, s Severity) *TableColumn {
		live := c.Column(column)
		if live == nil && !seen[column] {
			c.add(s, ColumnMissing, column, "is missing, "+what, "make it, or write the manifest anew")
		}
		seen[column] = true
		return live
	}
	if c.Manifest.Tenant != "" {
		look(c.Manifest.Tenant, "the tenant column", Refuse)
	}
	for _, m := range c.Manifest.Columns {
		if m.Bind != nil {
			look(m.Bind.Column, "the column that values of "+m.Column+" are bound to", Refuse)
		}
		if m.Plain != "" {
			look(m.Plain, "the plaintext column of "+m.Column, Warn)
		}
	}
}

// key asks for a way to find rows again.
func (c *comparison) key() {
	switch {
	case len(c.Key) == 0:
		c.add(Refuse, KeyMissing, "", "has no primary key, and no other unique index over columns that are NOT NULL, by which rows could be found again", "add one")
	case len(c.Manifest.PrimaryKey) > 0:
		var names []string
		for _, k := range c.Key {
			names = append(names, k.Name)
		}
		if !slices.EqualFunc(names, c.Manifest.PrimaryKey, strings.EqualFold) {
			c.add(Warn, KeyChanged, "", fmt.Sprintf("has the key (%s), and the models' is (%s)", strings.Join(names, ", "), strings.Join(c.Manifest.PrimaryKey, ", ")),
				"the database's is used; make the models say the same")
		}
	}
}

// indexes looks for what must not be on ciphertext.
func (c *comparison) indexes() {
	const way = "drop it: ciphertext differs at every write, so that it finds nothing; the option index of the tag makes an index column"
	for _, m := range c.Manifest.Columns {
		for _, ix := range c.Indexes {
			if !slices.ContainsFunc(ix.Columns, func(name string) bool { return strings.EqualFold(name, m.Column) }) {
				continue
			}
			if ix.Primary {
				c.add(Refuse, KeyEncrypted, m.Column, "is in the primary key, and ciphertext", way)
			} else {
				c.add(Refuse, KeyEncrypted, m.Column, "is in the index "+ix.Name+", and ciphertext", way)
			}
		}
	}
	for _, name := range c.Foreign {
		c.add(Refuse, KeyEncrypted, "", "has the foreign key "+name+" on ciphertext", "drop it, and refer to a plain key")
	}
	for _, ix := range c.Indexes {
		if !ix.Valid {
			c.add(Warn, IndexInvalid, "", "has the index "+ix.Name+", which is not valid: making it did not end", "drop it and make it anew, or REINDEX it")
		}
	}
}

// surroundings are what a migration meets when it writes.
func (c *comparison) surroundings() {
	if c.Secured {
		c.add(Refuse, RowSecurity, "", "has row security, which hides rows from this role: what it does not see stays on the old key", "run as a role with BYPASSRLS, or as the table's owner without FORCE")
	}
	for _, name := range c.Triggers {
		c.add(Warn, TriggerOnUpdate, "", "has the trigger "+name+", which fires for every row that is rewritten", "see that it may; it can ask current_setting('fc.migrate', true) and stand aside")
	}
	if c.bytea == "bytea" && c.Rows < 0 {
		c.add(Warn, StatisticsAbsent, "", "was never analyzed, so that nobody can say how long it takes", "ANALYZE it")
	}
}
