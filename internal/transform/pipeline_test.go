package transform

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
)

func mustParse(t testing.TB, spec string, custom customs) *Pipeline {
	t.Helper()
	p, err := Parse(spec, custom)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestWhatUsersTypeDifferentlyMatches(t *testing.T) {
	for _, tc := range []struct{ spec, a, b string }{
		{"digits", "4111 1111 1111 1111", "4111-1111-1111-1111"},
		{"digits|last(4)", "4111 1111 1111 1234", "1234"},
		{"digits", "\u0661\u0662\u0663", "123"},
		{"alnum", "AB-12 34", "AB1234"},
		{"alnum|fold", "ab.12/34", "AB1234"},
		{"trim|lower", " Jane@Example.com\n", "jane@example.COM"},
		{"fold|trim", "\u00A0STRASSE", "stra\u00DFe "},
		{"fold", "Jose\u0301", "JOS\u00C9"},
		{"fold", "\u1112\u1161\u11AB", "\uD55C"},
		{"nfc", "\u212B", "A\u030A"},
		{"fold|first(3)", "M\u00FCller", "mu\u0308ll"},
	} {
		p := mustParse(t, tc.spec, nil)
		a, errA := p.Apply(nil, tc.a)
		b, errB := p.Apply(nil, tc.b)
		if errA != nil || errB != nil || string(a) != string(b) || len(a) == 0 {
			t.Errorf("%s: %+q and %+q give %+q and %+q (%v, %v)", tc.spec, tc.a, tc.b, a, b, errA, errB)
		}
	}
}

func TestWhatDiffersStaysApart(t *testing.T) {
	for _, tc := range []struct{ spec, a, b string }{
		{"alnum", "ab12", "AB12"},
		{"lower", "\u00E9", "e\u0301"},
		{"fold", "I\u0131", "Ii"},
		{"fold", "e", "\u00E9"},
		{"trim", "\u200Bx", "x"},
		{"alnum", "a\u1C89", "a"}, // a letter of Unicode 16
	} {
		p := mustParse(t, tc.spec, nil)
		a, errA := p.Apply(nil, tc.a)
		b, errB := p.Apply(nil, tc.b)
		if errA != nil || errB != nil || string(a) == string(b) {
			t.Errorf("%s: %+q and %+q give %+q and %+q (%v, %v)", tc.spec, tc.a, tc.b, a, b, errA, errB)
		}
	}
}

func TestApplyRunsCustomTransformsInOrder(t *testing.T) {
	custom := customs{
		"prefix_v1": func(s string) (string, error) { return "P-" + s, nil },
		"twice_v2":  func(s string) (string, error) { return s + s, nil },
	}
	for spec, want := range map[string]string{
		"prefix_v1|twice_v2|lower": "p-ab p-ab ",
		"trim|twice_v2|prefix_v1":  "P-AbAb",
		"twice_v2|last(1)":         " ",
	} {
		if got, err := mustParse(t, spec, custom).Apply([]byte("|"), "Ab "); err != nil || string(got) != "|"+want {
			t.Errorf("%s: %q, %v, want %q", spec, got, err, "|"+want)
		}
	}
}

func TestApplyAppends(t *testing.T) {
	for _, b := range builtins {
		spec := b.name
		if b.count != nil {
			spec += "(3)"
		}
		p := mustParse(t, spec, nil)
		for _, in := range []string{"", "  Ab 12 ", "\u00C4o\u0308\u1E9E\u0130 \u0663"} {
			want, err := p.Apply(nil, in)
			if err != nil {
				t.Fatal(err)
			}
			for _, dst := range [][]byte{[]byte("head"), append(make([]byte, 0, 256), "head"...)} {
				if got, err := p.Apply(dst, in); err != nil || string(got) != "head"+string(want) {
					t.Errorf("%s: %+q appended to head gives %+q, %v; alone %+q", spec, in, got, err, want)
				}
				if string(dst) != "head" {
					t.Errorf("%s: wrote over dst: %q", spec, dst)
				}
			}
		}
	}
}

const canary = "canary-4711"

func TestErrorsDoNotQuoteTheText(t *testing.T) {
	errOwn := errors.New("check digit of " + canary)
	custom := customs{
		"number_v1": func(s string) (string, error) { _, err := strconv.Atoi(s); return s, err },
		"own_v1":    func(s string) (string, error) { return s, fmt.Errorf("wrapped: %w", errOwn) },
		"broken_v1": func(s string) (string, error) { return s + "\xFF", nil },
	}
	for _, tc := range []struct {
		spec, in string
		want     []error
	}{
		{"trim", canary + "\xFF", []error{ErrInvalidUTF8}},
		{"number_v1", canary + "\xFF", []error{ErrInvalidUTF8}},
		{"broken_v1", canary, []error{ErrInvalidUTF8}},
		{"broken_v1|fold", canary, []error{ErrInvalidUTF8}},
		{"number_v1", canary, []error{ErrRefused, strconv.ErrSyntax}},
		{"trim|own_v1|fold", canary, []error{ErrRefused, errOwn}},
	} {
		out, err := mustParse(t, tc.spec, custom).Apply(nil, tc.in)
		if out != nil {
			t.Errorf("%s: gave a text with the error", tc.spec)
		}
		for _, want := range tc.want {
			if !errors.Is(err, want) {
				t.Errorf("%s: %v is not %v", tc.spec, err, want)
			}
		}
		for e := err; e != nil; e = errors.Unwrap(e) {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
				if printed := fmt.Sprintf(verb, e); strings.Contains(printed, canary) {
					t.Errorf("%s: %s prints %s", tc.spec, verb, printed)
				}
			}
		}
	}
}

