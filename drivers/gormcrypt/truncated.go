package gormcrypt

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/utils"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// truncatedHere refuses a truncated index where its false positives could not be
// told from what matches.
func truncatedHere(ix *index, why string) error {
	return indexErr(ix, fmt.Sprintf("the index is truncated to %d bits and finds other rows besides, and %s; "+
		"ask it in a Where beside others, for Find, First, Take, Last or FindInBatches into structs of a marked model that are given %s, and go on with their primary keys; or declare an index of full length",
		ix.blind.Bits, why, ix.fields()))
}

// approximations answers by truncated indexes what no other index does, and
// reports whether there was something. The terms are those of all of WHERE.
func (sc *scope) approximations(terms []conjunct) (bool, error) {
	did := false
	for i := range terms {
		t := &terms[i]
		if t.answer != nil || t.merged {
			continue
		}
		var err error
		if m := matchOf(t.given); m != nil {
			t.answer, err = sc.approximateMatch(m)
		} else if t.eq != nil && t.eq.source == sc.main() && sc.searchIndex(t.eq.column) == nil {
			t.answer, err = sc.approximateEquality(t.eq)
		}
		if err != nil {
			return false, err
		}
		did = did || t.answer != nil
	}
	return did, nil
}

func (sc *scope) approximateMatch(m *match) (clause.Expression, error) {
	n, err := sc.indexNamed(m.column)
	if err != nil || !n.index.truncated() {
		return nil, err
	}
	if n.source != sc.main() {
		return nil, truncatedHere(n.index, "it is not of the table that the query is of")
	}
	if err := n.index.count(m.values); err != nil {
		return nil, err
	}
	in, err := sc.approximate(n.index, slices.Clone(m.values))
	if err != nil {
		return nil, err
	}
	in.table = n.qualifier
	return in, nil
}

func (sc *scope) approximateEquality(eq *equality) (clause.Expression, error) {
	ix := sc.truncatedIndex(eq.column)
	if ix == nil {
		return nil, nil // refused where conditions are
	}
	values := slices.DeleteFunc(slices.Clone(eq.values), func(v any) bool { return isNull(plainOf(v)) })
	in, err := sc.approximate(ix, values)
	if err != nil {
		return nil, err
	}
	return eq.place(in), nil
}

// approximate makes a condition that finds what matches and more, and notes what
// tells them apart. The values are those of one tuple after the other; a row
// matches one of them.
func (sc *scope) approximate(ix *index, values []any) (*oneOf, error) {
	fields, err := sc.opened(ix)
	if err != nil {
		return nil, err
	}
	in, err := sc.among(ix.columns[0], ix, values, false)
	if err != nil {
		return nil, err
	}
	f := filter{fields: fields}
	for width := len(ix.columns); len(values) > 0; values = values[width:] {
		m, err := sc.b.crypter.Matcher(sc.stmt.Context, ix.blind, fieldcrypt.Row{}, values[:width]...)
		if err != nil {
			return nil, err
		}
		f.matchers = append(f.matchers, m)
	}
	if err := sc.narrow(ix, f); err != nil {
		return nil, err
	}
	return in, nil
}

// opened returns the fields of the destination that are given an index's columns,
// or why the statement cannot be searched by a truncated index.
func (sc *scope) opened(ix *index) ([]*fieldcrypt.Field, error) {
	stmt := sc.stmt
	if why := sc.unfit(); why != "" {
		return nil, truncatedHere(ix, why)
	}
	s := stmt.Schema
	if t := elem(stmt.Dest); t != s.ModelType {
		own := &gorm.Statement{DB: stmt.DB}
		if err := own.Parse(reflect.New(t).Interface()); err != nil {
			return nil, err
		}
		s = own.Schema
	}
	list, ok := sc.selected()
	if !ok {
		return nil, truncatedHere(ix, "SELECT computes, or says * with a join")
	}
	var fields []*fieldcrypt.Field
	for _, c := range ix.columns {
		var field *fieldcrypt.Field
		for _, t := range sc.b.tablesOf(s) {
			if own := t.columns[c.key()]; own != nil && own.field.Identity() == c.field.Identity() && own.field.Type == c.field.Type {
				field = own.field
			}
		}
		if field == nil {
			return nil, truncatedHere(ix, fmt.Sprintf("%s has no field for %s", s.ModelType, c.field.Identity()))
		}
		if list != nil && !slices.Contains(list, c.key()) {
			return nil, truncatedHere(ix, "SELECT leaves out "+c.name)
		}
		fields = append(fields, field)
	}
	return fields, nil
}

