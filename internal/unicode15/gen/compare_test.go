package main

import (
	"bytes"
	"math/rand/v2"
	"os"
	"testing"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/fieldcrypt/go/internal/unicode15"
)

func needPinnedVersion(t *testing.T) {
	t.Helper()
	if err := checkVersions(); err != nil {
		t.Skip("nothing to compare with: ", err)
	}
}

func TestGenerateIsReproducible(t *testing.T) {
	needPinnedVersion(t)
	want, err := os.ReadFile("../tables.go")
	if err != nil {
		t.Fatal(err)
	}
	got, err := generate()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("tables.go is not what the generator writes")
	}
}

// conversions pairs each function with its peer in x/text.
var conversions = []struct {
	name string
	ours func([]byte) []byte
	peer func(string) string
}{
	{"NFC", unicode15.NFC, norm.NFC.String},
	{"Lower", unicode15.Lower, lower},
	{"Upper", unicode15.Upper, upper},
	{"CaseFold", unicode15.CaseFold, fold},
}

func TestEveryCodePointLikeXText(t *testing.T) {
	needPinnedVersion(t)
	codePoints(func(r rune) {
		for _, c := range conversions {
			if got, want := string(c.ours([]byte(string(r)))), c.peer(string(r)); got != want {
				t.Errorf("%s(%U) = %+q, want %+q", c.name, r, got, want)
			}
		}
		if _, ok := unicode15.DigitValue(r); ok != unicode.Is(unicode.Nd, r) {
			t.Errorf("DigitValue(%U): %v", r, ok)
		}
		if got := unicode15.IsSpace(r); got != unicode.Is(unicode.White_Space, r) {
			t.Errorf("IsSpace(%U) = %v", r, got)
		}
		if got := unicode15.IsAlnum(r); got == unicode.In(r, unicode.P, unicode.S, unicode.Z, unicode.Cc, unicode.Cf) {
			t.Errorf("IsAlnum(%U) = %v", r, got)
		}
	})
}

// Package unicode knows simple folding from another file of the database than
// cases.Fold does; what is one orbit there must fold alike here.
func TestFoldingLikeSimpleFold(t *testing.T) {
	needPinnedVersion(t)
	codePoints(func(r rune) {
		want := unicode15.CaseFold([]byte(string(r)))
		for o := unicode.SimpleFold(r); o != r; o = unicode.SimpleFold(o) {
			if got := unicode15.CaseFold([]byte(string(o))); !bytes.Equal(got, want) {
				t.Errorf("%U folds to %+q, %U to %+q", r, want, o, got)
			}
		}
	})
}

// Texts are short enough that x/text meets no run of thirty marks, where it
// would insert U+034F.
func TestRandomTextsLikeXText(t *testing.T) {
	needPinnedVersion(t)
	var alphabet []rune
	codePoints(func(r rune) {
		s := string(r)
		switch {
		case isHangulSyllable(r) && r%97 != 0: // a few of 11,172
		case norm.NFD.String(s) != s, !norm.NFC.PropertiesString(s).BoundaryBefore(), fold(s) != s:
			alphabet = append(alphabet, r)
		}
	})
	for _, p := range pairs() {
		alphabet = append(alphabet, p.first, p.second, p.second)
	}
	random := rand.New(rand.NewPCG(15, 0))
	for range 200_000 {
		in := make([]rune, 1+random.IntN(8))
		for i := range in {
			in[i] = alphabet[random.IntN(len(alphabet))]
			if random.IntN(8) == 0 {
				in[i] = rune(random.IntN(0xD800))
			}
		}
		for _, c := range conversions {
			got := string(c.ours([]byte(string(in))))
			want := c.peer(string(in))
			if got != want {
				t.Fatalf("%s(%+q) = %+q, want %+q", c.name, string(in), got, want)
			}
		}
	}
}

func TestEveryPairLikeXText(t *testing.T) {
	needPinnedVersion(t)
	firsts, seconds := map[rune]bool{'a': true, 0x1100: true, 0xAC00: true, 0xAC01: true}, map[rune]bool{0x1161: true, 0x11A7: true, 0x11A8: true}
	for _, p := range pairs() {
		firsts[p.first], firsts[p.composite], seconds[p.second] = true, true, true
	}
	for first := range firsts {
		for second := range seconds {
			in := string([]rune{first, second})
			if got, want := string(unicode15.NFC([]byte(in))), norm.NFC.String(in); got != want {
				t.Errorf("NFC(%+q) = %+q, want %+q", in, got, want)
			}
		}
	}
}
