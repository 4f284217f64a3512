package unicode15

import (
	"slices"
	"unicode/utf8"
)

// firstCombining is the lowest code point that has a combining class other
// than 0 or is not quickYes.
const firstCombining = 0x300

// NFC returns b in normalization form C (UAX #15). Runs of combining marks of
// any length are normalized as one: no grapheme joiners are put in, unlike
// UAX #15's Stream-Safe format, which golang.org/x/text applies.
func NFC(b []byte) []byte {
	n := normalizedPrefix(b)
	if n == len(b) {
		return b
	}
	out := make([]byte, 0, len(b)+utf8.UTFMax)
	var buf []char
	for {
		out = append(out, b[:n]...)
		b = b[n:]
		if len(b) == 0 {
			return out
		}
		n = segment(b)
		buf = decompose(buf[:0], b[:n])
		reorder(buf)
		for _, c := range compose(buf) {
			out = utf8.AppendRune(out, c.r)
		}
		b = b[n:]
		n = normalizedPrefix(b)
	}
}

// normalizedPrefix returns the length of a prefix of b that is in NFC whatever
// follows it: all of b, or up to the last boundary before the first doubt. A
// boundary lies before every code point of class 0 that is quickYes.
func normalizedPrefix(b []byte) int {
	boundary := 0
	var last uint8 // combining class of the code point before
	for i := 0; i < len(b); {
		r, size := rune(b[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRune(b[i:])
		}
		ccc, quick := normOf(r)
		if quick != quickYes || ccc != 0 && ccc < last {
			return boundary
		}
		if ccc == 0 {
			boundary = i
		}
		last = ccc
		i += size
	}
	return len(b)
}

// segment returns the length of b up to the second boundary; b starts at one,
// or at the beginning of the text.
func segment(b []byte) int {
	_, i := utf8.DecodeRune(b)
	for i < len(b) {
		r, size := utf8.DecodeRune(b[i:])
		if ccc, quick := normOf(r); ccc == 0 && quick == quickYes {
			break
		}
		i += size
	}
	return i
}

// char is a code point with its canonical combining class.
type char struct {
	r   rune
	ccc uint8
}

func normOf(r rune) (ccc uint8, quick quickCheck) {
	if r < firstCombining {
		return 0, quickYes
	}
	i, ok := slices.BinarySearchFunc(normRanges, r, func(e normRange, r rune) int {
		return compareRange(e.lo, e.hi, r)
	})
	if !ok {
		return 0, quickYes
	}
	return normRanges[i].ccc, normRanges[i].quick
}

// decompose appends the full canonical decomposition of b, in b's order.
func decompose(dst []char, b []byte) []char {
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		i += size
		if isHangulSyllable(r) {
			dst = decomposeHangul(dst, r)
			continue
		}
		if to := expand(decompositions, r); to != "" {
			for _, r := range to {
				ccc, _ := normOf(r)
				dst = append(dst, char{r, ccc})
			}
			continue
		}
		ccc, _ := normOf(r)
		dst = append(dst, char{r, ccc})
	}
	return dst
}

// reorder is the Canonical Ordering Algorithm: every run of code points with a
// class other than 0 is sorted by class, equals staying as they are.
func reorder(s []char) {
	for i := 0; i < len(s); {
		if s[i].ccc == 0 {
			i++
			continue
		}
		run := i
		for i < len(s) && s[i].ccc != 0 {
			i++
		}
		slices.SortStableFunc(s[run:i], func(a, b char) int { return int(a.ccc) - int(b.ccc) })
	}
}

// compose is the Canonical Composition Algorithm, in place.
func compose(s []char) []char {
	out := s[:0]
	starter := -1 // index in out of the last code point of class 0
	for _, c := range s {
		// Blocked: something of class 0, or of c's class or a higher one,
		// stands between the starter and c.
		adjacent := starter == len(out)-1
		if starter >= 0 && (adjacent || out[len(out)-1].ccc < c.ccc) {
			if r, ok := composite(out[starter].r, c.r); ok {
				out[starter].r = r
				continue
			}
		}
		if c.ccc == 0 {
			starter = len(out)
		}
		out = append(out, c)
	}
	return out
}

// composite returns the primary composite of two code points.
func composite(first, second rune) (rune, bool) {
	if r, ok := composeHangul(first, second); ok {
		return r, true
	}
	i, ok := slices.BinarySearchFunc(compositions, composition{first: first, second: second},
		func(a, b composition) int {
			if a.first != b.first {
				return int(a.first - b.first)
			}
			return int(a.second - b.second)
		})
	if !ok {
		return 0, false
	}
	return compositions[i].composite, true
}
