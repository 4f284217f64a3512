package unicode15

import "testing"

func TestDigitValue(t *testing.T) {
	for _, tc := range []struct {
		name string
		zero rune
	}{
		{"ASCII", '0'}, {"Arabic-Indic", 0x660}, {"Extended Arabic-Indic", 0x6F0}, {"Devanagari", 0x966},
		{"fullwidth", 0xFF10}, {"mathematical monospace", 0x1D7F6}, {"Kawi, new in 15.0", 0x11F50}, {"Nag Mundari, new in 15.0", 0x1E4F0},
	} {
		for want := range 10 {
			if got, ok := DigitValue(tc.zero + rune(want)); !ok || got != want {
				t.Errorf("%s: DigitValue(%U) = %d, %v", tc.name, tc.zero+rune(want), got, ok)
			}
		}
	}
	for _, r := range []rune{'/', ':', 'a', 0xB2, 0x2160, 0x2460, 0x4E00, 0x0BF0, 0x11DE0, 0x1CCF0} { // the last two: 17.0 and 16.0
		if got, ok := DigitValue(r); ok {
			t.Errorf("DigitValue(%U) = %d, want none", r, got)
		}
	}
}

func TestIsSpace(t *testing.T) {
	spaces := []rune{9, 10, 11, 12, 13, 0x20, 0x85, 0xA0, 0x1680, 0x2000, 0x2001, 0x2002, 0x2003, 0x2004, 0x2005,
		0x2006, 0x2007, 0x2008, 0x2009, 0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000}
	want := map[rune]bool{}
	for _, r := range spaces {
		want[r] = true
	}
	for r := rune(0); r <= 0x10FFFF; r++ {
		if IsSpace(r) != want[r] {
			t.Errorf("IsSpace(%U) = %v", r, IsSpace(r))
		}
	}
}

func TestIsAlnum(t *testing.T) {
	for _, tc := range []struct {
		name string
		r    rune
		want bool
	}{
		{"letter", 'A', true}, {"digit", '7', true}, {"hyphen", '-', false}, {"underscore", '_', false},
		{"space", ' ', false}, {"plus", '+', false}, {"NUL", 0, false}, {"DEL", 0x7F, false}, {"NEL", 0x85, false},
		{"no-break space", 0xA0, false}, {"ordinal a", 0xAA, true}, {"soft hyphen", 0xAD, false},
		{"superscript two", 0xB2, true}, {"roman numeral", 0x2160, true}, {"circled one", 0x2460, true},
		{"nonspacing mark", 0x301, true}, {"spacing mark", 0x93E, true}, {"enclosing mark", 0x20E3, true},
		{"modifier letter", 0x2BC, true}, {"modifier symbol", 0x5E, false}, {"en dash", 0x2013, false},
		{"zero width space", 0x200B, false}, {"zero width joiner", 0x200D, false}, {"byte order mark", 0xFEFF, false},
		{"ideograph", 0x4E2D, true}, {"emoji", 0x1F600, false}, {"private use", 0xE000, true},
		{"noncharacter", 0xFFFF, true}, {"unassigned", 0x378, true}, {"letter assigned in 16.0", 0x1C89, true},
	} {
		if got := IsAlnum(tc.r); got != tc.want {
			t.Errorf("%s: IsAlnum(%U) = %v", tc.name, tc.r, got)
		}
	}
}
