package gormcrypt

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// Check compares marked models with the tables of the database as they are now,
// and names every difference that would make their encrypted columns fail, find
// nothing, or take plaintext. Without models it looks at those that were given to
// [New]. Call it where the application starts, and after migrations that were not
// made by AutoMigrate alone:
//
//	err := gormcrypt.Check(ctx, db)
//
// It looks for the table, the encrypted columns and their types (on Postgres the
// domain fieldcrypt_value with its CHECK, on SQLite the CHECK of the column), the
// index columns, the indexes and unique constraints over these, for NOT NULL,
// defaults and generated values where the model has none, for keys and indexes on
// ciphertext, and for the columns that values are bound to. It says nothing of
// other columns: the model's plain ones, those that the model does not have, the
// plaintext of the option plain=, and the second index column of a re-indexing.
// Of fields with gorm:"-:migration", whose indexes GORM does not make, it looks at
// the columns alone.
//
// Tables are found as statements find them, on Postgres by the search_path; with
// db.Table("archive") it looks at that table, and with dbresolver at the DB that
// was opened.
//
// It only reads the catalogs, one query at a time, so that a read-only
// transaction, a role without rights to the tables and a pool of one connection
// are enough.
//
// The error joins one *[fieldcrypt.Error] per difference, with Op "check", each
// matching [fieldcrypt.ErrSchema] and saying what to do in Hint. A model that
// cannot be used is named by the error that db.Use would give, and a database
// that does not answer by its own.
func Check(ctx context.Context, db *gorm.DB, models ...any) error {
	b := bindingOf(db.NamingStrategy)
	if b == nil {
		return unregistered("", "the gormcrypt plugin is not in use on this DB; call db.Use(gormcrypt.New(fc, ...)) right after gorm.Open")
	}
	if len(models) == 0 {
		models = b.plugin.models
	}
	var found []error
	for _, model := range models {
		found = append(found, b.compare(ctx, db, model)...)
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(found...)
}

// comparison is that of one model with its table.
type comparison struct {
	schema  *schema.Schema
	sealed  *table // what is encrypted
	path    tablePath
	live    *liveTable
	dialect string
	namer   schema.Namer
	found   []error
}

func (b *binding) compare(ctx context.Context, db *gorm.DB, model any) []error {
	err := b.plugin.check(model)
	if err == nil {
		err = b.parse(db, model)
	}
	if err != nil {
		return []error{err}
	}
	stmt := &gorm.Statement{DB: db, Table: db.Statement.Table, TableExpr: db.Statement.TableExpr}
	if err := stmt.ParseWithSpecialTableName(model, stmt.Table); err != nil {
		return []error{err}
	}
	s := stmt.Schema
	c := comparison{schema: s, sealed: guardOf(s).tables[0], path: pathOf(s, db.Statement), dialect: b.dialect, namer: db.NamingStrategy}
	c.live, err = catalogOf(ctx, db).table(c.path)
	m, _ := b.crypter.Model(s.ModelType)
	switch {
	case err != nil:
		return []error{&fieldcrypt.Error{Op: "check", Model: m.Name, Table: m.Table, Err: fmt.Errorf("reading the catalog: %w", err)}}
	case c.live.kind == "":
		return []error{c.tableErr(m, fmt.Sprintf("there is no table %s", c.path), "run AutoMigrate")}
	case c.live.kind != "table":
		return []error{c.tableErr(m, fmt.Sprintf("%s is %s, not a table", c.path, c.live.kind), "name the table behind it in TableName or Table")}
	}
	c.compareFields(m)
	c.compareIndexColumns()
	c.compareIndexes()
	c.compareKeys()
	c.compareCompanions(m)
	return c.found
}

func (c *comparison) tableErr(m *fieldcrypt.Model, reason, hint string) error {
	return &fieldcrypt.Error{Op: "check", Model: m.Name, Table: m.Table, Err: fmt.Errorf("%w: %s", fieldcrypt.ErrSchema, reason), Hint: hint}
}

// differs notes a difference in a column of a field; name is the logical name.
func (c *comparison) differs(f *fieldcrypt.Field, name, reason, hint string) {
	c.found = append(c.found, &fieldcrypt.Error{
		Op: "check", Model: f.Model.Name, Field: f.Path, Table: f.Table, Column: name,
		Err: fmt.Errorf("%w: %s", fieldcrypt.ErrSchema, reason), Hint: hint,
	})
}

// full is a column as a person names it.
func (c *comparison) full(column string) string { return c.path.String() + "." + column }

// way is how a missing or wrong column of a field is made right.
func way(sf *schema.Field) string {
	if sf.IgnoreMigration {
		return "change it in the migration that makes it; AutoMigrate leaves it out"
	}
	return "run AutoMigrate"
}

func (c *comparison) compareFields(m *fieldcrypt.Model) {
	for _, f := range m.Fields {
		sf := c.schema.FieldsByBindName[f.Path]
		live := c.live.column(sf.DBName)
		if live == nil {
			c.differs(f, f.Name, "the column "+c.full(sf.DBName)+" is missing", way(sf))
			continue
		}
		if flaw, hint := c.typeFlaw(live, sf); flaw != "" {
			c.differs(f, f.Name, "the column "+c.full(sf.DBName)+" "+flaw, hint)
		}
		if live.notNull && !sf.NotNull && f.Nullable() {
			c.differs(f, f.Name, fmt.Sprintf("the column %s is NOT NULL, and values of type %s can be NULL", c.full(sf.DBName), f.Type), way(sf))
		}
		if live.made != "" {
			c.differs(f, f.Name, "the column "+c.full(sf.DBName)+" has "+live.made+", which cannot be encrypted", "drop it")
		}
	}
}

// typeFlaw says what lets an encrypted column take plaintext.
func (c *comparison) typeFlaw(live *liveColumn, sf *schema.Field) (flaw, hint string) {
	if c.dialect == "sqlite" {
		name := c.namer.CheckerName(c.schema.Table, sf.DBName)
		switch {
		case !live.isBytes():
			return "is of type " + live.typ + ", not blob", adoptHint
		case live.check != nowhere:
			return "", ""
		case c.live.ddl.constraint(name):
			return "has another CHECK than it must have", fmt.Sprintf("drop the constraint %s and run AutoMigrate", name)
		}
		return "has no CHECK, so that plaintext can be stored", way(sf)
	}
	switch {
	case live.isValue && live.domain == "":
		return "", ""
	case live.isValue:
		return fmt.Sprintf("is of type %s, which %s", live.typ, live.domain), domainHint
	case live.typ == "bytea":
		return "is of type bytea, not " + domain + ", so that plaintext can be stored", "run AutoMigrate, which changes it if it holds sealed values alone; else " + adoptHint
	}
	return "is of type " + live.typ + ", not " + domain, adoptHint
}

func (c *comparison) compareIndexColumns() {
	for _, ix := range c.indexes() {
		f, sf := ix.columns[0].field, c.schema.FieldsByDBName[ix.name]
		live := c.live.column(ix.name)
		if live == nil {
			c.differs(f, ix.blind.Name, "the index column "+c.full(ix.name)+" is missing", way(sf)+", and fill the rows that are there by re-indexing with migrate")
			continue
		}
		if !live.isBytes() {
			c.differs(f, ix.blind.Name, fmt.Sprintf("the index column %s is of type %s, not %s", c.full(ix.name), live.typ, map[string]string{"postgres": "bytea", "sqlite": "blob"}[c.dialect]),
				"rename or drop that column, run AutoMigrate and re-index with migrate")
		}
		if live.notNull && (ix.blind.Partial() || slices.ContainsFunc(ix.columns, func(col *column) bool { return col.field.Nullable() })) {
			c.differs(f, ix.blind.Name, "the index column "+c.full(ix.name)+" is NOT NULL, and there are values without an index", way(sf))
		}
		if live.made != "" {
			c.differs(f, ix.blind.Name, "the index column "+c.full(ix.name)+" has "+live.made, "drop it")
		}
	}
}

// indexes are those of the model, in a fixed order.
func (c *comparison) indexes() (indexes []*index) {
	for _, name := range slices.Sorted(maps.Keys(c.sealed.indexes)) {
		indexes = append(indexes, c.sealed.indexes[name])
	}
	return indexes
}
