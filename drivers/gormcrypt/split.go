package gormcrypt

import (
	"strings"

	"gorm.io/gorm/clause"
)

// split takes text apart at the ANDs that join all of it; nil if there are none,
// or the text has nothing encrypted or more to it.
func (sc *scope) split(e clause.Expression) (pieces []clause.Expression) {
	var names map[string]any
	text, vars := textOf(e)
	if _, ok := e.(clause.NamedExpr); ok {
		names = namedValues(vars)
	}
	if !sc.concerned(text) {
		return nil
	}
	p := parse(text, len(vars), names, false)
	if p.opaque || p.holes || p.strange != "" {
		return nil
	}
	binds, depth := 0, 0
	var cuts []token
	for i, t := range p.tokens {
		switch {
		case t.is("(", "["):
			depth++
		case t.is(")", "]"):
			depth--
		case t.kind == bind && t.value >= 0:
			binds++
		case depth > 0:
		case depth < 0, t.is("or", "case", "select", "from", "join", ",", ";"), t.kind == word && endsFrom[t.name]:
			return nil
		case t.is("and") && !(&rewriter{parsed: p}).between(i):
			cuts = append(cuts, t)
		}
	}
	if len(cuts) == 0 || depth != 0 || names == nil && binds != len(vars) || names != nil && binds > 0 {
		return nil
	}
	at, used := 0, 0
	cut := func(to int) {
		piece, count := strings.TrimSpace(text[at:to]), 0
		for _, t := range p.tokens {
			if t.kind == bind && t.value >= 0 && t.at >= at && t.at < to {
				count++
			}
		}
		switch e := e.(type) {
		case clause.Expr:
			pieces = append(pieces, clause.Expr{SQL: piece, Vars: vars[used : used+count : used+count], WithoutParentheses: e.WithoutParentheses})
		case clause.NamedExpr:
			pieces = append(pieces, clause.NamedExpr{SQL: piece, Vars: vars})
		}
		used += count
	}
	for _, t := range cuts {
		cut(t.at)
		at = t.end
	}
	cut(len(text))
	return pieces
}
