package gormcrypt

import (
	"fmt"
	"slices"

	"gorm.io/gorm/clause"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// truncatedHere refuses a truncated index where its false positives could not be
// told from what matches.
func truncatedHere(ix *index, why string) error {
	return indexErr(ix, fmt.Sprintf("the index is truncated to %d bits and finds other rows besides, and %s; "+
		"ask it in a Where beside others, for Find, First, Take, Last or FindInBatches into structs of a marked model that are given %s, and go on with their primary keys; or declare an index of full length",
		ix.blind.Bits, why, ix.fields()))
}

// approximations answers by truncated indexes what no other index does, and
// reports whether there was something. The terms are those of all of WHERE.
func (sc *scope) approximations(terms []conjunct) (bool, error) {
	did := false
	for i := range terms {
		t := &terms[i]
		if t.answer != nil || t.merged {
			continue
		}
		var err error
		if m := matchOf(t.given); m != nil {
			t.answer, err = sc.approximateMatch(m)
		} else if t.eq != nil && t.eq.source == sc.main() && sc.searchIndex(t.eq.column) == nil {
			t.answer, err = sc.approximateEquality(t.eq)
		}
		if err != nil {
			return false, err
		}
		did = did || t.answer != nil
	}
	return did, nil
}

func (sc *scope) approximateMatch(m *match) (clause.Expression, error) {
	n, err := sc.indexNamed(m.column)
	if err != nil || !n.index.truncated() {
		return nil, err
	}
	if n.source != sc.main() {
		return nil, truncatedHere(n.index, "it is not of the table that the query is of")
	}
	if err := n.index.count(m.values); err != nil {
		return nil, err
	}
	in, err := sc.approximate(n.index, slices.Clone(m.values))
	if err != nil {
		return nil, err
	}
	in.table = n.qualifier
	return in, nil
}

func (sc *scope) approximateEquality(eq *equality) (clause.Expression, error) {
	ix := sc.truncatedIndex(eq.column)
	if ix == nil {
		return nil, nil // refused where conditions are
	}
	values := slices.DeleteFunc(slices.Clone(eq.values), func(v any) bool { return isNull(plainOf(v)) })
	in, err := sc.approximate(ix, values)
	if err != nil {
		return nil, err
	}
	return eq.place(in), nil
}

// approximate makes a condition that finds what matches and more, and notes what
// tells them apart. The values are those of one tuple after the other; a row
// matches one of them.
func (sc *scope) approximate(ix *index, values []any) (*oneOf, error) {
	fields, err := sc.opened(ix)
	if err != nil {
		return nil, err
	}
	in, err := sc.among(ix.columns[0], ix, values, false)
	if err != nil {
		return nil, err
	}
	tenant, err := sc.searchTenant(ix.columns[0])
	if err != nil {
		return nil, err
	}
	f := filter{fields: fields}
	for width := len(ix.columns); len(values) > 0; values = values[width:] {
		m, err := sc.b.crypter.Matcher(sc.stmt.Context, ix.blind, fieldcrypt.Row{Tenant: tenant}, values[:width]...)
		if err != nil {
			return nil, err
		}
		f.matchers = append(f.matchers, m)
	}
	sc.narrow(ix, f)
	return in, nil
}
