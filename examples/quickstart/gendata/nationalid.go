package main

import "strings"

// nationalIDs makes numbers that look like a country's and can belong to
// nobody: the pattern of a [locale] has a part that the real scheme never
// issues (a month 00, a first digit that is not in use, a prefix kept for
// examples), or, as ! in the pattern, a check digit that is wrong.
type nationalIDs struct{ taken map[string]bool }

// next returns a number that was not returned before, or NULL for one patient
// in twenty.
func (ids nationalIDs) next(r random, from locale) string {
	if r.percent(5) {
		return null
	}
	for {
		if id := fill(r, from.id); !ids.taken[id] {
			ids.taken[id] = true
			return id
		}
	}
}

// fill replaces # by a digit and ! by a wrong Luhn digit.
func fill(r random, pattern string) string {
	var b, digits strings.Builder
	for _, p := range pattern {
		switch p {
		case '#':
			p = rune('0' + r.below(10))
		case '!':
			p = rune('0' + (luhn(digits.String())+1+r.below(9))%10)
		}
		if '0' <= p && p <= '9' {
			digits.WriteRune(p)
		}
		b.WriteRune(p)
	}
	return b.String()
}

// luhn returns the digit that would make digits a valid Luhn number.
func luhn(digits string) int {
	sum := 0
	for i := range digits {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 0 {
			d = d*2/10 + d*2%10
		}
		sum += d
	}
	return (10 - sum%10) % 10
}
