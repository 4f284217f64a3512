package gormcrypt

import (
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

// condition rewrites a condition: comparisons with encrypted columns become
// comparisons of their blind indexes, and what cannot be answered is refused.
// The expression that was given is never changed.
func (sc *scope) condition(given clause.Expression) (_ clause.Expression, changed bool, err error) {
	switch e := given.(type) {
	case clause.Expr, clause.NamedExpr:
		return sc.textConjunction(given)
	case clause.Eq:
		return sc.equality(given, e.Column, e.Value, false)
	case clause.Neq:
		return sc.equality(given, e.Column, e.Value, true)
	case clause.IN:
		return sc.in(given, e)
	case clause.Gt:
		return sc.ordering(given, clause.Eq(e), ">", func(q clause.Eq) clause.Expression { return clause.Gt(q) })
	case clause.Gte:
		return sc.ordering(given, clause.Eq(e), ">=", func(q clause.Eq) clause.Expression { return clause.Gte(q) })
	case clause.Lt:
		return sc.ordering(given, clause.Eq(e), "<", func(q clause.Eq) clause.Expression { return clause.Lt(q) })
	case clause.Lte:
		return sc.ordering(given, clause.Eq(e), "<=", func(q clause.Eq) clause.Expression { return clause.Lte(q) })
	case clause.Like:
		return sc.ordering(given, clause.Eq(e), "LIKE", func(q clause.Eq) clause.Expression { return clause.Like(q) })
	case clause.AndConditions:
		return sc.conjunction(given, e.Exprs, func(x []clause.Expression) clause.Expression { return clause.AndConditions{Exprs: x} })
	case clause.OrConditions:
		return sc.group(given, e.Exprs, func(x []clause.Expression) clause.Expression { return clause.OrConditions{Exprs: x} })
	case clause.NotConditions:
		defer func(was bool) { sc.inverted = was }(sc.inverted)
		sc.inverted = true
		return sc.group(given, e.Exprs, func(x []clause.Expression) clause.Expression { return clause.NotConditions{Exprs: x} })
	case clause.Where:
		return sc.conjunction(given, e.Exprs, func(x []clause.Expression) clause.Expression { return clause.Where{Exprs: x} })
	case clause.CommaExpression:
		return sc.group(given, e.Exprs, func(x []clause.Expression) clause.Expression { return clause.CommaExpression{Exprs: x} })
	case *match:
		return sc.matched(e)
	case nil, *oneOf, template:
		return given, false, nil
	}
	return given, false, sc.foreign(given)
}

// group rewrites an expression that is made of others.
func (sc *scope) group(given clause.Expression, list []clause.Expression, of func([]clause.Expression) clause.Expression) (clause.Expression, bool, error) {
	next, changed, err := sc.conditions(list)
	if err != nil || !changed {
		return given, false, err
	}
	return of(next), true, nil
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
		if err := sc.termsOnly(name.Table, name.Name, value); err != nil {
			return nil, false, err
		}
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

func (sc *scope) in(given clause.Expression, e clause.IN) (clause.Expression, bool, error) {
	c, name, err := sc.columnOf(e.Column)
	if err != nil {
		return nil, false, err
	}
	if c == nil {
		if c := sc.misplaced(e); c != nil {
			return nil, false, onCiphertext(c, "Where with its name and several values")
		}
		if err := sc.termsOnly(name.Table, name.Name, e.Values...); err != nil {
			return nil, false, err
		}
		values, changed, err := sc.values(e.Values)
		if err != nil || !changed {
			return given, false, err
		}
		return clause.IN{Column: e.Column, Values: values}, true, nil
	}
	if len(e.Values) == 0 {
		return given, false, nil // IN (NULL), or IS NOT NULL
	}
	return sc.answer(c, name, e.Values, false)
}

// misplaced returns the encrypted column of Where("mrn", a, b), or nil: GORM takes
// the name and the values for primary keys, even if those are numbers.
func (sc *scope) misplaced(e clause.IN) *column {
	name, ok := first(e.Values).(string)
	if !ok || len(e.Values) < 2 || e.Column != clause.PrimaryColumn {
		return nil
	}
	if s := sc.stmt.Schema; s == nil || s.PrioritizedPrimaryField == nil || s.PrioritizedPrimaryField.DataType == schema.String {
		return nil
	}
	c, _, _ := sc.columnOf(name)
	return c
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
