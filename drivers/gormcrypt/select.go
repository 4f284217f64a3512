package gormcrypt

import (
	"slices"
	"strings"

	"gorm.io/gorm/clause"
	"gorm.io/gorm/utils"
)

// selection is what a SELECT or RETURNING brings back.
type selection struct {
	*scope
	columns  []*column          // encrypted ones
	brought  []brought          // the same, with where they come from
	plains   map[string]*column // those whose plaintext comes too, by its name in the result
	result   map[string]*column // the same, by their names in the result, lower case
	added    []string           // companions that were not asked for
	names    []string           // of all that are named, lower case
	star     bool
	distinct bool
}

// selectClause lets encrypted columns be read as they are, under their own names:
// computed, renamed or made distinct, they would come back as ciphertext.
func (sc *scope) selectClause(e clause.Expression) (clause.Expression, error) {
	if list, ok := e.(clause.Select); ok && sc.quiet() && !slices.ContainsFunc(list.Columns, func(c clause.Column) bool { return sc.reg.concerns(c.Name) }) {
		return e, nil
	}
	s := selection{scope: sc}
	if err := s.add(e); err != nil {
		return nil, err
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	return s.finish(e)
}

// finish gives the selection what its columns depend on, and says what will come.
func (s *selection) finish(e clause.Expression) (clause.Expression, error) {
	out, err := s.complete(e)
	if err != nil {
		return nil, err
	}
	if v, ok := s.stmt.Settings.Load(resultKey); ok {
		if r := v.(*result); r.stmt == s.stmt {
			r.plains, r.added = s.plains, s.added
		}
	}
	return out, nil
}

// returning is selectClause for RETURNING.
func (sc *scope) returning(e clause.Expression) (clause.Expression, error) {
	r, ok := e.(clause.Returning)
	if !ok {
		return sc.selectClause(e)
	}
	s := selection{scope: sc}
	if err := s.add(clause.Select{Columns: r.Columns}); err != nil {
		return nil, err
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	return s.finish(e)
}

func (s *selection) add(e clause.Expression) error {
	switch e := e.(type) {
	case clause.Select:
		s.distinct = s.distinct || e.Distinct
		if len(e.Columns) == 0 {
			s.addStar("")
		}
		for _, col := range e.Columns {
			if err := s.addColumn(col); err != nil {
				return err
			}
		}
		return nil
	case clause.CommaExpression:
		for _, each := range e.Exprs {
			if err := s.add(each); err != nil {
				return err
			}
		}
		return nil
	case clause.Expr:
		if col, ok := first(e.Vars).(clause.Column); ok && len(e.Vars) == 1 {
			switch strings.ToUpper(e.SQL) {
			case "?":
				return s.addColumn(col)
			case "COUNT(?)":
				if c, _, err := s.columnOf(col); err == nil && c != nil && c.plain != "" {
					return onCiphertext(c, "COUNT of a column that is being adopted, which leaves out rows that are not sealed yet (count those that IS NOT NULL finds)")
				}
				return nil // NULL is stored as NULL
			}
		}
	}
	text, vars := textOf(e)
	if text == "" {
		return s.foreign(e)
	}
	if _, changed, err := s.values(vars); err != nil || changed {
		return firstError(err, queryErr("an encrypted column among the values of SELECT"))
	}
	for _, v := range namedValues(vars) {
		if _, changed, err := s.value(v); err != nil || changed {
			return firstError(err, queryErr("an encrypted column among the values of SELECT"))
		}
	}
	return s.addText(text, len(vars))
}

func (s *selection) addColumn(col clause.Column) error {
	if col.Raw {
		return s.addText(col.Name, 0)
	}
	c, _, err := s.columnOf(col)
	if err != nil {
		return err
	}
	_, name := splitPath(strings.ToLower(unquote(col.Name)))
	s.names = append(s.names, name)
	if c == nil {
		return nil
	}
	if col.Alias != "" && !strings.EqualFold(col.Alias, c.name) && col.Alias != utils.NestedRelationName(col.Table, col.Name) {
		return onCiphertext(c, "SELECT under another name")
	}
	name = c.key()
	if col.Alias != "" {
		name = strings.ToLower(col.Alias)
	}
	s.bring(c, name, s.qualifier(c, col.Table), col.Alias != "" && !strings.EqualFold(col.Alias, c.name))
	return nil
}

// qualifier is what the companions of a column are qualified with: what the
// caller has qualified the column with, else the table that has it.
func (s *selection) qualifier(c *column, given string) string {
	switch {
	case given != "":
		return given
	case s.ofSubquery() && len(s.sources()) == 1:
		return ""
	case len(s.sources()) == 1 || s.main().column(c.key()) == c:
		return clause.CurrentTable
	}
	for _, source := range s.sources() {
		if source.column(c.key()) == c {
			return source.alias
		}
	}
	return ""
}

// bring notes that the result has an encrypted column.
func (s *selection) bring(c *column, name, table string, nested bool) {
	if s.result == nil {
		s.result = map[string]*column{}
	}
	s.columns = append(s.columns, c)
	s.brought = append(s.brought, brought{c, table, nested})
	if s.result[name] == nil { // of two tables' columns of a name, the statement's own table's
		s.result[name] = c
	}
}

// addText reads a list of columns. An encrypted one must stand there alone.
func (s *selection) addText(text string, values int) error {
	r := rewriter{scope: s.scope, parsed: parse(text, values, nil, false)}
	for i, t := range r.tokens {
		before := r.peek(i - 1)
		switch {
		case t.is("distinct"):
			s.distinct = true
		case t.is("*") && (i == 0 || before.is(",", "distinct")):
			s.addStar("")
		case t.is("*") && before.is("."):
			s.addStar(r.peek(i - 2).name)
		case t.ident() && r.peek(i+1).is(",", "") && (i == 0 || before.is(",", ".", "distinct")):
			s.names = append(s.names, t.name)
		}
	}
	if !s.concerned(text) {
		return nil
	}
	if err := s.understood(r.parsed); err != nil {
		return err
	}
	return r.each(func(c *column, i, end int) (int, error) {
		before, after := r.peek(i-1), r.peek(end)
		if after.is("as") {
			after = r.peek(end + 1)
		}
		if after.ident() && strings.EqualFold(after.name, c.name) {
			after = r.peek(end + 2)
		}
		if i > 0 && !before.is(",", "distinct") || !after.is(",", "") {
			return 0, onCiphertext(c, "SELECT of an expression, or under another name")
		}
		qualifier, _ := splitPath(r.pathAt(i))
		s.bring(c, c.key(), s.qualifier(c, qualifier), false)
		return end, nil
	})
}

// addStar adds the columns of one table, or of all.
func (s *selection) addStar(alias string) {
	s.star = true
	for _, source := range s.sources() {
		if alias != "" && source.alias != alias {
			continue
		}
		for _, t := range source.tables {
			for name, c := range t.columns {
				s.bring(c, name, s.qualifier(c, alias), false)
			}
		}
	}
}

// check refuses a selection whose encrypted columns cannot be opened, or not be
// told apart.
func (s *selection) check() error {
	if len(s.columns) == 0 {
		return nil
	}
	if err := s.remapped(); err != nil {
		return err
	}
	c := s.columns[0]
	if s.distinct && !s.star && !s.hasPrimaryKey() {
		return onCiphertext(c, "DISTINCT without the primary key")
	}
	if rows, ok := s.stmt.Settings.Load(rowsKey); ok {
		if rows == false || !s.star && len(s.names) == 1 { // Row, or Scan of the one column
			return onRows(c)
		}
		s.hide()
	}
	if err := s.keysReady(s.columns...); err != nil {
		return err
	}
	if v, ok := s.stmt.Settings.Load(resultKey); ok {
		if r := v.(*result); r.stmt == s.stmt {
			r.selected, r.star = s.result, s.star
		}
	}
	if s.star {
		if err := s.b.checkPlains(s.stmt, s.columns); err != nil {
			return err
		}
	}
	return s.b.checkDest(s.stmt, s.columns)
}

func (s *selection) hasPrimaryKey() bool {
	if s.stmt.Schema == nil || len(s.stmt.Schema.PrimaryFieldDBNames) == 0 {
		return false
	}
	for _, name := range s.stmt.Schema.PrimaryFieldDBNames {
		if !slices.Contains(s.names, strings.ToLower(name)) {
			return false
		}
	}
	return true
}
