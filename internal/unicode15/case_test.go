package unicode15

import (
	"bytes"
	"testing"
)

func TestCaseConversionOfKnownTexts(t *testing.T) {
	for _, tc := range []struct{ name, in, lower, upper, fold string }{
		{"ASCII", "aZ09@[`{", "az09@[`{", "AZ09@[`{", "az09@[`{"},
		{"sharp s", "Stra\u00DFe \u1E9E", "stra\u00DFe \u00DF", "STRASSE \u1E9E", "strasse ss"},
		{"dotted capital I", "\u0130", "i\u0307", "\u0130", "i\u0307"},
		{"dotless i stays apart", "I\u0131", "i\u0131", "II", "i\u0131"},
		{"final sigma without context", "\u039F\u03A3 \u03C3\u03C2", "\u03BF\u03C3 \u03C3\u03C2", "\u039F\u03A3 \u03A3\u03A3", "\u03BF\u03C3 \u03C3\u03C3"},
		{"iota subscript", "\u1FB3 \u1FBC \u1FB4", "\u1FB3 \u1FB3 \u1FB4", "\u0391\u0399 \u0391\u0399 \u0386\u0399", "\u03B1\u03B9 \u03B1\u03B9 \u03AC\u03B9"},
		{"iota subscript mark", "\u0345", "\u0345", "\u0399", "\u03B9"},
		{"Greek three code points", "\u0390 \u1FB7", "\u0390 \u1FB7", "\u0399\u0308\u0301 \u0391\u0342\u0399", "\u03B9\u0308\u0301 \u03B1\u0342\u03B9"},
		{"long s", "\u017F \u1E9B", "\u017F \u1E9B", "S \u1E60", "s \u1E61"},
		{"ligatures", "\uFB01 \uFB06", "\uFB01 \uFB06", "FI ST", "fi st"},
		{"titlecase digraph", "\u01C4 \u01C5 \u01C6", "\u01C6 \u01C6 \u01C6", "\u01C4 \u01C4 \u01C4", "\u01C6 \u01C6 \u01C6"},
		{"afrikaans n", "\u0149", "\u0149", "\u02BCN", "\u02BCn"},
		{"micro sign", "\u00B5", "\u00B5", "\u039C", "\u03BC"},
		{"Kelvin and Angstrom", "\u212A\u212B", "k\u00E5", "\u212A\u212B", "k\u00E5"},
		{"Cherokee folds to capitals", "\u13A0\uAB70\u13F0\u13F8", "\uAB70\uAB70\u13F8\u13F8", "\u13A0\u13A0\u13F0\u13F0", "\u13A0\u13A0\u13F0\u13F0"},
		{"Georgian", "\u10D0 \u1C90 \u10A0", "\u10D0 \u10D0 \u2D00", "\u1C90 \u1C90 \u10A0", "\u10D0 \u10D0 \u2D00"},
		{"Deseret", "\U00010400\U00010428", "\U00010428\U00010428", "\U00010400\U00010400", "\U00010428\U00010428"},
		{"Armenian ligature", "\u0587", "\u0587", "\u0535\u0552", "\u0565\u0582"},
		{"cased after 15.0", "\u1C89\uA7CB\U00010D50", "\u1C89\uA7CB\U00010D50", "\u1C89\uA7CB\U00010D50", "\u1C89\uA7CB\U00010D50"},
		{"no case", "\u4E2D\U0001F600\uE000", "\u4E2D\U0001F600\uE000", "\u4E2D\U0001F600\uE000", "\u4E2D\U0001F600\uE000"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, c := range []struct {
				name    string
				convert func([]byte) []byte
				want    string
			}{{"Lower", Lower, tc.lower}, {"Upper", Upper, tc.upper}, {"CaseFold", CaseFold, tc.fold}} {
				if got := string(c.convert([]byte(tc.in))); got != c.want {
					t.Errorf("%s(%+q) = %+q, want %+q", c.name, tc.in, got, c.want)
				}
			}
		})
	}
}

func TestCaseConversionIsIdempotent(t *testing.T) {
	texts := newRandomTexts(11)
	for range 20_000 {
		in := texts.next(12)
		for name, convert := range map[string]func([]byte) []byte{"Lower": Lower, "Upper": Upper, "CaseFold": CaseFold} {
			once := convert([]byte(in))
			if twice := convert(bytes.Clone(once)); !bytes.Equal(once, twice) {
				t.Fatalf("%s(%+q) = %+q, and again %+q", name, in, once, twice)
			}
		}
	}
}

// Canonically equivalent texts, and texts that differ in case, fold alike.
func TestFoldingJoinsWhatIsEquivalent(t *testing.T) {
	fold := func(s string) string { return string(NFC(CaseFold(NFC([]byte(s))))) }
	texts := newRandomTexts(13)
	for range 20_000 {
		in := texts.next(12)
		folded := fold(in)
		if nfd := text(reordered(in)); fold(nfd) != folded {
			t.Fatalf("%+q folds to %+q, its decomposition to %+q", in, folded, fold(nfd))
		}
		if again := fold(folded); again != folded {
			t.Fatalf("%+q folds to %+q, and again to %+q", in, folded, again)
		}
	}
}

func reordered(s string) []char {
	full := decompose(nil, []byte(s))
	reorder(full)
	return full
}
