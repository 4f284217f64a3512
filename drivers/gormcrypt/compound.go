package gormcrypt

import (
	"fmt"
	"slices"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// truncated reports whether the index finds rows that do not match.
func (ix *index) truncated() bool { return ix.blind.Bits < fieldcrypt.MaxIndexBits }

// compounds answers equalities of all fields of an index together by that index,
// and reports whether there was one. Among several the one over most fields comes
// first.
func (sc *scope) compounds(terms []conjunct) (bool, error) {
	grouped := false
	for i := range sc.sources() {
		s := &sc.resolved[i]
		for _, ix := range s.compounds() {
			if !sc.agrees(ix) {
				continue
			}
			at := places(terms, s, ix)
			if at == nil {
				continue
			}
			if err := sc.combine(terms, at, ix); err != nil {
				return false, err
			}
			grouped = true
		}
	}
	return grouped, nil
}

// compounds returns the indexes that answer equality of several fields.
func (s *source) compounds() []*index {
	if !slices.ContainsFunc(s.tables, func(t *table) bool { return t.special }) {
		return nil
	}
	all := slices.DeleteFunc(s.indexes(), func(ix *index) bool { return !ix.combines() })
	slices.SortStableFunc(all, func(a, b *index) int { return len(b.columns) - len(a.columns) })
	return all
}

// combines reports whether the index answers equality of several fields.
func (ix *index) combines() bool {
	return len(ix.columns) > 1 && !ix.truncated() && ix.blind.Whole()
}

// agrees reports whether an index takes for equal what the indexes of its fields
// alone do. Otherwise a condition on two fields could find other rows than those
// which both conditions find; such an index serves through Match only.
func (sc *scope) agrees(ix *index) bool {
	for i, c := range ix.columns {
		own := sc.searchIndex(c)
		if own == nil {
			own = sc.truncatedIndex(c)
		}
		if own != nil && own.blind.Transform(0) != ix.blind.Transform(i) {
			return false
		}
	}
	return true
}

// places returns which terms give the fields of an index, in their order; nil if
// one is missing.
func places(terms []conjunct, s *source, ix *index) []int {
	at := make([]int, len(ix.columns))
	for i, c := range ix.columns {
		at[i] = slices.IndexFunc(terms, func(t conjunct) bool {
			if t.eq == nil || t.answer != nil || t.merged || t.eq.source != s || t.eq.column.field.Identity() != c.field.Identity() {
				return false
			}
			_, ok := t.eq.single()
			return ok
		})
		if at[i] < 0 {
			return nil
		}
	}
	return at
}

// combine answers terms by an index over their fields.
func (sc *scope) combine(terms []conjunct, at []int, ix *index) error {
	tuple := make([]any, len(at))
	for i, t := range at {
		tuple[i], _ = terms[t].eq.single()
	}
	eq := terms[at[0]].eq
	in, err := sc.among(eq.column, ix, tuple, false)
	if err != nil {
		return err
	}
	for _, t := range at {
		terms[t].merged = true
	}
	terms[at[0]].merged, terms[at[0]].answer = false, eq.place(in)
	return nil
}

// unindexed refuses a comparison of a column that has no index for it.
func (sc *scope) unindexed(c *column) error {
	if ix := sc.truncatedIndex(c); ix != nil {
		return truncatedHere(ix, "here it is no condition of a whole SELECT beside others joined by AND")
	}
	reason := "it has no blind index of full length for itself alone; add the option index to its tag, migrate, and re-index"
	for _, ix := range sc.indexesOf(c) {
		switch {
		case ix.combines():
			reason = fmt.Sprintf("it has no blind index of full length for itself alone; compare all fields of the index %s (%s) by = in one condition, or use gormcrypt.Match(%q, ...)", ix.name, ix.fields(), ix.name)
		case len(ix.columns) > 1:
			reason = fmt.Sprintf("it has no blind index of full length for itself alone; use gormcrypt.Match(%q, ...) for %s together", ix.name, ix.fields())
		default:
			reason = fmt.Sprintf("it has no blind index of the whole value; use gormcrypt.Match(%q, ...) for what %s keeps of it", ix.name, ix.blind.Transform(0))
		}
	}
	return fieldErr("search", c.field, fieldcrypt.ErrUnsearchable, reason)
}

// indexesOf returns the indexes that a column is a part of, in order of names.
func (sc *scope) indexesOf(c *column) (all []*index) {
	for i := range sc.sources() {
		all = append(all, sc.resolved[i].indexes()...)
	}
	if len(all) == 0 {
		all = (&source{tables: sc.reg.tables}).indexes()
	}
	return slices.DeleteFunc(all, func(ix *index) bool {
		return !slices.ContainsFunc(ix.columns, func(p *column) bool { return p.field.Identity() == c.field.Identity() })
	})
}

// truncatedIndex returns the longest truncated index of a column's whole values,
// or nil.
func (sc *scope) truncatedIndex(c *column) (found *index) {
	if !sc.special() {
		return nil
	}
	for _, ix := range sc.indexesOf(c) {
		if ix.truncated() && len(ix.columns) == 1 && ix.blind.Whole() && (found == nil || ix.blind.Bits > found.blind.Bits) {
			found = ix
		}
	}
	return found
}
