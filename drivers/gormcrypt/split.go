package gormcrypt

import (
	"strings"

	"gorm.io/gorm/clause"
)

// split takes text apart at the ANDs that join all of it, and those in
// parentheses; nil if there are none, or the text has nothing encrypted or more
// to it.
func (sc *scope) split(e clause.Expression) (pieces []clause.Expression) {
	for _, piece := range sc.cut(bare(e)) {
		pieces = append(pieces, sc.pieces(piece)...)
	}
	return pieces
}

// bare takes the parentheses around a text away. Those around a placeholder mean
// something to GORM.
func bare(e clause.Expression) clause.Expression {
	text, vars := textOf(e)
	p := parse(text, len(vars), nil, false)
	last := len(p.tokens) - 1
	if last < 2 || p.opaque || !p.tokens[0].is("(") || !p.tokens[last].is(")") || p.tokens[1].kind == bind || p.tokens[1].is("select", "with", "values") {
		return e
	}
	depth := 0
	for i, t := range p.tokens {
		if t.is("(") {
			depth++
		} else if t.is(")") {
			depth--
		}
		if depth == 0 && i < last {
			return e
		}
	}
	text = text[p.tokens[0].end:p.tokens[last].at]
	switch e := e.(type) {
	case clause.Expr:
		e.SQL = text
		return bare(e)
	case clause.NamedExpr:
		e.SQL = text
		return bare(e)
	}
	return e
}

// cut takes text apart at the ANDs outside of parentheses.
func (sc *scope) cut(e clause.Expression) (pieces []clause.Expression) {
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
	take := func(to int) {
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
		take(t.at)
		at = t.end
	}
	take(len(text))
	return pieces
}