func TestRefusalNamesTheTransform(t *testing.T) {
	_, err := mustParse(t, "mrn_v3", customs{
		"mrn_v3": func(string) (string, error) { return "", errors.New("no") },
	}).Apply(nil, "x")
	if err == nil || !strings.Contains(err.Error(), "mrn_v3") || errors.Is(err, ErrInvalidUTF8) || errors.Is(err, ErrPipeline) {
		t.Errorf("got %v", err)
	}
}

func TestPipelineServesManyGoroutines(t *testing.T) {
	p := mustParse(t, "fold|trim|alnum|last(5)", nil)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				if got, err := p.Apply(nil, " Jose\u0301 Stra\u00DFe "); err != nil || string(got) != "rasse" {
					t.Errorf("got %q, %v", got, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestASCIITakesNoMemory(t *testing.T) {
	for _, spec := range []string{"lower", "upper", "trim", "digits", "alnum", "nfc", "fold", "digits|last(4)", "fold|trim|alnum|first(6)"} {
		p := mustParse(t, spec, nil)
		dst := make([]byte, 0, 64)
		if n := testing.AllocsPerRun(100, func() { dst, _ = p.Apply(dst[:0], " MRN-1042 4111 1111 ") }); n != 0 {
			t.Errorf("%s allocates %v times", spec, n)
		}
	}
}

func BenchmarkApply(b *testing.B) {
	for _, in := range []struct{ name, text string }{
		{"ASCII", "Jane.Doe@Example.com"},
		{"composed", "Jos\u00E9 \u00C5ngstr\u00F6m"},
		{"decomposed", "Jose\u0301 A\u030Angstro\u0308m"},
		{"Han", "\u6B27\u967D\u5A1C\u5A1C\u738B\u5C0F\u660E"},
		{"Cyrillic", "\u0418\u0432\u0430\u043D \u0418\u0432\u0430\u043D\u043E\u0432"},
	} {
		for _, spec := range []string{"fold", "alnum", "digits|last(4)"} {
			b.Run(spec+"/"+in.name, func(b *testing.B) {
				p := mustParse(b, spec, nil)
				dst := make([]byte, 0, 128)
				b.ReportAllocs()
				for b.Loop() {
					dst, _ = p.Apply(dst[:0], in.text)
				}
			})
		}
	}
}
