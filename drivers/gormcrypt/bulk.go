package gormcrypt

import (
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// bulkRows is how many rows an INSERT must have on Postgres to be written as
// bulkValues.
const bulkRows = 16

// bulkValues are the rows of an INSERT on Postgres, written as
//
//	(a, b) SELECT * FROM (VALUES ((NULL::t).a, (NULL::t).b), ($1, $2), ...) AS v OFFSET 1
//
// In a plain VALUES of several rows Postgres prepares the check of the domain
// fieldcrypt_value anew for each value, which takes longer than to store it, and
// each parameter needs a cast for the driver to send it as bytes. Here the first
// row, which OFFSET leaves out, gives the types, and the check is prepared once
// for each column. What is stored, and in which order, is the same.
type bulkValues struct{ clause.Values }

// inBulk returns how the rows of a statement are written.
func (b *binding) inBulk(stmt *gorm.Statement, e clause.Expression) clause.Expression {
	values, ok := e.(clause.Values)
	if !ok || b.dialect != "postgres" || len(values.Values) < bulkRows || stmt.TableExpr != nil || b.ofStatement(stmt).override() != "" || hidesTable(stmt.Table) || !sealsSome(values.Values[0]) {
		return e
	}
	for _, row := range values.Values {
		if len(row) != len(values.Columns) {
			return e
		}
		for _, v := range row {
			switch v.(type) {
			case bytea:
			case clause.Expression, clause.Column, clause.Table, *gorm.DB, gorm.Valuer:
				return e // of a type that its column may not have, or DEFAULT
			}
		}
	}
	return bulkValues{values}
}

func sealsSome(row []any) bool {
	for _, v := range row {
		if _, ok := v.(bytea); ok {
			return true
		}
	}
	return false
}

// Build implements clause.Expression.
func (v bulkValues) Build(b clause.Builder) {
	b.WriteByte('(')
	for i, col := range v.Columns {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteQuoted(col)
	}
	b.WriteString(") SELECT * FROM (VALUES (")
	for i, col := range v.Columns {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("(NULL::")
		b.WriteQuoted(clause.Table{Name: clause.CurrentTable})
		b.WriteString(").")
		b.WriteQuoted(clause.Column{Name: col.Name})
	}
	for _, row := range v.Values.Values {
		b.WriteString("),(")
		for i, value := range row {
			if i > 0 {
				b.WriteByte(',')
			}
			if stored, ok := value.(bytea); ok {
				value = stored.sealed
			}
			b.AddVar(b, value)
		}
	}
	b.WriteString(")) AS v OFFSET 1")
}
