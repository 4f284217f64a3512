package gormcrypt

import (
	"slices"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// scope is what names mean in one statement. It resolves the statement's tables
// when a name first asks for them: most statements of plain models have none that
// does.
type scope struct {
	b    *binding
	reg  *registry
	stmt *gorm.Statement
	from clause.From

	resolved []source // the statement's own table first
	few      [2]source

	plain    answer // whether it is quiet
	inverted bool   // under a NOT: a condition must be false where it is not true
	inWhere  bool   // in the statement's WHERE clause
	inner    answer // in a sub-select of a text: yes; under a NOT inside it: no

	conflict   []clause.Column     // target of an upsert
	restricted []clause.Expression // what WHERE must ask beside what it asks
}

// answer is a bool that may not be known yet.
type answer uint8

const (
	unknown answer = iota
	yes
	no
)

// source is a table of the statement, or a sub-select that stands for one.
type source struct {
	alias  string   // lower case
	path   string   // as SQL names it, lower case; "" for a sub-select
	tables []*table // what is encrypted in it; nil for nothing
}

func (s *source) column(name string) *column {
	for _, t := range s.tables {
		if c := t.columns[name]; c != nil {
			return c
		}
	}
	return nil
}

// scope is that of a statement whose FROM clause is from.
func (b *binding) scope(stmt *gorm.Statement, from clause.From) *scope {
	return &scope{reg: b.registry.Load(), b: b, stmt: stmt, from: from}
}

// ofStatement is scope with the statement's own FROM clause.
func (b *binding) ofStatement(stmt *gorm.Statement) *scope {
	from, _ := stmt.Clauses["FROM"].Expression.(clause.From)
	return b.scope(stmt, from)
}

// quiet reports, at little cost, that nothing but the text of a sub-select can
// name an encrypted column here.
func (sc *scope) quiet() bool {
	if sc.plain == unknown {
		sc.plain = no
		stmt := sc.stmt
		if guardOf(stmt.Schema) == nil && stmt.TableExpr == nil && len(stmt.Joins)+len(sc.from.Joins)+len(sc.from.Tables) == 0 &&
			sc.override() == "" && !slices.ContainsFunc(sc.reg.tables, func(t *table) bool { return t.is(stmt.Table) }) {
			sc.plain = yes
		}
	}
	return sc.plain == yes
}

// addRaw adds the tables that the given text of a statement names.
func (sc *scope) addRaw(text string) {
	sc.sources()
	sc.addRefs(parse(text, 0, nil, false), nil)
	sc.plain = no
}

// override is the table that an INSERT or UPDATE clause names in place of the
// model's.
func (sc *scope) override() string {
	if c, ok := sc.stmt.Clauses["INSERT"].Expression.(clause.Insert); ok && c.Table.Name != "" && c.Table.Name != clause.CurrentTable {
		return strings.ToLower(c.Table.Name)
	}
	if c, ok := sc.stmt.Clauses["UPDATE"].Expression.(clause.Update); ok && c.Table.Name != "" && c.Table.Name != clause.CurrentTable {
		return strings.ToLower(c.Table.Name)
	}
	return ""
}

// main is the statement's own table.
func (sc *scope) main() *source { return &sc.sources()[0] }

// sources are the tables of the statement.
func (sc *scope) sources() []source {
	if sc.resolved != nil {
		return sc.resolved
	}
	sc.resolved = sc.few[:0]
	stmt := sc.stmt
	sc.addMain()
	for _, t := range sc.from.Tables {
		if t.Name != clause.CurrentTable {
			sc.add(t.Name, t.Alias, sc.reg.find(strings.ToLower(t.Name)))
		}
	}
	for _, j := range sc.from.Joins {
		if j.Expression == nil {
			sc.add(j.Table.Name, j.Table.Alias, sc.reg.find(strings.ToLower(j.Table.Name)))
			continue
		}
		sql, vars := textOf(j.Expression)
		sc.addRefs(parse(sql, len(vars), nil, false), vars)
	}
	for _, j := range stmt.Joins {
		// Of a relation that is joined as a sub-select, the alias is here alone; of
		// others, until GORM has built the FROM clause.
		if j.Expression != nil || len(sc.from.Joins) == 0 {
			sc.addRelation(j.Name, j.Alias)
		}
	}
	if _, ok := stmt.Clauses["ON CONFLICT"]; ok {
		sc.add(sc.resolved[0].path, "excluded", sc.resolved[0].tables)
	}
	return sc.resolved
}

// addMain adds the tables of the statement's Model and Table.
func (sc *scope) addMain() {
	stmt := sc.stmt
	own := sc.b.tablesOf(stmt.Schema)
	if name := sc.override(); name != "" {
		own = sc.reg.also(own, name)
	}
	switch {
	case stmt.TableExpr == nil:
		sc.add(stmt.Table, "", sc.reg.also(own, strings.ToLower(stmt.Table)))
		return
	case stmt.Schema != nil && own == nil && stmt.TableExpr.SQL == stmt.Quote(stmt.Schema.Table):
		// A plain model that names its schema: a table of that name in another
		// one is another table.
		sc.add(stmt.Schema.Table, stmt.Table, sc.reg.exactly(strings.ToLower(stmt.Schema.Table)))
		return
	}
	sc.addRefs(parse(stmt.TableExpr.SQL, len(stmt.TableExpr.Vars), nil, true), stmt.TableExpr.Vars)
	for i := range sc.resolved {
		if sc.resolved[i].alias == strings.ToLower(stmt.Table) {
			sc.resolved[0], sc.resolved[i] = sc.resolved[i], sc.resolved[0]
		}
	}
	if len(sc.resolved) == 0 {
		sc.add(stmt.Table, "", nil)
	}
	sc.resolved[0].tables = append(own[:len(own):len(own)], sc.resolved[0].tables...)
}

func (sc *scope) add(path, alias string, tables []*table) {
	if alias == "" {
		_, alias = splitPath(path)
	}
	sc.resolved = append(sc.resolved, source{strings.ToLower(alias), strings.ToLower(path), tables})
}

// addRelation adds the table of a joined relation, and of those on the way to it.
func (sc *scope) addRelation(path, alias string) {
	rel := relation(sc.stmt.Schema, path)
	if rel == nil {
		return
	}
	parent, _ := splitPath(path)
	if alias == "" {
		alias = strings.ReplaceAll(path, ".", "__") // GORM's name for it
	}
	sc.add("", alias, sc.b.tablesOf(rel.FieldSchema))
	if parent != "" {
		sc.addRelation(parent, "")
	}
}

// addRefs adds the tables that a text names, of its own level.
func (sc *scope) addRefs(p *parsed, vars []any) {
	inner := sc.inside(p, vars)
	for _, ref := range p.levels[0].refs {
		if ref.path == "" {
			sc.add("", ref.alias, inner)
		} else {
			sc.add(ref.path, ref.alias, sc.reg.find(ref.path))
		}
	}
}

// inside returns the tables from which the sub-selects of a text may bring
// encrypted columns along.
func (sc *scope) inside(p *parsed, vars []any) (tables []*table) {
	for _, l := range p.levels[1:] {
		for _, ref := range l.refs {
			tables = append(tables, sc.reg.find(ref.path)...)
		}
	}
	for _, v := range vars {
		if sub, ok := v.(*gorm.DB); ok {
			tables = append(tables, sc.b.tablesOfQuery(sub)...)
		}
	}
	return tables
}

// encrypted reports whether a table of the statement has encrypted columns.
func (sc *scope) encrypted() bool {
	return !sc.quiet() && slices.ContainsFunc(sc.sources(), func(s source) bool { return len(s.tables) > 0 })
}

// alias returns the encrypted source that is called so, or nil.
func (sc *scope) alias(name string) *source {
	if sc.quiet() {
		return nil
	}
	for i, s := range sc.sources() {
		if s.alias == name && len(s.tables) > 0 {
			return &sc.resolved[i]
		}
	}
	return nil
}
