package transform

import (
	"unicode/utf8"

	"github.com/fieldcrypt/go/internal/unicode15"
)

// The range of n in first(n) and last(n).
const (
	minCount = 1
	maxCount = 1000
)

// builtin is one named transform. Each owns its argument, as a stage does; one
// of the two functions is set.
type builtin struct {
	name  string
	plain func(b []byte) []byte
	count func(b []byte, n int) []byte // name(n)
}

// builtins in the order in which errors list them. Do not change what a name
// does: stored indexes depend on it.
var builtins = []builtin{
	{name: "alnum", plain: alnum},
	{name: "digits", plain: digits},
	{name: "first", count: first},
	{name: "fold", plain: fold},
	{name: "last", count: last},
	{name: "lower", plain: unicode15.Lower},
	{name: "nfc", plain: unicode15.NFC},
	{name: "trim", plain: trim},
	{name: "upper", plain: unicode15.Upper},
}

// fold makes texts equal that differ in case or in how they are composed.
func fold(b []byte) []byte {
	return unicode15.NFC(unicode15.CaseFold(unicode15.NFC(b)))
}

// alnum drops what separates: punctuation, symbols, spaces, control and format
// characters.
func alnum(b []byte) []byte {
	kept := b[:0]
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		if unicode15.IsAlnum(r) {
			kept = append(kept, b[i:i+size]...)
		}
		i += size
	}
	return kept
}

// digits keeps the decimal digits of all scripts, as ASCII.
func digits(b []byte) []byte {
	kept := b[:0]
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		if value, ok := unicode15.DigitValue(r); ok {
			kept = append(kept, '0'+byte(value))
		}
		i += size
	}
	return kept
}

// trim cuts white space at both ends.
func trim(b []byte) []byte {
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		if !unicode15.IsSpace(r) {
			break
		}
		b = b[size:]
	}
	for len(b) > 0 {
		r, size := utf8.DecodeLastRune(b)
		if !unicode15.IsSpace(r) {
			break
		}
		b = b[:len(b)-size]
	}
	return b
}

// first keeps the first n code points, or all if there are fewer.
func first(b []byte, n int) []byte {
	end := 0
	for ; n > 0 && end < len(b); n-- {
		_, size := utf8.DecodeRune(b[end:])
		end += size
	}
	return b[:end]
}

// last keeps the last n code points, or all if there are fewer.
func last(b []byte, n int) []byte {
	start := len(b)
	for ; n > 0 && start > 0; n-- {
		_, size := utf8.DecodeLastRune(b[:start])
		start -= size
	}
	return b[start:]
}
