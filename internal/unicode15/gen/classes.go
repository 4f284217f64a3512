package main

import (
	"fmt"
	"unicode"
)

// digits writes the zeros of all scripts. Unicode encodes decimal digits in
// ascending runs of ten (stability policy, "Numeric_Type=Decimal").
func digits(w *writer) error {
	var zeros []string
	end := rune(0) // of the run before
	var err error
	codePoints(func(r rune) {
		if !unicode.Is(unicode.Nd, r) || r < end {
			return
		}
		zeros = append(zeros, fmt.Sprintf("%#x", r))
		end = r + 10
		for d := r; d < end; d++ {
			if !unicode.Is(unicode.Nd, d) {
				err = fmt.Errorf("the digits at %U are not a run of ten", r)
			}
		}
	})
	w.table("digitZeros: the zeros of runs of ten decimal digits.", "digitZeros", "rune", zeros)
	return err
}

// classes writes White_Space and what the transform alnum drops.
func classes(w *writer) {
	var spaces, dropped []rune
	codePoints(func(r rune) {
		if unicode.Is(unicode.White_Space, r) {
			spaces = append(spaces, r)
		}
		if unicode.In(r, unicode.P, unicode.S, unicode.Z, unicode.Cc, unicode.Cf) {
			dropped = append(dropped, r)
		}
	})
	w.table("whiteSpace: the property White_Space.", "whiteSpace", "runeRange", ranges(spaces))
	w.table("notAlnum: the general categories P, S, Z, Cc and Cf.", "notAlnum", "runeRange", ranges(dropped))
}
