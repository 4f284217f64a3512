package pgxcrypt

import (
	"bytes"
	"slices"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// paired checks that each Secret with an index is written with its own, and each
// index with its Secret: a row whose two do not fit would not be found.
func (r *argumentRow) paired() error {
	for _, next := range []bool{false, true} {
		for _, s := range r.secrets {
			if err := r.pair(s, next); err != nil {
				return err
			}
		}
	}
	for _, ix := range r.indexes {
		if ix.used || slices.ContainsFunc(r.indexes, func(other argumentIndex) bool { return other.used && other.is(ix.of, ix.next, ix.term) }) {
			continue
		}
		f, err := r.fc.SecretField(ix.of)
		if err != nil {
			return err
		}
		return fieldErr("index", f, fieldcrypt.ErrUnsupported, "the index argument is of no Secret among the arguments; write both together, and search by Crypter.SecretTerms")
	}
	return nil
}

// is reports whether an index is one of a column, with a term.
func (ix *argumentIndex) is(of fieldcrypt.AnySecret, next bool, term []byte) bool {
	return ix.next == next && fieldcrypt.SameColumn(ix.of, of) && bytes.Equal(ix.term, term)
}

// pair finds a Secret its index, which is no other's. That there is a second one
// where there has to be was seen when the first was made.
func (r *argumentRow) pair(s argumentSecret, next bool) error {
	if s.field.SearchIndex() == nil || next && r.indexOf(s.secret, true) == nil {
		return nil
	}
	if r.indexOf(s.secret, false) == nil {
		return fieldErr("seal", s.field, fieldcrypt.ErrUnsupported, "its index column is not among the arguments, and would no longer fit; write both together, the index as a fieldcrypt.SecretIndex, and search by Crypter.SecretTerms")
	}
	if s.own[next] {
		return nil // it was made of this Secret
	}
	term, _, err := r.sealer().SecretTerm(s.secret, next)
	if err != nil {
		return err
	}
	for i := range r.indexes {
		if ix := &r.indexes[i]; !ix.used && ix.is(s.secret, next, term) {
			ix.used, s.own[next] = true, true
			break
		}
	}
	if !s.own[next] {
		return fieldErr("seal", s.field, fieldcrypt.ErrUnsupported, "no index among the arguments is its own; make it with Secret.Index of the same Secret")
	}
	return nil
}
