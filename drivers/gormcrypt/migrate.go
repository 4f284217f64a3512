package gormcrypt

import (
	"context"
	"fmt"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// GormDBDataType implements migrator.GormDataTypeInterface: the migrator asks it
// for the type of an encrypted column, when it makes one and when it compares one
// with what is there.
func (stored) GormDBDataType(db *gorm.DB, f *schema.Field) string {
	c, path := migratorCatalog(db, f)
	t, err := c.columns(path)
	if err != nil {
		return ddlRefusal(err.Error())
	}
	if !t.migratable() {
		return viewRefusal(path, t.kind)
	}
	live := t.column(f.DBName)
	if db.Dialector.Name() == "sqlite" {
		name := db.NamingStrategy.CheckerName(f.Schema.Table, f.DBName)
		checked := fmt.Sprintf("blob CONSTRAINT `%s` CHECK (%s)", name, sqliteCheck(f.DBName))
		switch {
		case t.kind == "": // the migrator writes the CHECK of a new table itself
			return "blob"
		case live == nil: // and to give one to a table that is there would make it anew, without its triggers and other indexes
			return checked
		case live.typ != "" && live.typ != "blob":
			return plaintextRefusal(f, live.typ)
		case live.check == atColumn:
			return checked
		case live.check == atTable:
			return "blob"
		case t.ddl.constraint(name): // GORM looks at the name alone, and would leave it at that
			return ddlRefusal(fmt.Sprintf("column %s has another CHECK than it must have; drop the constraint %s first", f.DBName, name))
		}
		return c.unlessPlaintext(path, f, "blob", "NOT ("+sqliteCheck(f.DBName)+")")
	}
	switch {
	case live == nil:
		return domain
	case live.isValue && live.domain == "":
		return "bytea" // what the catalog says of the column, so that nothing is changed
	case live.isValue:
		return ddlRefusal(fmt.Sprintf("the type %s %s; %s", domain, live.domain, domainHint))
	case live.typ == "bytea":
		name := c.quote(f.DBName)
		return c.unlessPlaintext(path, f, domain, fmt.Sprintf(`NOT (octet_length(%s) >= %d AND substring(%s FROM 1 FOR 2) = '\xfc01'::bytea)`, name, fieldcrypt.MinSize, name))
	}
	return plaintextRefusal(f, live.typ)
}

// domainHint says how to make a domain right.
var domainHint = "give it the " + domainCheck + " over bytea, valid and alone"

// indexTerm is the type of a blind index column.
type indexTerm []byte

// GormDBDataType implements migrator.GormDataTypeInterface: an index column does
// not take the place of a column that has its name and holds something else.
func (indexTerm) GormDBDataType(db *gorm.DB, f *schema.Field) string {
	c, path := migratorCatalog(db, f)
	t, err := c.columns(path)
	if err != nil {
		return ddlRefusal(err.Error())
	}
	if !t.migratable() {
		return viewRefusal(path, t.kind)
	}
	if live := t.column(f.DBName); live != nil && !live.isBytes() {
		return ddlRefusal(fmt.Sprintf("the index column %s is there with the type %s, and is not converted in place; rename or drop that column", f.DBName, live.typ))
	}
	return db.Dialector.DataTypeOf(f)
}

// migratable reports whether the name is free or a table's.
func (t *liveTable) migratable() bool { return t.kind == "" || t.kind == "table" }

func viewRefusal(path tablePath, kind string) string {
	return ddlRefusal(fmt.Sprintf("%s is %s, not a table; name the table behind it in TableName or Table", path, kind))
}

// isBytes reports whether the type is that of an index column.
func (c *liveColumn) isBytes() bool {
	return c.typ == "bytea" || c.typ == "blob" || c.typ == "" // without a type SQLite keeps bytes as they are
}

// migratorCatalog is the catalog for GORM's migrator, which looks for the table
// of a field in the current schema.
func migratorCatalog(db *gorm.DB, f *schema.Field) (*catalog, tablePath) {
	path := pathOf(f.Schema, db.Statement)
	path.current = true
	return catalogOf(context.WithoutCancel(db.Statement.Context), db), path
}

// unlessPlaintext returns a type that a column of bytes becomes, unless a row is
// there whose value the condition finds.
func (c *catalog) unlessPlaintext(path tablePath, f *schema.Field, typ, condition string) string {
	found, err := c.exists(fmt.Sprintf("SELECT EXISTS (SELECT 1 FROM %s WHERE %s)", c.quote(path.schema, path.name), condition))
	switch {
	case err != nil:
		return ddlRefusal(err.Error())
	case found:
		return plaintextRefusal(f, "bytes that were not sealed")
	}
	return typ
}

// protect gives an encrypted column a CHECK where it has no type that checks.
func (b *binding) protect(sf *schema.Field) {
	if b.dialect == "sqlite" && !sf.IgnoreMigration {
		sf.TagSettings["CHECK"] = "," + sqliteCheck(sf.DBName) // the comma: under GORM's own name
	}
}

// ddlError begins and ends what stands in the place of a type that a column
// cannot have. No database takes it.
const ddlError = "!fieldcrypt!"

func ddlRefusal(reason string) string { return ddlError + " " + reason + " " + ddlError }

func plaintextRefusal(f *schema.Field, typ string) string {
	return ddlRefusal(fmt.Sprintf("column %s of type %s holds plaintext, which is never converted in place; %s", f.DBName, typ, adoptHint))
}

// adoptHint is the way from plaintext to ciphertext.
const adoptHint = "add an encrypted column beside it and move the values with migrate"

// ddlRefused makes the error of a refusal again.
func (r *registry) ddlRefused(text string) error {
	parts := strings.Split(text, ddlError)
	reason := strings.TrimSpace(parts[1])
	before := parseDDL(parts[0])
	tables := r.find(strings.TrimSuffix(before.table(), "__temp"))
	for i := len(before.tokens) - 1; i >= 0; i-- { // the column stands right before
		for _, t := range tables {
			if f := t.field(before.tokens[i].text); f != nil {
				return fieldErr("migrate", f, fieldcrypt.ErrUnsupported, reason)
			}
		}
	}
	reason, hint, _ := strings.Cut(reason, "; ")
	return &fieldcrypt.Error{Op: "migrate", Err: fmt.Errorf("%w: %s", fieldcrypt.ErrUnsupported, reason), Hint: hint}
}

// field returns the field whose values are in an encrypted column or, the first
// of them, in an index column.
func (t *table) field(name string) *fieldcrypt.Field {
	if c := t.columns[name]; c != nil {
		return c.field
	}
	if ix := t.indexes[name]; ix != nil {
		return ix.columns[0].field
	}
	return nil
}
