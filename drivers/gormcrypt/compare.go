package gormcrypt

import (
	"strings"

	"gorm.io/gorm/clause"
)

// comparison reads what the text says about the encrypted column in
// tokens[i:end] and returns what follows. Only a comparison that stands as a
// condition of its own, with placeholders, is understood.
func (r *rewriter) comparison(c *column, i, end int) (next int, err error) {
	if !r.begins(i) {
		return 0, onCiphertext(c, "inside an expression")
	}
	op, negated := r.peek(end), false
	at := end + 1
	if op.is("not") {
		op, negated, at = r.peek(end+1), true, end+2
	}
	var values []any
	switch {
	case op.is("is") && !negated:
		if r.peek(at).is("not") {
			at, negated = at+1, true
		}
		if !r.peek(at).is("null") || !r.ends(at+1) {
			return 0, onCiphertext(c, "IS")
		}
		if c.plain == "" {
			return at + 1, nil // NULL is stored as NULL
		}
		return at + 1, r.put(c, i, at+1, &nullness{column: c, qualifier: r.text[r.tokens[i].at:r.tokens[end-1].at], negated: negated})
	case op.is("=", "<>", "!=") && !negated && r.peek(at).kind == bind:
		values, at, negated = []any{r.bound(r.peek(at))}, at+1, !op.is("=")
	case op.is("in"):
		if values, at, err = r.list(c, at); err != nil {
			return 0, err
		}
	default:
		return 0, onCiphertext(c, describe(op))
	}
	if !r.ends(at) {
		return 0, onCiphertext(c, "inside an expression")
	}
	undo := r.hold(i, at)
	in, err := r.oneOf(c, values, negated)
	undo()
	if err != nil {
		return 0, err
	}
	in.qualifier = r.text[r.tokens[i].at:r.tokens[end-1].at]
	return at, r.put(c, i, at, in)
}

// put puts a condition in the place of tokens[i:end].
func (r *rewriter) put(c *column, i, end int, e clause.Expression) error {
	if err := r.copy(r.tokens[i].at); err != nil {
		return err
	}
	r.out.pieces, r.done, r.last = append(r.out.pieces, e), r.tokens[end-1].end, c
	return nil
}

// insideOf says how conditions of a level count: those of a sub-select for
// themselves, whatever stands around it.
func (r *rewriter) insideOf(level int) answer {
	if level == 0 {
		return unknown
	}
	for i, t := range r.tokens {
		if r.level[i] == level && (t.is("case") || t.is("not") && !r.peek(i-1).is("is") && !r.peek(i+1).is("in", "exists")) {
			return no
		}
	}
	return yes
}

// list reads what follows IN: a placeholder, or some in parentheses.
func (r *rewriter) list(c *column, at int) (values []any, next int, err error) {
	if t := r.peek(at); t.kind == bind {
		values, err = elements(c, r.bound(t))
		return values, at + 1, err
	}
	if !r.peek(at).is("(") {
		return nil, 0, onCiphertext(c, "IN")
	}
	for {
		t := r.peek(at + 1)
		if t.kind != bind {
			return nil, 0, onCiphertext(c, "IN with something else than placeholders")
		}
		more, err := elements(c, r.bound(t))
		if err != nil {
			return nil, 0, err
		}
		values = append(values, more...)
		switch at += 2; {
		case r.peek(at).is(")"):
			return values, at + 1, nil
		case !r.peek(at).is(","):
			return nil, 0, onCiphertext(c, "IN with something else than placeholders")
		}
	}
}

// begins reports whether a condition can begin at token i.
func (r *rewriter) begins(i int) bool {
	switch t := r.peek(i - 1); {
	case i == 0, t.is("(", "or", "where", "on", "having", "when"):
		return true
	case t.is("not"):
		return r.begins(i - 1)
	case t.is("and"):
		return !r.between(i - 1)
	}
	return false
}

// between reports whether the AND at token i belongs to a BETWEEN.
func (r *rewriter) between(i int) bool {
	depth := 0
	for i--; i >= 0; i-- {
		switch t := r.tokens[i]; {
		case t.is(")"):
			depth++
		case t.is("("):
			depth--
		case depth == 0 && t.is("between"):
			return true
		case depth == 0 && t.is("and", "or", "where", "on", "having", "when"):
			return false
		}
		if depth < 0 {
			return false
		}
	}
	return false
}

// ends reports whether a condition can end before token i.
func (r *rewriter) ends(i int) bool {
	t := r.peek(i)
	return i >= len(r.tokens) || t.is(")", ",", "and", "or", "then", "left", "right", "inner", "cross", "full", "natural", "join") ||
		t.kind == word && endsFrom[t.name]
}

// operators are the words that an error may name: others may be a value that
// somebody has left without quotes.
var operators = wordSet("like", "ilike", "between", "similar", "glob", "regexp", "match", "collate", "is", "in", "isnull", "notnull", "asc", "desc")

// describe names an operator for an error.
func describe(t token) string {
	switch {
	case t.kind == word && operators[t.name]:
		return strings.ToUpper(t.name)
	case t.is("=", "<>", "!="):
		return "comparison with something else than a placeholder"
	case t.is(")", ",", ""):
		return "inside an expression"
	case t.kind == symbol:
		return "operator " + t.name
	}
	return "inside an expression"
}
