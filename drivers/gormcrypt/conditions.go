package gormcrypt

import (
	"database/sql"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// condition rewrites a condition: comparisons with encrypted columns become
// comparisons of their blind indexes, and what cannot be answered is refused.
// The expression that was given is never changed.
func (sc *scope) condition(e clause.Expression) (_ clause.Expression, changed bool, err error) {
	switch e := e.(type) {
	case clause.Expr, clause.NamedExpr:
		return sc.textCondition(e)
	case clause.Eq:
		return sc.equality(e, e.Column, e.Value, false)
	case clause.Neq:
		return sc.equality(e, e.Column, e.Value, true)
	case clause.IN:
		return sc.in(e)
	case clause.Gt:
		return sc.ordering(e, clause.Eq(e), ">", func(q clause.Eq) clause.Expression { return clause.Gt(q) })
	case clause.Gte:
		return sc.ordering(e, clause.Eq(e), ">=", func(q clause.Eq) clause.Expression { return clause.Gte(q) })
	case clause.Lt:
		return sc.ordering(e, clause.Eq(e), "<", func(q clause.Eq) clause.Expression { return clause.Lt(q) })
	case clause.Lte:
		return sc.ordering(e, clause.Eq(e), "<=", func(q clause.Eq) clause.Expression { return clause.Lte(q) })
	case clause.Like:
		return sc.ordering(e, clause.Eq(e), "LIKE", func(q clause.Eq) clause.Expression { return clause.Like(q) })
	case clause.AndConditions:
		e.Exprs, changed, err = sc.conditions(e.Exprs)
		return e, changed, err
	case clause.OrConditions:
		e.Exprs, changed, err = sc.conditions(e.Exprs)
		return e, changed, err
	case clause.NotConditions:
		defer func(was bool) { sc.inverted = was }(sc.inverted)
		sc.inverted = true
		e.Exprs, changed, err = sc.conditions(e.Exprs)
		return e, changed, err
	case clause.Where:
		e.Exprs, changed, err = sc.conditions(e.Exprs)
		return e, changed, err
	case clause.CommaExpression:
		e.Exprs, changed, err = sc.conditions(e.Exprs)
		return e, changed, err
	case nil, *oneOf, template:
		return e, false, nil
	}
	return e, false, sc.foreign(e)
}

// conditions rewrites a list into a copy of it.
func (sc *scope) conditions(list []clause.Expression) (_ []clause.Expression, changed bool, err error) {
	out := list
	for i, e := range list {
		next, did, err := sc.condition(e)
		if err != nil {
			return nil, false, err
		}
		if did && !changed {
			out, changed = append([]clause.Expression(nil), list...), true
		}
		if did {
			out[i] = next
		}
	}
	return out, changed, nil
}

func (sc *scope) equality(e clause.Expression, col, value any, negated bool) (clause.Expression, bool, error) {
	c, name, err := sc.columnOf(col)
	if err != nil {
		return nil, false, err
	}
	if c == nil {
		v, changed, err := sc.value(value)
		switch {
		case err != nil || !changed:
			return e, false, err
		case negated:
			return clause.Neq{Column: col, Value: v}, true, nil
		}
		return clause.Eq{Column: col, Value: v}, true, nil
	}
	if isNull(value) {
		return e, false, nil // NULL is stored as NULL
	}
	return sc.answer(c, name, value, negated)
}

func (sc *scope) in(e clause.IN) (clause.Expression, bool, error) {
	c, name, err := sc.columnOf(e.Column)
	if err != nil {
		return nil, false, err
	}
	if c == nil {
		values, changed, err := sc.values(e.Values)
		return clause.IN{Column: e.Column, Values: values}, changed, err
	}
	if len(e.Values) == 0 {
		return e, false, nil // IN (NULL), or IS NOT NULL
	}
	return sc.answer(c, name, e.Values, false)
}

func (sc *scope) answer(c *column, name clause.Column, value any, negated bool) (clause.Expression, bool, error) {
	values, err := elements(c, value)
	if err != nil {
		return nil, false, err
	}
	in, err := sc.oneOf(c, values, negated)
	if err != nil {
		return nil, false, err
	}
	in.table = name.Table
	return in, true, nil
}

func (sc *scope) ordering(e clause.Expression, q clause.Eq, op string, back func(clause.Eq) clause.Expression) (clause.Expression, bool, error) {
	c, _, err := sc.columnOf(q.Column)
	if err == nil && c != nil {
		err = onCiphertext(c, op)
	}
	if err != nil {
		return nil, false, err
	}
	v, changed, err := sc.value(q.Value)
	if err != nil || !changed {
		return e, false, err
	}
	return back(clause.Eq{Column: q.Column, Value: v}), true, nil
}

// columnOf resolves what a structured condition calls a column.
func (sc *scope) columnOf(col any) (*column, clause.Column, error) {
	switch col := col.(type) {
	case clause.Column:
		if col.Raw {
			return sc.rawColumn(col.Name)
		}
		return sc.columnNamed(col)
	case []clause.Column:
		for _, each := range col {
			if c, _, err := sc.columnOf(each); c != nil || err != nil {
				return nil, clause.Column{}, firstError(err, onColumn(c, "comparison of several columns at once"))
			}
		}
		return nil, clause.Column{}, nil
	case clause.Expr:
		return sc.rawColumn(col.SQL)
	}
	return sc.columnNamed(clause.Column{Name: fmt.Sprint(col)})
}

func (sc *scope) columnNamed(col clause.Column) (*column, clause.Column, error) {
	if qualifier, name := splitPath(col.Name); col.Table == "" && qualifier != "" {
		col.Table, col.Name = qualifier, name
	}
	if !sc.reg.encrypts(strings.ToLower(unquote(col.Name))) {
		return nil, col, nil
	}
	qualifier := col.Table
	if qualifier != clause.CurrentTable {
		parts := strings.Split(qualifier, ".")
		for i := range parts {
			parts[i] = unquote(parts[i])
		}
		qualifier = strings.Join(parts, ".")
		col.Table = qualifier
	}
	c, err := sc.find(qualifier, unquote(col.Name))
	return c, col, err
}

// rawColumn resolves text that stands for a column.
func (sc *scope) rawColumn(text string) (*column, clause.Column, error) {
	if !sc.concerned(text) {
		return nil, clause.Column{}, nil
	}
	r := rewriter{scope: sc, parsed: parse(text, 0, nil, false)}
	if len(r.tokens) > 0 && r.tokens[0].ident() {
		if end, _ := r.path(0); end == len(r.tokens) {
			return sc.columnNamed(clause.Column{Name: strings.TrimSpace(text)})
		}
	}
	_, _, err := sc.textCondition(clause.Expr{SQL: text})
	return nil, clause.Column{}, err
}

// value rewrites what stands in the place of a value.
func (sc *scope) value(v any) (_ any, changed bool, err error) {
	switch v := v.(type) {
	case clause.Column:
		if c, _, err := sc.columnOf(v); c != nil || err != nil {
			return nil, false, firstError(err, onColumn(c, "comparison of columns"))
		}
	case clause.Table:
	case *gorm.DB:
		return v, false, sc.subquery(v)
	case []any:
		return asAny(sc.values(v))
	case sql.NamedArg, *plain, unsealed:
	case clause.Clause: // ORDER BY inside a window, of the generics API
		if o, ok := v.Expression.(clause.OrderBy); ok {
			_, err := sc.orderBy(o)
			return v, false, err
		}
		return asAny(sc.condition(v.Expression))
	case clause.Expression:
		return asAny(sc.condition(v))
	}
	return v, false, nil
}

func asAny[T any](v T, changed bool, err error) (any, bool, error) { return v, changed, err }

func (sc *scope) values(list []any) (_ []any, changed bool, err error) {
	out := list
	for i, v := range list {
		next, did, err := sc.value(v)
		if err != nil {
			return nil, false, err
		}
		if did && !changed {
			out, changed = append([]any(nil), list...), true
		}
		if did {
			out[i] = next
		}
	}
	return out, changed, nil
}

// subquery refuses to compare anything with a sub-query's ciphertext.
func (sc *scope) subquery(sub *gorm.DB) error {
	inner := sc.b.ofStatement(sc.b.parsed(sub))
	for _, name := range sub.Statement.Selects {
		if c, _, _ := inner.rawColumn(name); c != nil {
			return onCiphertext(c, "comparison with a sub-query that selects it")
		}
	}
	return nil
}

var placeholder = regexp.MustCompile(`\$\d+`)

// foreign looks at the SQL that an expression of another package makes.
func (sc *scope) foreign(e clause.Expression) error {
	if len(sc.reg.tables) == 0 {
		return nil
	}
	stmt := sc.stmt
	scratch := &gorm.Statement{
		DB: stmt.DB.Session(&gorm.Session{NewDB: true}), Table: stmt.Table, TableExpr: stmt.TableExpr,
		Schema: stmt.Schema, Context: stmt.Context, Clauses: map[string]clause.Clause{},
	}
	e.Build(scratch)
	text := placeholder.ReplaceAllString(scratch.SQL.String(), "?")
	if !sc.concerned(text) {
		return nil
	}
	r := rewriter{scope: sc, vars: make([]any, strings.Count(text, "?"))}
	r.parsed = parse(text, len(r.vars), nil, false)
	if err := r.run(); err != nil || r.last == nil {
		return err
	}
	return onCiphertext(r.last, "inside a "+reflect.TypeOf(e).String())
}

func queryErr(reason string) error {
	reason, hint, _ := strings.Cut(reason, "; ")
	return &fieldcrypt.Error{Op: "query", Err: fmt.Errorf("%w: %s", fieldcrypt.ErrQueryOnCiphertext, reason), Hint: hint}
}
