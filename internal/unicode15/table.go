package unicode15

import "slices"

// The types of the generated tables. Every table is sorted by code point and
// searched by bisection.
type (
	// runeRange holds the code points lo..hi.
	runeRange struct{ lo, hi rune }

	// caseRange maps lo, lo+stride, ... hi to themselves plus delta.
	caseRange struct{ lo, hi, stride, delta rune }

	// normRange gives lo..hi one combining class and one NFC_Quick_Check value.
	// Code points in no range have class 0 and quickYes.
	normRange struct {
		lo, hi rune
		ccc    uint8
		quick  quickCheck
	}

	// expansion maps one code point to a string.
	expansion struct {
		r  rune
		to string
	}

	// composition: first and second make the primary composite.
	composition struct{ first, second, composite rune }
)

// quickCheck is the property NFC_Quick_Check of UAX #15.
type quickCheck uint8

const (
	quickYes   quickCheck = iota // may occur in NFC, never combines with what precedes
	quickNo                      // never occurs in NFC
	quickMaybe                   // may combine with what precedes
)

// compareRange orders the range lo..hi against r for slices.BinarySearchFunc.
func compareRange(lo, hi, r rune) int {
	switch {
	case hi < r:
		return -1
	case lo > r:
		return 1
	}
	return 0
}

func inRanges(table []runeRange, r rune) bool {
	_, ok := slices.BinarySearchFunc(table, r, func(e runeRange, r rune) int {
		return compareRange(e.lo, e.hi, r)
	})
	return ok
}

// expand returns what r maps to, or "" when the table does not hold r.
func expand(table []expansion, r rune) string {
	i, ok := slices.BinarySearchFunc(table, r, func(e expansion, r rune) int {
		return int(e.r - r)
	})
	if !ok {
		return ""
	}
	return table[i].to
}
