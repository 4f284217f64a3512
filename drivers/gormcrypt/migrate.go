package gormcrypt

import (
	"context"
	"fmt"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// domain is the Postgres type of encrypted columns. Its error does not echo what
// was refused; that of a table's CHECK would.
const domain = "fieldcrypt_value"

// createDomain makes the type unless it is there, whoever else is making it.
var createDomain = fmt.Sprintf(`DO $$ BEGIN
	CREATE DOMAIN %s AS bytea CHECK (octet_length(VALUE) >= %d AND substring(VALUE FROM 1 FOR 2) = '\xfc01'::bytea);
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$`, domain, fieldcrypt.MinSize)

// GormDBDataType implements migrator.GormDataTypeInterface: the migrator asks it
// for the type of an encrypted column, when it makes one and when it compares one
// with what is there.
func (stored) GormDBDataType(db *gorm.DB, f *schema.Field) string {
	live, err := liveType(db, f)
	switch {
	case err != nil:
		return ddlRefusal(err.Error())
	case db.Dialector.Name() == "sqlite":
		if live == "" || live == "blob" {
			return "blob"
		}
	case live == domain:
		return "bytea" // what the catalog says of the column, so that nothing is changed
	case live == "" || live == "bytea": // the database checks what is there
		return domain
	}
	return ddlRefusal(fmt.Sprintf("column %s of type %s holds plaintext, which is never converted in place: add an encrypted column beside it and move the values with migrate", f.DBName, live))
}

// liveType returns the type that a column has now, "" if there is none.
func liveType(db *gorm.DB, f *schema.Field) (name string, err error) {
	table := db.Statement.Quote(f.Schema.Table)
	if db.Statement.TableExpr != nil {
		table = db.Statement.TableExpr.SQL
	}
	query, args := `SELECT t.typname FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
		WHERE a.attrelid = to_regclass($1) AND a.attname = $2 AND NOT a.attisdropped`, []any{table, f.DBName}
	if db.Dialector.Name() == "sqlite" {
		_, table := splitPath(f.Schema.Table)
		query, args = `SELECT type FROM pragma_table_info(?) WHERE name = ?`, []any{table, f.DBName}
	}
	rows, err := db.Statement.ConnPool.QueryContext(context.WithoutCancel(db.Statement.Context), query, args...)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(&name); err != nil {
			return "", err
		}
	}
	return strings.ToLower(name), rows.Err()
}

// protect gives an encrypted column a CHECK where it has no type that checks.
func (b *binding) protect(sf *schema.Field) {
	if b.dialect != "sqlite" {
		return
	}
	name := "`" + sf.DBName + "`"
	sf.TagSettings["CHECK"] = fmt.Sprintf(",%s IS NULL OR (typeof(%s) = 'blob' AND length(%s) >= %d AND substr(%s, 1, 2) = x'fc01')",
		name, name, name, fieldcrypt.MinSize, name) // the comma: under GORM's own name
}

// ddlError begins and ends what stands in the place of a type that a column
// cannot have. No database takes it.
const ddlError = "!fieldcrypt!"

func ddlRefusal(reason string) string { return ddlError + " " + reason + " " + ddlError }

// ddlRefused makes the error of it again.
func ddlRefused(text string) error {
	parts := strings.Split(text, ddlError)
	return &fieldcrypt.Error{Op: "migrate", Err: fmt.Errorf("%w: %s", fieldcrypt.ErrUnsupported, strings.TrimSpace(parts[1]))}
}

// otherTypes are the beginnings of column types other than ours.
var otherTypes = wordSet("text", "varchar", "char", "character", "integer", "int", "bigint", "smallint", "numeric", "decimal", "real",
	"double", "float", "boolean", "bool", "timestamp", "timestamptz", "datetime", "date", "time", "json", "jsonb", "uuid", "bytea")

// beforeDDL refuses to turn an encrypted column into one of another type, as a
// plain model of the same table would, and makes the type that a statement is
// about to use.
func (b *binding) beforeDDL(stmt *gorm.Statement, p *parsed) error {
	tables := b.registry.Load().find(strings.TrimSuffix(p.ddlTable(), "__temp"))
	for i, t := range p.tokens {
		typ := p.peek(i + 1)
		if typ.is("type") {
			typ = p.peek(i + 2)
		}
		if !t.ident() || typ.kind != word || !otherTypes[typ.name] {
			continue
		}
		for _, table := range tables {
			if c := table.columns[t.name]; c != nil {
				return fieldErr("migrate", c.field, fieldcrypt.ErrUnsupported, "the column is encrypted and does not become "+typ.name+"; tag the field in every model of the table, or leave the column out")
			}
		}
	}
	if b.dialect != "postgres" || !strings.Contains(p.text, domain) || p.tokens[0].is("do") {
		return nil
	}
	return stmt.DB.Session(&gorm.Session{NewDB: true, Context: stmt.Context}).Exec(createDomain).Error
}

// ddlTable returns the table that CREATE TABLE or ALTER TABLE is about, or "".
func (p *parsed) ddlTable() string {
	for i, t := range p.tokens {
		if !t.is("table") {
			continue
		}
		for i++; p.peek(i).is("if", "not", "exists", "only"); i++ {
		}
		if !p.peek(i).ident() {
			return ""
		}
		_, path := p.path(i)
		return path
	}
	return ""
}
