package gormcrypt

import (
	"strings"

	"gorm.io/gorm/clause"
)

// equality is a condition by itself that a column of a table of the statement is
// one of some values.
type equality struct {
	column    *column
	source    *source
	qualifier string // of text: as the caller wrote it, with the dot
	table     string // of a structured condition
	values    []any
}

// place gives a condition the names that the equality was written with.
func (eq *equality) place(in *oneOf) *oneOf {
	in.qualifier, in.table = eq.qualifier, eq.table
	return in
}

// single returns the one value that the column is compared with, if it is one.
func (eq *equality) single() (any, bool) {
	if len(eq.values) != 1 || isNull(plainOf(eq.values[0])) {
		return nil, false
	}
	return eq.values[0], true
}

// equalityOf reads a condition as an equality, or returns nil. What cannot be
// read here is answered, or refused, where conditions are.
func (sc *scope) equalityOf(e clause.Expression) *equality {
	switch e := e.(type) {
	case clause.Eq:
		return sc.structuredEquality(e.Column, e.Value)
	case clause.IN:
		return sc.structuredEquality(e.Column, e.Values)
	case clause.Expr:
		return sc.textEquality(&rewriter{scope: sc, parsed: parse(e.SQL, len(e.Vars), nil, false), vars: e.Vars})
	case clause.NamedExpr:
		names := namedValues(e.Vars)
		return sc.textEquality(&rewriter{scope: sc, parsed: parse(e.SQL, len(e.Vars), names, false), vars: e.Vars, named: names})
	}
	return nil
}

func (sc *scope) structuredEquality(col, value any) *equality {
	c, name, err := sc.columnOf(col)
	if c == nil || err != nil || isNull(value) {
		return nil
	}
	values, err := elements(c, value)
	if err != nil || len(values) == 0 {
		return nil
	}
	return sc.placed(&equality{column: c, table: name.Table, values: values}, name.Table)
}

// textEquality reads a text that is nothing but an equality.
func (sc *scope) textEquality(r *rewriter) *equality {
	if len(r.tokens) == 0 || !r.tokens[0].ident() || r.opaque || r.holes || r.strange != "" {
		return nil
	}
	end, path := r.path(0)
	c, err := r.columnAt(0, end, path)
	if c == nil || err != nil {
		return nil
	}
	eq := &equality{column: c, qualifier: r.text[r.tokens[0].at:r.tokens[end-1].at]}
	next := end
	switch op := r.peek(end); {
	case op.is("=") && r.peek(end+1).kind == bind:
		eq.values, next = []any{r.bound(r.peek(end + 1))}, end+2
	case op.is("in"):
		eq.values, next, err = r.list(c, end+1)
	}
	if next != len(r.tokens) || next == end || err != nil || r.named == nil && r.binds() != len(r.vars) {
		return nil
	}
	qualifier, _ := splitPath(path)
	return sc.placed(eq, qualifier)
}

// placed finds the table of an equality; nil if it is not clear, or not one
// of this statement.
func (sc *scope) placed(eq *equality, qualifier string) *equality {
	_, alias := splitPath(qualifier)
	for i := range sc.sources() {
		s := &sc.resolved[i]
		switch {
		case qualifier == clause.CurrentTable && i > 0, qualifier != "" && qualifier != clause.CurrentTable && s.alias != strings.ToLower(alias):
			continue
		case s.column(eq.column.key()) == nil:
			continue
		case eq.source != nil:
			return nil
		}
		eq.source = s
	}
	if eq.source == nil {
		return nil
	}
	return eq
}
