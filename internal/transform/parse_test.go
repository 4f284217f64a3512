package transform

import (
	"errors"
	"strings"
	"testing"
)

func identity(s string) (string, error) { return s, nil }

type customs = map[string]func(string) (string, error)

func TestParseKeepsTheSpecification(t *testing.T) {
	for _, spec := range []string{
		"lower", "digits|last(4)", "fold|trim", "first(1)", "last(1000)", "mrn_v1", "trim|mrn_v1|upper", "trim|trim",
	} {
		p, err := Parse(spec, customs{"mrn_v1": identity})
		if err != nil {
			t.Errorf("Parse(%q): %v", spec, err)
		} else if p.String() != spec {
			t.Errorf("Parse(%q).String() = %q", spec, p)
		}
	}
}

func TestParseErrorNamesTheTransform(t *testing.T) {
	const all = "alnum, digits, first(n), fold, last(n), lower, nfc, trim, upper, mrn_v1"
	for _, tc := range []struct{ name, spec, want string }{
		{"empty", "", "empty; there are " + all},
		{"unknown", "trim|soundex", `"trim|soundex": unknown transform "soundex"; there are ` + all},
		{"unknown with a count", "left(4)", `unknown transform "left"; there are ` + all},
		{"unknown version of a custom one", "mrn_v2", `unknown transform "mrn_v2"; there are ` + all},
		{"wrong case", "Trim", `unknown transform "Trim"`},
		{"space", "trim| fold", `unknown transform " fold"`},
		{"empty member", "trim||fold", `unknown transform ""`},
		{"trailing bar", "trim|", `unknown transform ""`},
		{"comma", "trim,fold", `unknown transform "trim,fold"`},
		{"count missing", "digits|last", `"last": write last(n) with n from 1 to 1000`},
		{"count empty", "first()", `"first()": write first(n)`},
		{"count zero", "first(0)", `"first(0)": write first(n)`},
		{"count too big", "first(1001)", `"first(1001)": write first(n)`},
		{"count overflows", "first(18446744073709551617)", `write first(n)`},
		{"count signed", "first(+4)", `"first(+4)": write first(n)`},
		{"count with a leading zero", "first(04)", `"first(04)": write first(n)`},
		{"count in other digits", "first(\u0664)", `write first(n)`},
		{"parenthesis open", "first(4", `"first(4": write first(n)`},
		{"text behind", "first(4)x", `"first(4)x": write first(n)`},
		{"two counts", "first(4)(5)", `write first(n)`},
		{"count where none belongs", "trim(4)", `"trim(4)": trim takes no argument`},
		{"empty count where none belongs", "trim()", `"trim()": trim takes no argument`},
		{"count on a custom one", "mrn_v1(4)", `"mrn_v1(4)": mrn_v1 takes no argument`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, err := Parse(tc.spec, customs{"mrn_v1": identity})
			if p != nil || !errors.Is(err, ErrPipeline) {
				t.Fatalf("Parse(%q) = %v, %v", tc.spec, p, err)
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Parse(%q): %q does not say %q", tc.spec, err, tc.want)
			}
		})
	}
}

func TestCustomTransformsNeedAVersionedName(t *testing.T) {
	for _, name := range []string{"mrn_v1", "m_v0", "a1_b2_v34", "a__v1", "x_v1_v2", "fold_v2", "first_v1"} {
		if _, err := Parse("trim", customs{name: identity}); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		if _, err := Parse(name, customs{name: identity}); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{
		"", "mrn", "mrn_v", "mrn_v1a", "mrnv1", "_v1", "1_v1", "_a_v1", "Mrn_v1", "mrn_V1", "mrn-x_v1", "mrn v_v1",
		"mrn_v1 ", "m|n_v1", "m(n_v1", "\u00E9_v1", "mrn_v\u0661", "mrn_v-1",
	} {
		_, err := Parse("trim", customs{"ok_v1": identity, name: identity})
		if !errors.Is(err, ErrPipeline) || !strings.Contains(err.Error(), `"mrn_v1"`) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestCustomTransformsMayNotShadowBuiltins(t *testing.T) {
	for _, b := range builtins {
		_, err := Parse("trim", customs{b.name: identity})
		if !errors.Is(err, ErrPipeline) || !strings.Contains(err.Error(), "built-in") {
			t.Errorf("%s: %v", b.name, err)
		}
	}
}

func TestCustomTransformMayNotBeNil(t *testing.T) {
	for _, spec := range []string{"trim", "mrn_v1"} {
		if _, err := Parse(spec, customs{"mrn_v1": nil}); !errors.Is(err, ErrPipeline) {
			t.Errorf("Parse(%q): %v", spec, err)
		}
	}
}
