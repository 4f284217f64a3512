package main

import "strings"

// notes returns NULL, an empty text, or one to many lines of what people write
// into such a field.
func notes(r random, from locale) string {
	switch p := r.below(100); {
	case p < 15:
		return null
	case p < 25:
		return ""
	case p < 50:
		return one(r, from.notes)
	case p < 60:
		return one(r, oddities)
	case p < 97:
		return lines(r, from, 2+r.below(4))
	default:
		return lines(r, from, 20+r.below(40))
	}
}

// lines are joined by a line feed alone: CSV readers turn CR LF into it.
func lines(r random, from locale, n int) string {
	text := make([]string, n)
	for i := range text {
		switch p := r.below(10); {
		case p < 5:
			text[i] = one(r, from.notes)
		case p < 8:
			text[i] = one(r, english)
		default:
			text[i] = one(r, oddities)
		}
	}
	return strings.Join(text, "\n")
}

// oddities are what trips programs up.
var oddities = []string{
	"NULL",
	"null, \"null\", 'null'",
	"She said: \"It hurts, doctor\", then left.",
	"'; DROP TABLE patients; --",
	"=SUM(A1:A9)",
	" leading and trailing spaces \t ",
	"<b>bold</b> &amp; 100 % sure\\",
	"👩🏽\u200d⚕️ seen by the night team 👨\u200d👩\u200d👧\u200d👦 🇨🇭",
	"mixed: שלום, world, مرحبا (left to right again)",
	"tab\tseparated\tvalues",
	"\n\nbegins with empty lines",
	"ﬁne ligature, Å as the angstrom sign: \u212b, a\u030a decomposed",
	"x",
	"0",
}