// unfit says why false positives could not be taken out of a statement's result;
// "" if they can.
func (sc *scope) unfit() string {
	stmt := sc.stmt
	rv := stmt.ReflectValue
	limit, isLimit := stmt.Clauses["LIMIT"].Expression.(clause.Limit)
	_, rows := stmt.Settings.Load(rowsKey)
	switch {
	case len(stmt.BuildClauses) == 0 || stmt.BuildClauses[0] != "SELECT":
		return "this is no SELECT"
	case stmt.DryRun:
		return "this is a sub-query, or DryRun or ToSQL"
	case rows:
		return "Scan, Rows and Row hand out what the database gives"
	case stmt.Schema == nil || guardOf(stmt.Schema) == nil || !rv.IsValid() || !rv.CanSet() || !holdsStructs(rv.Type()):
		return "the result is no struct of a marked model, or slice of them"
	case len(sc.from.Tables) > 0 || sc.main().path == "":
		return "the query is not of the model's table itself"
	case stmt.Clauses["GROUP BY"].Expression != nil:
		return "GROUP BY comes before they can be taken out"
	case limit.Offset > 0:
		return "OFFSET would count them; page by the primary key or a time, as FindInBatches does"
	case !isLimit && stmt.Clauses["LIMIT"].Expression != nil:
		return "LIMIT is of another package"
	}
	for name, c := range stmt.Clauses {
		if c.BeforeExpression != nil || c.AfterNameExpression != nil || c.AfterExpression != nil || c.Builder != nil {
			return "something stands beside the clause " + name
		}
	}
	for _, name := range stmt.BuildClauses {
		switch name {
		case "SELECT", "FROM", "WHERE", "GROUP BY", "ORDER BY", "LIMIT", "FOR":
		default:
			return "the query has a clause " + name
		}
	}
	return ""
}

// holdsStructs: a struct, a slice of structs, or of pointers to them.
func holdsStructs(t reflect.Type) bool {
	if t.Kind() == reflect.Slice {
		if t = t.Elem(); t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
	}
	return t.Kind() == reflect.Struct
}

// selected returns the columns of the statement's own table that SELECT brings,
// lower case, nil for all. ok is false if it does more than bring columns.
func (sc *scope) selected() (names []string, ok bool) {
	list, isList := sc.stmt.Clauses["SELECT"].Expression.(clause.Select)
	several := len(sc.sources()) > 1
	switch {
	case !isList || list.Expression != nil:
		return nil, false
	case len(list.Columns) == 0:
		return nil, !several
	}
	names = []string{}
	all := false
	for _, col := range list.Columns {
		if !col.Raw {
			own := col.Table == "" || col.Table == clause.CurrentTable || strings.EqualFold(unquote(col.Table), sc.main().alias)
			name := strings.ToLower(unquote(col.Name))
			switch {
			case col.Alias == "" && !own && sc.main().column(name) != nil:
				return nil, false
			case col.Alias == "":
				names = append(names, name)
			case col.Alias != utils.NestedRelationName(col.Table, col.Name):
				return nil, false
			}
			continue
		}
		more, star, ok := sc.selectedText(col.Name)
		if !ok {
			return nil, false
		}
		names, all = append(names, more...), all || star
	}
	if all {
		return nil, true
	}
	return names, true
}

// selectedText is selected for a text: name, alias.name, * or alias.*, separated
// by commas.
func (sc *scope) selectedText(text string) (names []string, star, ok bool) {
	r := rewriter{scope: sc, parsed: parse(text, 0, nil, false)}
	for i := 0; i < len(r.tokens); i++ {
		if r.tokens[i].is("*") {
			star = true
			if len(r.sources()) > 1 {
				return nil, false, false
			}
		} else if !r.tokens[i].ident() {
			return nil, false, false
		} else {
			end, path := r.path(i)
			qualifier, name := splitPath(path)
			if r.peek(end).is(".") && r.peek(end+1).is("*") {
				qualifier, name, end = path, "*", end+2
			}
			_, alias := splitPath(qualifier)
			own := qualifier == "" || alias == r.main().alias
			switch {
			case !own && (name == "*" || r.main().column(name) != nil):
				return nil, false, false // of another table, in place of the own column
			case name == "*":
				star = true
			default:
				names = append(names, name)
			}
			i = end - 1
		}
		if i++; i < len(r.tokens) && (!r.tokens[i].is(",") || i == len(r.tokens)-1) {
			return nil, false, false
		}
	}
	return names, star, true
}
