package gormcrypt

import "gorm.io/gorm/clause"

// A rewriter turns text that compares encrypted columns into a template.
type rewriter struct {
	*scope
	*parsed
	vars   []any
	named  map[string]any
	spread bool // every placeholder takes a slice apart
	out    template
	done   int     // of the text, in bytes
	last   *column // that was compared; nil: the text stays as it is
}

// textCondition rewrites an expression that is made of SQL text.
func (sc *scope) textCondition(e clause.Expression) (_ clause.Expression, changed bool, err error) {
	r := rewriter{scope: sc}
	text := ""
	switch e := e.(type) {
	case clause.Expr:
		text, r.vars, r.spread = e.SQL, e.Vars, e.WithoutParentheses
	case clause.NamedExpr:
		text, r.vars, r.named = e.SQL, e.Vars, namedValues(e.Vars)
	}
	var matched bool
	if r.vars, matched, err = sc.textMatches(text, r.vars, r.named); err != nil {
		return nil, false, err
	}
	concerned := sc.concerned(text)
	if (concerned || holdsExpression(r.vars)) && negates(text) {
		defer func(was bool) { sc.inverted = was }(sc.inverted)
		sc.inverted = true
	}
	if concerned {
		r.parsed = parse(text, len(r.vars), r.named, false)
		if err := firstError(sc.understood(r.parsed), sc.combined(r.parsed), sc.bareQuery(r.parsed)); err != nil {
			return nil, false, err
		}
		if err := r.run(); err != nil {
			return nil, false, err
		}
		if r.last != nil {
			return r.out, true, nil
		}
	}
	for _, v := range r.named {
		if _, changed, err := sc.value(v); err != nil || changed {
			return nil, false, firstError(err, queryErr("a condition on an encrypted column among named values; write it into the text"))
		}
	}
	vars, changed, err := sc.values(r.vars)
	if err != nil || !changed && !matched {
		return e, false, err
	}
	switch e := e.(type) {
	case clause.Expr:
		e.Vars = vars
		return e, true, nil
	case clause.NamedExpr:
		e.Vars = vars
		return e, true, nil
	}
	return e, false, nil
}

// concerned reports whether text may name something that is encrypted.
func (sc *scope) concerned(text string) bool {
	return sc.reg.concerns(text) || anyWord(text, func(w string) bool { return sc.alias(w) != nil })
}

// run rewrites the comparisons of the text.
func (r *rewriter) run() error {
	if err := r.each(r.comparison); err != nil || r.last == nil {
		return err
	}
	if err := r.copy(len(r.text)); err != nil {
		return err
	}
	if r.named == nil && r.binds() < len(r.vars) {
		return onCiphertext(r.last, "text with more values than placeholders")
	}
	return nil
}

// each calls visit for every encrypted column that the text names, in
// tokens[i:end]; visit says where to go on.
func (r *rewriter) each(visit func(c *column, i, end int) (next int, err error)) error {
	for i := 0; i < len(r.tokens); {
		if !r.tokens[i].ident() || r.table[i] {
			i++
			continue
		}
		end, path := r.path(i)
		c, err := r.columnAt(i, end, path)
		switch {
		case err != nil:
			return err
		case c == nil:
			if err := r.indexCompared(path, end); err != nil {
				return err
			}
			i = end
		case r.opaque || r.holes:
			return onCiphertext(c, "text with a comment, an escape, or a placeholder inside quotes")
		default:
			if i, err = visit(c, i, end); err != nil {
				return err
			}
		}
	}
	if c := r.hidden(); r.opaque && c != nil {
		return onCiphertext(c, "text with a comment or an escape")
	}
	return nil
}

// mention returns the first encrypted column that a text names, for whatever.
func (sc *scope) mention(text string, tables bool) (found *column, err error) {
	if !sc.concerned(text) {
		return nil, nil
	}
	r := rewriter{scope: sc, parsed: parse(text, 0, nil, tables)}
	err = r.each(func(c *column, _, end int) (int, error) {
		if found == nil {
			found = c
		}
		return end, nil
	})
	return found, err
}

// columnAt resolves the path that stands at token i: nil for what is not
// encrypted, an error for a whole row.
func (r *rewriter) columnAt(i, end int, path string) (*column, error) {
	if r.peek(end).is("(") {
		return nil, nil // a function; its arguments come next
	}
	qualifier, name := splitPath(path)
	c, err := r.findIn(r.parsed, r.level[i], qualifier, name)
	if c != nil || err != nil || qualifier != "" || r.peek(end).is(".") {
		return c, err
	}
	if row := r.rowIn(r.parsed, r.level[i], name); row != nil && r.tokens[i].kind == word {
		return nil, onCiphertext(row, "the whole row "+name+" as a value")
	}
	return nil, nil
}

// hidden returns an encrypted column that a text with opaque parts may hold:
// what stands in and behind them was not read.
func (r *rewriter) hidden() (c *column) {
	namesTable := anyWord(r.text, func(w string) bool { return len(r.reg.find(w)) > 0 })
	anyWord(r.text, func(w string) bool {
		if r.reg.encrypts(w) && (namesTable || r.encrypted()) {
			c = r.reg.column(w)
		}
		return c != nil
	})
	return c
}

// copy copies the text up to a byte, with its placeholders.
func (r *rewriter) copy(to int) error {
	for _, t := range r.tokens {
		if t.kind != bind || t.at < r.done || t.at >= to {
			continue
		}
		v, _, err := r.value(r.bound(t))
		if err != nil {
			return err
		}
		r.out.pieces = append(r.out.pieces, r.text[r.done:t.at], hole{v, r.spread || t.at > 0 && r.text[t.at-1] == '('})
		r.done = t.end
	}
	r.out.pieces = append(r.out.pieces, r.text[r.done:to])
	r.done = to
	return nil
}

// bound returns the value of a placeholder.
func (r *rewriter) bound(t token) any {
	if t.value >= 0 {
		return r.vars[t.value]
	}
	return r.named[t.name]
}

func (r *rewriter) binds() (n int) {
	for _, t := range r.tokens {
		if t.kind == bind && t.value >= 0 {
			n++
		}
	}
	return n
}
