package gormcrypt

import (
	"slices"

	"gorm.io/gorm/clause"
)

// conjunct is a condition that is joined to others by AND.
type conjunct struct {
	given  clause.Expression
	eq     *equality         // that it is, or nil
	answer clause.Expression // in its place; nil: its own
	merged bool              // into the answer of another
}

// special reports whether a condition may need more than one look at each of its
// terms: for an index over several fields, or a truncated one.
func (sc *scope) special() bool {
	return slices.ContainsFunc(sc.reg.tables, func(t *table) bool { return t.special }) && !sc.quiet()
}

// conjunction rewrites conditions that are joined by AND.
func (sc *scope) conjunction(given clause.Expression, list []clause.Expression, of func([]clause.Expression) clause.Expression) (clause.Expression, bool, error) {
	if sc.inverted || !sc.special() {
		return sc.group(given, list, of)
	}
	next, changed, err := sc.terms(list, false)
	if err != nil || !changed {
		return given, false, err
	}
	return of(next), true, nil
}

// textConjunction rewrites text, as a list of conditions if it is one.
func (sc *scope) textConjunction(given clause.Expression) (clause.Expression, bool, error) {
	if !sc.inverted && sc.special() {
		if pieces := sc.split(given); pieces != nil {
			terms := sc.read(pieces)
			if grouped, err := sc.compounds(terms); err != nil {
				return nil, false, err
			} else if grouped {
				exprs, err := sc.answers(terms)
				return clause.AndConditions{Exprs: exprs}, err == nil, err
			}
		}
	}
	return sc.textCondition(given)
}

// joinsByOr reports whether GORM writes OR before an element of a list, where it
// writes AND before others.
func joinsByOr(e clause.Expression) bool {
	or, ok := e.(clause.OrConditions)
	return ok && len(or.Exprs) == 1
}

// terms rewrites a list as GORM reads it: by AND, in runs that some elements join
// by OR. top says that it is all of WHERE.
func (sc *scope) terms(list []clause.Expression, top bool) ([]clause.Expression, bool, error) {
	if len(list) == 1 && joinsByOr(list[0]) {
		next, changed, err := sc.terms(list[0].(clause.OrConditions).Exprs, top)
		return []clause.Expression{clause.AndConditions{Exprs: next}}, changed, err
	}
	if len(list) > 0 && joinsByOr(list[0]) { // GORM will put another one first
		return sc.conditions(list)
	}
	top = top && !slices.ContainsFunc(list, joinsByOr)
	var out []clause.Expression
	changed := false
	for start := 0; start < len(list); {
		end := start + 1
		for end < len(list) && !joinsByOr(list[start]) && !joinsByOr(list[end]) {
			end++
		}
		next, did, err := sc.run(list[start:end], top)
		if err != nil {
			return nil, false, err
		}
		out, changed, start = append(out, next...), changed || did, end
	}
	return out, changed, nil
}

// run rewrites conditions that AND joins. Where no index but those of single
// fields answers one of them, each is rewritten by itself.
func (sc *scope) run(list []clause.Expression, top bool) ([]clause.Expression, bool, error) {
	terms := sc.read(sc.flatten(nil, list))
	grouped, err := sc.compounds(terms)
	if err == nil && top {
		var did bool
		did, err = sc.approximations(terms)
		grouped = grouped || did
	}
	switch {
	case err != nil:
		return nil, false, err
	case !grouped:
		return sc.conditions(list)
	}
	next, err := sc.answers(terms)
	return next, true, err
}

// flatten appends the conditions that AND joins, out of groups and text too.
func (sc *scope) flatten(to, list []clause.Expression) []clause.Expression {
	for _, e := range list {
		var inner []clause.Expression
		switch e := e.(type) {
		case clause.AndConditions:
			inner = e.Exprs
		case clause.Where:
			inner = e.Exprs
		case clause.Expr, clause.NamedExpr:
			to = append(to, sc.pieces(e)...)
			continue
		}
		if len(inner) == 0 || slices.ContainsFunc(inner, joinsByOr) {
			to = append(to, e)
		} else {
			to = sc.flatten(to, inner)
		}
	}
	return to
}

func (sc *scope) pieces(e clause.Expression) []clause.Expression {
	if pieces := sc.split(e); pieces != nil {
		return pieces
	}
	return []clause.Expression{bare(e)}
}

func (sc *scope) read(list []clause.Expression) []conjunct {
	terms := make([]conjunct, len(list))
	for i, e := range list {
		terms[i] = conjunct{given: e, eq: sc.equalityOf(e)}
	}
	return terms
}

// answers rewrites the terms that have no answer yet.
func (sc *scope) answers(terms []conjunct) ([]clause.Expression, error) {
	var out []clause.Expression
	for _, t := range terms {
		switch {
		case t.merged:
			continue
		case t.answer == nil:
			next, _, err := sc.condition(t.given)
			if err != nil {
				return nil, err
			}
			t.answer = fence(next)
		}
		out = append(out, t.answer)
	}
	return out, nil
}

// fenced is a condition in parentheses: GORM looks for OR inside text less
// closely than conditions that were taken apart need.
type fenced struct{ clause.Expression }

// Build implements clause.Expression.
func (f fenced) Build(b clause.Builder) {
	b.WriteByte('(')
	f.Expression.Build(b)
	b.WriteByte(')')
}

func fence(e clause.Expression) clause.Expression {
	switch e.(type) {
	case *oneOf, *nullness, template, clause.Eq, clause.Neq, clause.IN, clause.Gt, clause.Gte, clause.Lt, clause.Lte, clause.Like:
		return e
	}
	return fenced{e}
}
