package gormcrypt

import (
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// fixed returns the value to which the statement's WHERE clause fixes a column of
// its own table: the column = value is one of the terms that must all hold.
func (sc *scope) fixed(name string) (value any, ok bool) {
	where, _ := sc.stmt.Clauses["WHERE"].Expression.(clause.Where)
	return sc.fixedIn(where.Exprs, name)
}

func (sc *scope) fixedIn(terms []clause.Expression, name string) (any, bool) {
	if len(terms) > 1 {
		for _, e := range terms {
			if _, or := e.(clause.OrConditions); or {
				return nil, false
			}
		}
	}
	for _, e := range terms {
		if v, ok := sc.fixedBy(e, name); ok {
			return v, true
		}
	}
	return nil, false
}

func (sc *scope) fixedBy(e clause.Expression, name string) (any, bool) {
	switch e := e.(type) {
	case clause.AndConditions:
		return sc.fixedIn(e.Exprs, name)
	case clause.OrConditions:
		if len(e.Exprs) == 1 {
			return sc.fixedIn(e.Exprs, name)
		}
	case clause.Where:
		return sc.fixedIn(e.Exprs, name)
	case clause.Eq:
		if sc.isOwn(e.Column, name) {
			return constant(e.Value)
		}
	case clause.IN:
		if sc.isOwn(e.Column, name) && len(e.Values) == 1 {
			return constant(e.Values[0])
		}
	case clause.Expr:
		p := parse(e.SQL, len(e.Vars), nil, false)
		if len(p.tokens) < 3 || len(e.Vars) != 1 || !p.tokens[0].ident() || p.opaque {
			return nil, false
		}
		end, path := p.path(0)
		qualifier, column := splitPath(path)
		if p.peek(end).is("=") && p.peek(end+1).kind == bind && end+2 == len(p.tokens) && sc.isOwn(clause.Column{Table: qualifier, Name: column}, name) {
			return constant(e.Vars[0])
		}
	}
	return nil, false
}

// isOwn reports whether what a condition calls a column is the statement's own
// table's of that name.
func (sc *scope) isOwn(col any, name string) bool {
	var c clause.Column
	switch col := col.(type) {
	case string:
		c.Table, c.Name = splitPath(col)
	case clause.Column:
		c = col
	default:
		return false
	}
	if c.Raw || !strings.EqualFold(unquote(c.Name), name) {
		return false
	}
	_, alias := splitPath(strings.ToLower(unquote(c.Table)))
	if alias == "" {
		return len(sc.sources()) == 1 || c.Table == clause.CurrentTable
	}
	return c.Table == clause.CurrentTable || alias == sc.main().alias
}

// constant is a value that the database does not compute.
func constant(v any) (any, bool) {
	switch v.(type) {
	case nil, clause.Expression, clause.Column, clause.Table, *gorm.DB, gorm.Valuer:
		return nil, false
	}
	return v, !isNull(v)
}
