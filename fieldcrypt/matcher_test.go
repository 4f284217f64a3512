package fieldcrypt_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/fieldcrypt/go/fieldcrypt"
)

type matched struct {
	Name string  `fieldcrypt:"medical"`
	Age  *int64  `fieldcrypt:"medical"`
	Note *string `fieldcrypt:"medical"`
}

func (matched) FieldcryptIndexes() []fieldcrypt.Index {
	return []fieldcrypt.Index{
		{Column: "both_bidx", Parts: []fieldcrypt.Part{{Field: "Name", Transform: "fold|trim"}, {Field: "Age"}}, Bits: 1},
		{Column: "note_bidx", Parts: []fieldcrypt.Part{{Field: "Note", Transform: "digits|last(4)"}}, Bits: 3},
		{Column: "whole_bidx", Parts: []fieldcrypt.Part{{Field: "Name", Transform: "digits"}}},
	}
}

func TestMatcherTellsWhatMatches(t *testing.T) {
	fc := newCrypter(t)
	m, err := fc.Model(matched{})
	if err != nil {
		t.Fatal(err)
	}
	both, note := m.Indexes[0], m.Indexes[1]
	search, err := fc.Matcher(t.Context(), both, fieldcrypt.Row{}, "  ÅDA ", "42")
	if err != nil {
		t.Fatal(err)
	}
	terms, err := fc.Terms(t.Context(), both, fieldcrypt.Row{}, "åda", 42)
	if err != nil || !slices.EqualFunc(search.Terms(), terms, slices.Equal[[]byte]) || len(terms) != 1 || len(terms[0]) != 5 {
		t.Errorf("terms %x, want %x: %v", search.Terms(), terms, err)
	}
	for _, c := range []struct {
		name string
		age  *int64
		want bool
	}{
		{"Åda", pointerTo[int64](42), true},
		{"A\u030Ada\t", pointerTo[int64](42), true},
		{"Åda", pointerTo[int64](43), false},
		{"Ada", pointerTo[int64](42), false},
		{"Åda", nil, false},
		{"", pointerTo[int64](42), false},
	} {
		got, err := search.Matches(reflect.ValueOf(c.name), reflect.ValueOf(c.age))
		if err != nil || got != c.want {
			t.Errorf("%q: %v, %v", c.name, got, err)
		}
	}
	search, err = fc.Matcher(t.Context(), note, fieldcrypt.Row{}, "99 4242")
	if err != nil {
		t.Fatal(err)
	}
	for value, want := range map[*string]bool{pointerTo("7391 4242"): true, pointerTo("4242"): true, pointerTo("42421"): false, pointerTo("none"): false, nil: false} {
		if got, err := search.Matches(reflect.ValueOf(value)); err != nil || got != want {
			t.Errorf("%v, %v, want %v", got, err, want)
		}
	}
}

func TestMatcherRefuses(t *testing.T) {
	fc := newCrypter(t)
	m, err := fc.Model(matched{})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		index  int
		values []any
		want   error
	}{
		"too few":      {0, []any{"Zebra"}, fieldcrypt.ErrUnsearchable},
		"too many":     {0, []any{"Zebra", 1, 2}, fieldcrypt.ErrUnsearchable},
		"NULL":         {0, []any{"Zebra", nil}, fieldcrypt.ErrUnsearchable},
		"nothing left": {1, []any{"Zebra"}, fieldcrypt.ErrUnsearchable},
		"a wrong type": {0, []any{"Zebra", "Zebra"}, fieldcrypt.ErrWrongType},
	} {
		_, err := fc.Matcher(t.Context(), m.Indexes[c.index], fieldcrypt.Row{}, c.values...)
		if e := (*fieldcrypt.Error)(nil); !errors.Is(err, c.want) || !errors.As(err, &e) || strings.Contains(err.Error(), "Zebra") {
			t.Errorf("%s: %v", name, err)
		}
	}
	search, err := fc.Matcher(t.Context(), m.Indexes[1], fieldcrypt.Row{}, "4242")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := search.Matches(); !errors.Is(err, fieldcrypt.ErrUnsearchable) {
		t.Errorf("no value: %v", err)
	}
	if _, err := search.Matches(reflect.ValueOf("4242")); !errors.Is(err, fieldcrypt.ErrWrongType) {
		t.Errorf("a value of another type: %v", err)
	}
}

func TestMatcherPrintsNothing(t *testing.T) {
	fc := newCrypter(t)
	m, err := fc.Model(matched{})
	if err != nil {
		t.Fatal(err)
	}
	search, err := fc.Matcher(t.Context(), m.Indexes[0], fieldcrypt.Row{}, "Zebra", 7391)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%v %+v %#v %s %x %v", search, search, search, search, search, []any{search})
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "m", search)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "m", search)
	b, err := json.Marshal(search)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(b)
	// fold makes lower case of it
	if s := strings.ToLower(out.String()); strings.Contains(s, "zebra") || strings.Contains(s, fmt.Sprintf("%x", "zebra")) || strings.Contains(s, "1cdf") || !strings.Contains(s, "both_bidx") {
		t.Errorf("printed %s", out.String())
	}
}

func TestWhatAnIndexSaysOfItsParts(t *testing.T) {
	m, err := newCrypter(t).Model(matched{})
	if err != nil {
		t.Fatal(err)
	}
	if both := m.Indexes[0]; !both.Whole() || both.Transform(0) != "fold|trim" || both.Transform(1) != "" {
		t.Errorf("%v, %q, %q", both.Whole(), both.Transform(0), both.Transform(1))
	}
	if m.Indexes[1].Whole() || !m.Indexes[2].Whole() {
		t.Error("Whole is wrong about first and last")
	}
}

func pointerTo[T any](v T) *T { return &v }
