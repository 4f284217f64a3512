package main

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// The case conversions of one code point: without a language and, there being
// one code point, without context.
var (
	lower = cases.Lower(language.Und, cases.HandleFinalSigma(false)).String
	upper = cases.Upper(language.Und).String
)

// fold corrects the one error of cases.Fold (golang.org/issue/46101): Cherokee
// capitals fold to themselves, the small letters that Unicode 8 added fold to
// the capitals. cases.Fold swaps them.
func fold(s string) string {
	var b strings.Builder
	for _, r := range s {
		if 0x13A0 <= r && r <= 0x13F5 {
			b.WriteRune(r)
		} else {
			b.WriteString(cases.Fold().String(string(r)))
		}
	}
	return b.String()
}

// caseMaps writes the three case conversions of single code points. It checks
// what a wrong table would break first: converting twice changes nothing more.
func caseMaps(w *writer) error {
	for _, m := range []struct {
		name    string
		convert func(string) string
	}{{"lower", lower}, {"upper", upper}, {"fold", fold}} {
		var single []change
		var full []string
		var err error
		codePoints(func(r rune) {
			to := m.convert(string(r))
			if to == string(r) {
				return
			}
			if m.convert(to) != to {
				err = fmt.Errorf("%s of %U is not stable", m.name, r)
			}
			switch {
			case utf8.RuneCountInString(to) > 1:
				full = append(full, fmt.Sprintf("{%#x, %+q}", r, to))
			default:
				t, _ := utf8.DecodeRuneInString(to)
				single = append(single, change{r, t - r})
			}
		})
		if err != nil {
			return err
		}
		w.table(m.name+"Ranges: code points that map to one other.", m.name+"Ranges", "caseRange", caseRanges(single))
		w.table(m.name+"Full: code points that map to several.", m.name+"Full", "expansion", full)
	}
	return nil
}

type change struct{ r, delta rune }

// caseRanges merges neighbours of equal delta that follow each other at a
// distance of one or, where cases alternate, of two.
func caseRanges(changes []change) (entries []string) {
	for i := 0; i < len(changes); {
		stride := rune(1)
		j := i
		for j+1 < len(changes) && changes[j+1].delta == changes[i].delta {
			gap := changes[j+1].r - changes[j].r
			if j == i && gap <= 2 {
				stride = gap
			}
			if gap != stride {
				break
			}
			j++
		}
		entries = append(entries, fmt.Sprintf("{%#x, %#x, %d, %d}", changes[i].r, changes[j].r, stride, changes[i].delta))
		i = j + 1
	}
	return entries
}
