package unicode15

import (
	"bytes"
	"strings"
	"testing"
)

func TestNFCOfKnownTexts(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"empty", "", ""},
		{"ASCII", "MRN-1042", "MRN-1042"},
		{"mark composes", "Jose\u0301", "Jos\u00E9"},
		{"already composed", "Jos\u00E9", "Jos\u00E9"},
		{"marks are reordered by class", "e\u0301\u0323", "\u1EB9\u0301"},
		{"marks of one class keep their order", "e\u0304\u0301 e\u0301\u0304", "\u1E17 \u00E9\u0304"},
		{"mark of the same class blocks", "a\u0305\u0301", "a\u0305\u0301"},
		{"mark of a lower class does not block", "a\u0316\u0301", "\u00E1\u0316"},
		{"starter between blocks", "a\u034F\u0301", "a\u034F\u0301"},
		{"composite reopened for a lower mark", "\u1E69 \u1E9B\u0323", "\u1E69 \u1E9B\u0323"},
		{"composite taken apart and put together anew", "\u00E9\u0323", "\u1EB9\u0301"},
		{"composes twice", "o\u0302\u0301", "\u1ED1"},
		{"text starts with marks", "\u0301\u0323a\u0301", "\u0323\u0301\u00E1"},
		{"singleton Angstrom", "\u212B", "\u00C5"},
		{"singleton Ohm", "\u2126", "\u03A9"},
		{"singleton Kelvin", "\u212A", "K"},
		{"CJK compatibility ideographs", "\uF900\U0002F800", "\u8C48\u4E3D"},
		{"excluded from composition: U+0958", "\u0958 \u0915\u093C", "\u0915\u093C \u0915\u093C"},
		{"excluded from composition: U+FB1D", "\uFB1D", "\u05D9\u05B4"},
		{"excluded from composition: U+2ADC", "\u2ADC", "\u2ADD\u0338"},
		{"non-starter decomposition U+0344", "a\u0344 \u0344", "\u00E4\u0301 \u0308\u0301"},
		{"musical symbol above the BMP", "\U0001D15E", "\U0001D157\U0001D165"},
		{"composes above the BMP", "\U00011131\U00011127", "\U0001112E"},
		{"Hangul LV", "\u1100\u1161", "\uAC00"},
		{"Hangul LVT", "\u1112\u1161\u11AB", "\uD55C"},
		{"Hangul LV and T", "\uAC00\u11A8", "\uAC01"},
		{"Hangul LVT takes no second T", "\uAC01\u11A8", "\uAC01\u11A8"},
		{"Hangul T filler is no T", "\uAC00\u11A7", "\uAC00\u11A7"},
		{"Hangul V alone", "\u1161\u11A8", "\u1161\u11A8"},
		{"Hangul with a mark between", "\u1100\u0301\u1161", "\u1100\u0301\u1161"},
		{"two-part vowel", "\u09C7\u09BE", "\u09CB"},
		{"starter composes only when adjacent", "\u09C7\u0334\u09BE", "\u09C7\u0334\u09BE"},
		{"Greek with iota subscript", "\u03B1\u0345\u0301", "\u1FB4"},
		{"assigned after 15.0 with a class", "a\U00010D69\u0316", "a\U00010D69\u0316"},
		{"assigned after 15.0, composes there", "\U000105D2\u0307", "\U000105D2\u0307"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := string(NFC([]byte(tc.in))); got != tc.want {
				t.Errorf("NFC(%+q) = %+q, want %+q", tc.in, got, tc.want)
			}
		})
	}
}

// x/text cuts runs of more than thirty marks with U+034F, so that the result
// depends on the length of the run. Ours must not.
func TestNFCOfLongRunsOfMarks(t *testing.T) {
	in := "a" + strings.Repeat("\u0301\u0323", 5000)
	want := "\u1EA1" + strings.Repeat("\u0323", 4999) + strings.Repeat("\u0301", 5000)
	if got := NFC([]byte(in)); string(got) != want {
		t.Error("a run of 10,000 marks is not in canonical order")
	}
}

// Every result must be canonically equivalent to its input, stable, and free
// of pairs that still compose.
func TestNFCOfRandomTexts(t *testing.T) {
	texts := newRandomTexts(7)
	for range 20_000 {
		in := texts.next(48)
		got := NFC([]byte(in))
		if !equivalent(in, string(got)) {
			t.Fatalf("NFC(%+q) = %+q, which is not canonically equivalent", in, got)
		}
		if again := NFC(bytes.Clone(got)); !bytes.Equal(again, got) {
			t.Fatalf("NFC(%+q) = %+q, and again %+q", in, got, again)
		}
		full := decompose(nil, got)
		reorder(full)
		if composed := compose(full); string(got) != text(composed) {
			t.Fatalf("NFC(%+q) = %+q took a short cut: composing all of it gives %+q", in, got, text(composed))
		}
	}
}

func TestNFCLeavesComposedTextInPlace(t *testing.T) {
	in := []byte("Zo\u00EB \u4E2D\u6587 \uD55C\uAD6D\uC5B4 \u0418\u0432\u0430\u043D")
	if got := NFC(in); &got[0] != &in[0] {
		t.Error("text that is already in NFC was copied")
	}
}

func equivalent(a, b string) bool {
	x, y := decompose(nil, []byte(a)), decompose(nil, []byte(b))
	reorder(x)
	reorder(y)
	return text(x) == text(y)
}

func text(s []char) string {
	var b strings.Builder
	for _, c := range s {
		b.WriteRune(c.r)
	}
	return b.String()
}
