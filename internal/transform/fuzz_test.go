package transform

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzParse(f *testing.F) {
	for _, vectors := range [][]string{
		{"lower", "digits|last(4)", "fold|trim", "first(1000)", "mrn_v1", ""},
		{"|", "first(01)", "first(", "trim()", "last(99999999999999999999)", "\xFF|trim"},
	} {
		for _, spec := range vectors {
			f.Add(spec, "Ab 12")
		}
	}
	f.Fuzz(func(t *testing.T, spec, in string) {
		p, err := Parse(spec, customs{"mrn_v1": identity})
		if err != nil {
			if p != nil || !errors.Is(err, ErrPipeline) {
				t.Fatalf("Parse(%q) = %v, %v", spec, p, err)
			}
			return
		}
		if p.String() != spec {
			t.Fatalf("Parse(%q).String() = %q", spec, p)
		}
		check(t, p, in)
	})
}

// check applies p and returns what it made of in, nil if in is not UTF-8.
func check(t *testing.T, p *Pipeline, in string) []byte {
	t.Helper()
	out, err := p.Apply(nil, in)
	if !utf8.ValidString(in) {
		if !errors.Is(err, ErrInvalidUTF8) || out != nil {
			t.Fatalf("%v: %q gives %q, %v", p, in, out, err)
		}
		return nil
	}
	if err != nil || !utf8.Valid(out) {
		t.Fatalf("%v: %+q gives %q, %v", p, in, out, err)
	}
	tight, err := p.Apply([]byte("dst"), in)
	if err != nil || string(tight) != "dst"+string(out) {
		t.Fatalf("%v: %+q gives %q, appended %q, %v", p, in, out, tight, err)
	}
	return out
}

// fuzz checks one transform: no panic, valid UTF-8, the same when applied to
// its own result, and what keep says of input and output.
func fuzz(f *testing.F, spec string, keep func(in, out string) bool) {
	for _, seed := range []string{
		"", " MRN-1042 ", "4111 1111 1111 1111", "Jose\u0301 Stra\u00DFe \u0130", "\u1112\u1161\u11AB\uAC00\u11A8",
		"\u1E9B\u0323 \u1FB4\u0345\u0323", "\u0301\u0323a", "\u0958\u0344\u212B", "\U0001D15E\U00011131\U00011127",
		"\u3000\u0661\u06F2\u200B", "a\xFFb", "\xED\xA0\x80", "a" + strings.Repeat("\u0301\u0323", 40), "\u1C89\U00010D69",
	} {
		f.Add(seed)
	}
	p := mustParse(f, spec, nil)
	f.Fuzz(func(t *testing.T, in string) {
		out := check(t, p, in)
		if out == nil {
			return
		}
		if again := check(t, p, string(out)); !bytes.Equal(again, out) {
			t.Fatalf("%v: %+q gives %+q, and again %+q", p, in, out, again)
		}
		if !keep(in, string(out)) {
			t.Fatalf("%v: %+q gives %+q", p, in, out)
		}
	})
}

func always(in, out string) bool { return true }

func isPart(in, out string) bool { return strings.Contains(in, out) }

func isShort(n int) func(in, out string) bool {
	return func(in, out string) bool {
		return strings.Contains(in, out) && utf8.RuneCountInString(out) == min(n, utf8.RuneCountInString(in))
	}
}

func FuzzLower(f *testing.F) { fuzz(f, "lower", always) }
func FuzzUpper(f *testing.F) { fuzz(f, "upper", always) }
func FuzzNFC(f *testing.F)   { fuzz(f, "nfc", always) }
func FuzzFold(f *testing.F)  { fuzz(f, "fold", always) }
func FuzzTrim(f *testing.F)  { fuzz(f, "trim", isPart) }
func FuzzFirst(f *testing.F) { fuzz(f, "first(4)", isShort(4)) }
func FuzzLast(f *testing.F)  { fuzz(f, "last(4)", isShort(4)) }
func FuzzDigits(f *testing.F) {
	fuzz(f, "digits", func(_, out string) bool { return strings.Trim(out, "0123456789") == "" })
}
func FuzzAlnum(f *testing.F) {
	fuzz(f, "alnum", func(in, out string) bool { return len(out) <= len(in) && !strings.ContainsAny(out, " -./()") })
}
