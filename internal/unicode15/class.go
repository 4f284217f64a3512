package unicode15

import (
	"slices"
	"unicode/utf8"
)

// DigitValue returns the value 0..9 of a decimal digit (general category Nd)
// of any script, and whether r is one.
func DigitValue(r rune) (value int, ok bool) {
	if '0' <= r && r <= '9' {
		return int(r - '0'), true
	}
	if r < utf8.RuneSelf {
		return 0, false
	}
	i, ok := slices.BinarySearchFunc(digitZeros, r, func(zero, r rune) int {
		return compareRange(zero, zero+9, r)
	})
	if !ok {
		return 0, false
	}
	return int(r - digitZeros[i]), true
}

// IsSpace reports whether r has the property White_Space.
func IsSpace(r rune) bool {
	if r < utf8.RuneSelf {
		return r == ' ' || '\t' <= r && r <= '\r'
	}
	return inRanges(whiteSpace, r)
}

// IsAlnum reports whether r carries content rather than layout: it is in none
// of the general categories P (punctuation), S (symbols), Z (separators), Cc
// (control) and Cf (format). That leaves letters, marks, numbers, private use
// and what 15.0.0 does not assign: a letter that a later version adds must not
// make two different texts equal.
func IsAlnum(r rune) bool {
	if r < utf8.RuneSelf {
		return '0' <= r && r <= '9' || 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z'
	}
	return !inRanges(notAlnum, r)
}
