package gormcrypt

import (
	"slices"
	"strings"

	"gorm.io/gorm/clause"
	"gorm.io/gorm/utils"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// brought is an encrypted column that a selection has.
type brought struct {
	*column
	table  string // what to qualify its companions with, as clause.Column.Table; "" for nothing
	nested bool   // of a relation that is joined: its name in the result begins with the relation's
}

// needs is what a selection must have beside what was asked for, so that its
// encrypted columns can be opened.
type needs struct {
	companions []clause.Column
	plains     []clause.Column // text: plaintext columns where the encrypted one is NULL
}

func (s *selection) needs(returning bool) (n needs, err error) {
	for _, b := range s.brought {
		table := b.table
		if returning {
			table = ""
		}
		for _, k := range b.companions() {
			col := clause.Column{Table: table, Name: k.name}
			if b.nested {
				col.Alias = utils.NestedRelationName(b.table, k.name)
			}
			if !slices.Contains(n.companions, col) {
				n.companions = append(n.companions, col)
			}
		}
		if b.plain == "" {
			continue
		}
		if _, rows := s.stmt.Settings.Load(rowsKey); rows {
			return n, fieldErr("query", b.field, fieldcrypt.ErrUnsupported, "Scan, Rows and Row while its plaintext column "+b.plain+" is being adopted; use Find, First, Take or Pluck")
		}
		as := plainName(b.name)
		if b.nested {
			as = utils.NestedRelationName(b.table, as)
		}
		if len(as) > maxName {
			return n, fieldErr("query", b.field, fieldcrypt.ErrUnsupported, "its plaintext column in the result of a join has a name of more than 63 bytes; load the relation by Preload")
		}
		if s.plains[as] != nil {
			continue
		}
		quoted := func(name string) string { return s.stmt.Quote(clause.Column{Table: table, Name: name}) }
		n.plains = append(n.plains, clause.Column{Raw: true, Name: "CASE WHEN " + quoted(b.name) + " IS NULL THEN " + quoted(b.plain) + " END AS " + s.stmt.Quote(as)})
		if s.plains == nil {
			s.plains = map[string]*column{}
		}
		s.plains[as] = b.column
	}
	return n, nil
}

// complete gives a list of columns what it needs. Companions come first: fields
// open themselves while a row is read, in the order of its columns.
func (s *selection) complete(e clause.Expression) (clause.Expression, error) {
	_, rows := s.stmt.Settings.Load(rowsKey)
	if len(s.brought) == 0 || s.stmt.Dest == nil && !rows || s.stmt.DryRun || s.asksForColumns() {
		return e, nil // of a sub-query, which GORM builds as a dry run, or of a table whose companions may not be there yet
	}
	r, returning := e.(clause.Returning)
	n, err := s.needs(returning)
	if err != nil {
		return nil, err
	}
	if len(n.companions)+len(n.plains) == 0 {
		if list, ok := e.(clause.Select); ok && len(list.Columns) == 0 && !rows && marked(s.stmt) {
			list.Columns = s.allOf(clause.CurrentTable) // without the index columns
			return list, nil
		}
		return e, nil
	}
	switch list := e.(type) {
	case clause.Returning:
		r.Columns = s.completed(list.Columns, n, "")
		return r, nil
	case clause.Select:
		list.Columns = s.completed(list.Columns, n, clause.CurrentTable)
		return list, nil
	}
	if text, _ := textOf(e); text != "" && !s.distinct {
		return completedText{n.companions, e, n.plains}, nil
	}
	return nil, onCiphertext(s.columns[0], "a SELECT to which the columns that it depends on cannot be added (name columns in Select)")
}

// asksForColumns reports whether the statement is the one by which GORM's migrator
// asks a table for its columns: Table(name).Limit(1).Rows(). The companions are in
// its *, at their own places. Who opens such a row with ScanRows names the model.
func (s *selection) asksForColumns() bool {
	stmt := s.stmt
	if rows, ok := stmt.Settings.Load(rowsKey); !ok || rows != true || stmt.Model != nil || len(stmt.Selects)+len(stmt.Joins) > 0 {
		return false
	}
	for name, c := range stmt.Clauses {
		limit, ok := c.Expression.(clause.Limit)
		if name != "SELECT" && name != "FROM" && !(ok && limit.Limit != nil && *limit.Limit == 1 && limit.Offset == 0) {
			return false
		}
	}
	_, limited := stmt.Clauses["LIMIT"]
	return limited
}

func (s *selection) completed(columns []clause.Column, n needs, table string) []clause.Column {
	if len(columns) == 0 || len(columns) == 1 && strings.TrimSpace(columns[0].Name) == "*" {
		columns = s.allOf(table)
	}
	for _, k := range n.companions {
		if !s.star && k.Alias == "" && !slices.Contains(s.names, strings.ToLower(k.Name)) {
			s.added = append(s.added, k.Name)
		}
	}
	out := slices.Clone(n.companions)
	for _, col := range columns {
		if !slices.ContainsFunc(n.companions, func(k clause.Column) bool { return k.Alias == col.Alias && k.Name == col.Name && !col.Raw }) {
			out = append(out, col)
		}
	}
	return append(out, n.plains...)
}

// allOf is what * stands for: of a table with others beside it, or whose columns
// the model does not know, it stays a *.
func (s *selection) allOf(table string) []clause.Column {
	own := 0
	for _, source := range s.sources() {
		if source.alias != "excluded" {
			own++
		}
	}
	if g := guardOf(s.stmt.Schema); g != nil && own == 1 && !s.ofSubquery() {
		if columns := g.columns(table); columns != nil {
			return columns
		}
	}
	return []clause.Column{{Name: "*", Raw: true}}
}

// ofSubquery reports whether a sub-query stands in the place of the statement's
// table. GORM does not always know its alias, so nothing is qualified by it.
func (sc *scope) ofSubquery() bool {
	return sc.stmt.TableExpr != nil && strings.Contains(sc.stmt.TableExpr.SQL, "(")
}

// columns lists what a query of the model reads, without the columns that only
// the database needs. It is nil for models with fields that may have no column,
// as those that the caller's SELECT computes.
func (g *guard) columns(table string) []clause.Column {
	if !g.complete {
		return nil
	}
	columns := make([]clause.Column, 0, len(g.schema.DBNames))
	for _, name := range g.schema.DBNames {
		if g.schema.FieldsByDBName[name].Readable {
			columns = append(columns, clause.Column{Table: table, Name: name})
		}
	}
	return columns
}

// completedText is a list of columns as text with what it needs around it.
type completedText struct {
	before []clause.Column
	list   clause.Expression
	after  []clause.Column
}

// Build implements clause.Expression.
func (t completedText) Build(b clause.Builder) {
	for _, col := range t.before {
		b.WriteQuoted(col)
		b.WriteByte(',')
	}
	t.list.Build(b)
	for _, col := range t.after {
		b.WriteByte(',')
		b.WriteQuoted(col)
	}
}
