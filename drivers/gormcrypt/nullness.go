package gormcrypt

import "gorm.io/gorm/clause"

// nullness is the condition that a column which is being adopted is NULL, or not:
// both its columns are. A row that is not sealed yet has its value in the plaintext
// one.
type nullness struct {
	qualifier string // of text: as the caller wrote it, with the dot
	table     string // of a structured condition
	column    *column
	negated   bool
}

// Build implements clause.Expression.
func (n *nullness) Build(b clause.Builder) { n.build(b, n.negated) }

// NegationBuild implements clause.NegationExpressionBuilder.
func (n *nullness) NegationBuild(b clause.Builder) { n.build(b, !n.negated) }

func (n *nullness) build(b clause.Builder, negated bool) {
	is, word := " IS NULL", " AND "
	if negated {
		is, word = " IS NOT NULL", " OR "
	}
	b.WriteByte('(')
	for i, name := range []string{n.column.name, n.column.plain} {
		if i > 0 {
			b.WriteString(word)
		}
		if n.table == "" {
			b.WriteString(n.qualifier)
		}
		b.WriteQuoted(clause.Column{Table: n.table, Name: name})
		b.WriteString(is)
	}
	b.WriteByte(')')
}
