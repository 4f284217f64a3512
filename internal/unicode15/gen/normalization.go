package main

import (
	"fmt"
	"slices"

	"golang.org/x/text/unicode/norm"
)

// Hangul is composed by arithmetic and stays out of the tables, but for the
// jamo that may combine with what precedes them.
func isHangulSyllable(r rune) bool { return 0xAC00 <= r && r <= 0xD7A3 }
func isCombiningJamo(r rune) bool  { return 0x1161 <= r && r <= 0x1175 || 0x11A8 <= r && r <= 0x11C2 }

// pair is a primary composite with its two halves.
type pair struct{ first, second, composite rune }

// pairs returns every primary composite: a code point that NFC makes from its
// own decomposition. Its second half is the last code point of that.
func pairs() (all []pair) {
	codePoints(func(r rune) {
		full := []rune(norm.NFD.String(string(r)))
		if isHangulSyllable(r) || len(full) < 2 || norm.NFC.String(string(r)) != string(r) {
			return
		}
		first := []rune(norm.NFC.String(string(full[:len(full)-1])))
		all = append(all, pair{first[0], full[len(full)-1], r})
	})
	return all
}

// normalization writes decompositions, combining classes and NFC_Quick_Check.
func normalization(w *writer) {
	type property struct{ ccc, quick int }
	const yes, no, maybe = 0, 1, 2
	seconds := map[rune]bool{}
	for _, p := range pairs() {
		seconds[p.second] = true
	}
	var decompositions, props []string
	var lo, hi rune
	var open property
	flush := func() {
		if open != (property{}) {
			props = append(props, fmt.Sprintf("{%#x, %#x, %d, %s}", lo, hi, open.ccc,
				[]string{"quickYes", "quickNo", "quickMaybe"}[open.quick]))
		}
	}
	codePoints(func(r rune) {
		s := string(r)
		p := property{ccc: int(norm.NFC.PropertiesString(s).CCC())}
		switch {
		case norm.NFC.String(s) != s:
			p.quick = no
		case seconds[r] || isCombiningJamo(r):
			p.quick = maybe
		}
		if nfd := norm.NFD.String(s); nfd != s && !isHangulSyllable(r) {
			decompositions = append(decompositions, fmt.Sprintf("{%#x, %+q}", r, nfd))
		}
		if p != open || r != hi+1 {
			flush()
			lo, open = r, p
		}
		hi = r
	})
	flush()
	w.table("decompositions: full canonical decompositions, Hangul syllables excepted.",
		"decompositions", "expansion", decompositions)
	w.table("normRanges: code points with a combining class or an NFC_Quick_Check other than Yes.",
		"normRanges", "normRange", props)
}

// composites writes the pairs that compose. It checks what package unicode15
// builds on: that each half is one code point, and that no code point which
// is quickYes decomposes into something that combines with what precedes it.
func composites(w *writer) error {
	all := pairs()
	seconds := map[rune]bool{}
	for _, p := range all {
		seconds[p.second] = true
		if s := norm.NFC.String(string([]rune{p.first, p.second})); s != string(p.composite) {
			return fmt.Errorf("%U is not made of %U and %U", p.composite, p.first, p.second)
		}
	}
	for _, p := range all {
		if head := []rune(norm.NFD.String(string(p.composite)))[0]; seconds[head] || isCombiningJamo(head) {
			return fmt.Errorf("%U starts with %U, which combines backwards", p.composite, head)
		}
	}
	slices.SortFunc(all, func(a, b pair) int {
		if a.first != b.first {
			return int(a.first - b.first)
		}
		return int(a.second - b.second)
	})
	var entries []string
	for _, p := range all {
		entries = append(entries, fmt.Sprintf("{%#x, %#x, %#x}", p.first, p.second, p.composite))
	}
	w.table("compositions: primary composites by their two halves, composition exclusions left out.",
		"compositions", "composition", entries)
	return nil
}
