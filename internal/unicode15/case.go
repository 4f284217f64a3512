package unicode15

import (
	"slices"
	"unicode/utf8"
)

// caseMap is one of the case conversions: full holds the code points that map
// to several, ranges those that map to one other. ranges[0] is the ASCII one.
type caseMap struct {
	ranges []caseRange
	full   []expansion
}

// Lower returns b in lower case: the mapping Lowercase_Mapping applied to each
// code point alone, without language and without context, so that a final
// capital sigma becomes σ (U+03C3), never ς.
func Lower(b []byte) []byte { return caseMap{lowerRanges, lowerFull}.convert(b) }

// Upper returns b in upper case: the mapping Uppercase_Mapping applied to each
// code point alone, without language and without context.
func Upper(b []byte) []byte { return caseMap{upperRanges, upperFull}.convert(b) }

// CaseFold returns b with full case folding (statuses C and F of
// CaseFolding.txt, the Turkic T excluded). It neither expects nor makes a
// normalization form.
func CaseFold(b []byte) []byte { return caseMap{foldRanges, foldFull}.convert(b) }

func (m caseMap) convert(b []byte) []byte {
	ascii := m.ranges[0]
	i := 0
	for ; i < len(b) && b[i] < utf8.RuneSelf; i++ {
		if c := rune(b[i]); ascii.lo <= c && c <= ascii.hi {
			b[i] = byte(c + ascii.delta)
		}
	}
	if i == len(b) {
		return b
	}
	out := append(make([]byte, 0, len(b)+utf8.UTFMax), b[:i]...)
	for i < len(b) {
		r, size := utf8.DecodeRune(b[i:])
		out = m.append(out, r)
		i += size
	}
	return out
}

func (m caseMap) append(dst []byte, r rune) []byte {
	i, ok := slices.BinarySearchFunc(m.ranges, r, func(e caseRange, r rune) int {
		return compareRange(e.lo, e.hi, r)
	})
	if ok && (r-m.ranges[i].lo)%m.ranges[i].stride == 0 {
		return utf8.AppendRune(dst, r+m.ranges[i].delta)
	}
	if r >= utf8.RuneSelf {
		if to := expand(m.full, r); to != "" {
			return append(dst, to...)
		}
	}
	return utf8.AppendRune(dst, r)
}
