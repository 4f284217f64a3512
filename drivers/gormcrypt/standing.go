package gormcrypt

import "gorm.io/gorm/clause"

// isValue reports whether what stands in tokens[i:end] is not itself a condition
// that AND and OR join, but the value of something: (mrn = ?) IS FALSE, or an
// argument. Such a condition finds rows where it is false, as under a NOT.
func (r *rewriter) isValue(i, end int) bool {
	for {
		if !r.begins(i) || !r.ends(end) {
			return true
		}
		if i, end = r.around(i, end); i < 0 || r.peek(i+1).is("select", "with", "values") {
			return false
		}
		end++
	}
}

// around returns the parentheses around tokens[i:end], -1 if there are none.
func (r *rewriter) around(i, end int) (open, closed int) {
	depth := 0
	for open = i - 1; open >= 0; open-- {
		if t := r.tokens[open]; t.is(")", "]") {
			depth++
		} else if t.is("(", "[") {
			if depth--; depth < 0 {
				break
			}
		}
	}
	depth = 0
	for closed = end; closed < len(r.tokens); closed++ {
		if t := r.tokens[closed]; t.is("(", "[") {
			depth++
		} else if t.is(")", "]") {
			if depth--; depth < 0 {
				break
			}
		}
	}
	return open, closed
}

// hold says, for the condition in tokens[i:end], whether it may find rows where
// it is false, and returns what takes that back.
func (r *rewriter) hold(i, end int) (undo func()) {
	inner, inverted := r.inner, r.inverted
	asValue := r.isValue(i, end)
	if r.level[i] > 0 || inner == unknown {
		r.inner = r.insideOf(r.level[i])
	}
	switch {
	case asValue && r.level[i] > 0:
		r.inner = no
	case asValue:
		r.inverted = true
	}
	return func() { r.inner, r.inverted = inner, inverted }
}

// asValues reports whether expressions among a text's values stand for values,
// and whether one is in a sub-select that may ask for what is not so.
func (r *rewriter) asValues() (some, deep bool) {
	for i, t := range r.tokens {
		if t.kind != bind {
			continue
		}
		if _, ok := r.bound(t).(clause.Expression); !ok {
			continue
		}
		value := r.isValue(i, i+1)
		some = some || value
		deep = deep || r.level[i] > 0 && (value || r.insideOf(r.level[i]) == no)
	}
	return some, deep
}

// operand is value for what is compared with something: a condition in it may be
// asked to be false.
func (sc *scope) operand(v any) (any, bool, error) {
	defer func(was bool) { sc.inverted = was }(sc.inverted)
	sc.inverted = true
	return sc.value(v)
}

// operands is operand for a list.
func (sc *scope) operands(list []any) ([]any, bool, error) {
	v, changed, err := sc.operand(list)
	if err != nil || !changed {
		return list, false, err
	}
	return v.([]any), true, nil
}
