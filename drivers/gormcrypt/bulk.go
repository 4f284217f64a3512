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

// inBulk reports whether the rows of a statement are written so.
func (sc *scope) inBulk(values clause.Values) bool {
	if sc.b.dialect != "postgres" || len(values.Values) < bulkRows || sc.stmt.TableExpr != nil {
		return false
	}
	for _, row := range values.Values {
		if len(row) != len(values.Columns) {
			return false
		}
		for _, v := range row {
			switch v.(type) {
			case *plain:
			case clause.Expression, clause.Column, clause.Table, *gorm.DB, gorm.Valuer:
				return false // of a type that its column may not have, or DEFAULT
			}
		}
	}
	return true
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
		b.AddVar(b, row...)
	}
	b.WriteString(")) AS v OFFSET 1")
}
