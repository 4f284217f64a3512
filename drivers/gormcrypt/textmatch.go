package gormcrypt

import (
	"slices"
	"strings"

	"gorm.io/gorm/clause"
)

// textMatches answers what of Match stands among the values of a text. Where a
// sub-select of the text holds it, its name means what a column's would there.
func (sc *scope) textMatches(text string, vars []any, names map[string]any) (_ []any, changed bool, err error) {
	for _, v := range names {
		if matchOf(v) != nil {
			return nil, false, queryErr("gormcrypt.Match as a named value; give it for a ? in Where")
		}
	}
	if !slices.ContainsFunc(vars, func(v any) bool { return matchOf(v) != nil }) {
		return vars, false, nil
	}
	p := parse(text, len(vars), names, false)
	if p.opaque || p.holes || p.strange != "" {
		return nil, false, queryErr("gormcrypt.Match in text with a comment, an escape, or a placeholder inside quotes; give it to Where itself")
	}
	defer func(inner answer, inverted bool) { sc.inner, sc.inverted = inner, inverted }(sc.inner, sc.inverted)
	sc.inverted = sc.inverted || negates(text)
	vars = slices.Clone(vars)
	r := rewriter{scope: sc, parsed: p}
	for i, t := range p.tokens {
		if t.kind != bind || t.value < 0 {
			continue
		}
		m := matchOf(vars[t.value])
		if m == nil {
			continue
		}
		n, err := sc.indexIn(p, p.level[i], m.column)
		if err != nil {
			return nil, false, err
		}
		undo := r.hold(i, i+1)
		vars[t.value], err = sc.matchBy(m, n)
		undo()
		if err != nil {
			return nil, false, err
		}
	}
	return vars, true, nil
}

// negates reports whether a text may ask for what is not so.
func negates(text string) bool {
	return anyWord(text, func(w string) bool { return w == "not" || w == "case" })
}

// indexIn is indexNamed in a level of a text.
func (sc *scope) indexIn(p *parsed, level int, path string) (named, error) {
	qualifier, name := indexPath(path)
	if level == 0 {
		return sc.indexNamed(path)
	}
	if qualifier != "" {
		_, alias := splitPath(qualifier)
		for l := level; l > 0; l = p.levels[l].parent {
			for _, ref := range p.levels[l].refs {
				if !strings.EqualFold(ref.alias, alias) {
					continue
				}
				if ix := sc.indexAt(ref, name); ix != nil {
					return named{ix, qualifier, nil}, nil
				}
				return named{}, sc.noIndex()
			}
		}
		return sc.indexNamed(path)
	}
	for _, ref := range p.levels[level].refs {
		if ix := sc.indexAt(ref, name); ix != nil {
			return named{ix, "", nil}, nil
		}
	}
	// The name may be that of a column in a table that is not known here.
	return named{}, queryErr("gormcrypt.Match in a sub-select whose tables do not have its index; write the table or alias before it")
}

// indexAt returns an index of a table that a text names, or nil.
func (sc *scope) indexAt(ref tableRef, name string) *index {
	if ref.path == "" {
		return nil
	}
	for _, t := range sc.tablesAt(ref.path) {
		if ix := t.indexes[name]; ix != nil {
			return ix
		}
	}
	return nil
}

// withoutMatches is a list of values without what the FROM builder answers.
func withoutMatches(values []any) []any {
	return slices.DeleteFunc(slices.Clone(values), func(v any) bool { return matchOf(v) != nil })
}

// holdsExpression reports whether GORM builds one of the values as an expression.
func holdsExpression(values []any) bool {
	return slices.ContainsFunc(values, func(v any) bool { _, ok := v.(clause.Expression); return ok })
}
