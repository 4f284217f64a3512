package drivertest

import (
	"database/sql"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// badInput: odd values come back exactly as they were, and are found.
func (s *suite) badInput() {
	first := fullValues(1)
	s.ok(s.Insert(s.ctx, &first))
	kept := map[int64]Values{1: first}
	for i, want := range s.oddValues() {
		want.ID = int64(i) + 2
		if want.Raw == nil {
			want.Raw = json.RawMessage(`0`)
		}
		kept[want.ID] = want
		row := want
		if err := s.Insert(s.ctx, &row); err != nil {
			s.Errorf("row %d: %v", want.ID, err)
			continue
		}
		s.same("the caller's row", row, want)
		for field, value := range map[string]any{"Text": want.Text, "Bytes": want.Bytes, "Int": want.Int, "Uint": want.Uint, "Grade": want.Grade, "Time": want.Time} {
			if reflect.ValueOf(value).IsZero() {
				continue // most rows have it
			}
			if got := foundOf[Values](s, s.ctx, field, value); !slices.Contains(got, want.ID) {
				s.Errorf("by %s row %d is not found, but %v", field, want.ID, got)
			}
		}
	}
	for id, want := range kept { // nothing was lost meanwhile
		got := fullValues(99)
		s.ok(s.Get(s.ctx, &got, id))
		s.same("the row", got, want)
	}
	if got := foundOf[Values](s, s.ctx, "TextPtr", ""); !slices.Equal(got, []int64{3}) {
		s.Errorf("an empty text is found in %v", got) // and not NULL
	}
	if got := foundOf[Values](s, s.ctx, "NullText", ""); !slices.Equal(got, []int64{3}) {
		s.Errorf("an empty text is found in %v", got)
	}
	s.oddPeople()
}

// oddValues are rows of values that something might take for something else. The
// second has an empty value wherever NULL can be.
func (s *suite) oddValues() []Values {
	sealed := s.stored(valueRows, "v_bytes", 1)
	mebibyte := strings.Repeat("x", 1<<20)
	far := time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.FixedZone("", 24*3600-1))
	negative := math.Copysign(0, -1)
	rows := []Values{
		{Bytes: []byte{0xFC, 1}, NullText: sql.NullString{String: "NULL", Valid: true}, Grade: "NULL"},
		{
			Bytes: []byte{}, List: []string{}, Map: map[string]string{}, Any: []any{}, TextPtr: ptr(""), IntPtr: ptr(int64(0)), TimePtr: &time.Time{},
			Struct: &Address{Lines: []string{}}, NullText: sql.NullString{Valid: true}, NullInt: sql.NullInt64{Valid: true},
			NullTime: sql.Null[time.Time]{Valid: true}, NullJSON: sql.Null[json.RawMessage]{V: json.RawMessage(`""`), Valid: true},
		},
		{Bytes: sealed, Text: string([]rune{0xFC, 1, 1}), Any: "\\xfc01"}, // a value is sealed again, whatever it looks like
		{Bytes: sealed[:20], Text: "\x00", Grade: "\x00\x00", TextPtr: ptr("a\x00"), Map: map[string]string{"\x00": "\x00"}, Address: Address{Street: "\x00"}},
		{Bytes: []byte(mebibyte), Text: mebibyte, Grade: Grade(mebibyte), List: []string{mebibyte}, Raw: json.RawMessage(`"` + mebibyte + `"`)},
		{Text: "'; DROP TABLE drivertest_values; --", Grade: `\\x41 $1 ? %s`, Bytes: []byte(`\x41`), Any: map[string]any{"$1": "?"}},
		{Int: math.MinInt64, Uint: math.MaxUint64, Small: math.MinInt8, Level: math.MinInt16, IntPtr: ptr(int64(math.MaxInt64)), NullInt: sql.NullInt64{Int64: math.MinInt64, Valid: true}},
		{Int: math.MaxInt64, Uint: math.MaxInt64, Small: math.MaxInt8, Level: math.MaxInt16},
		{Int: -1, Uint: math.MaxInt64 + 1, Float: negative, Float32: float32(negative)},
		{Float: math.Inf(1), Float32: float32(math.Inf(-1)), Time: far, TimePtr: &time.Time{}, NullTime: sql.Null[time.Time]{V: far.UTC(), Valid: true}},
		{Float: math.NaN(), Float32: float32(math.NaN()), Time: time.Date(-4713, 1, 1, 0, 0, 0, 1, time.UTC)},
		{Float: math.Float64frombits(0xFFF8_0000_0000_0001), Time: time.Unix(math.MaxInt64, 0).UTC()},
		{Float: math.SmallestNonzeroFloat64, Float32: -math.MaxFloat32, Time: time.Unix(math.MinInt64, 999_999_999).UTC()},
		{Any: deep(5000), Raw: json.RawMessage(strings.Repeat("[", 5000) + strings.Repeat("]", 5000))},
		{Text: "\uFFFD\u202E\u200B\U0010FFFF", Any: "\uFFFD", Map: map[string]string{"": ""}},
	}
	return rows
}

// deep is JSON in n brackets.
func deep(n int) (v any) {
	v = []any{}
	for range n - 1 {
		v = []any{v}
	}
	return v
}

// oddPeople: the same where a transform stands before the index.
func (s *suite) oddPeople() {
	for i, name := range []string{"", "\x00", " \u00a0 ", "ß\u0301" + strings.Repeat("İ", 1<<17), "\U0010FFFF"} {
		p := person(int64(i) + 1)
		p.Name, p.Notes = name, &name
		want := p
		s.ok(s.Insert(s.ctx, &p))
		s.same("the caller's row", p, want)
		s.same("the row", s.getPerson(want.ID), want)
		if got := s.found("Name", name); !slices.Equal(got, []int64{want.ID}) {
			s.Errorf("row %d is not found by its name, but %v", want.ID, got)
		}
	}
}

// badInputRefused: what could not be read again is refused, wherever it stands,
// and no row is written, changed or lost.
func (s *suite) badInputRefused() {
	good := []Values{fullValues(1), {ID: 2, Raw: json.RawMessage(`0`)}}
	s.ok(s.InsertMany(s.ctx, &good))
	before := s.bytes()
	const noText = "caf\xe9"
	for what, bad := range map[string]struct {
		field string
		row   Values
	}{
		"invalid UTF-8":               {"Text", Values{Text: noText}},
		"our header as text":          {"Text", Values{Text: "\xFC\x01"}},
		"invalid UTF-8, named":        {"Grade", Values{Grade: noText}},
		"invalid UTF-8 by pointer":    {"TextPtr", Values{TextPtr: ptr(noText)}},
		"invalid UTF-8 that is valid": {"NullText", Values{NullText: sql.NullString{String: noText, Valid: true}}},
		"invalid UTF-8 in a struct":   {"Address", Values{Address: Address{Street: noText}}},
		"invalid UTF-8 in a list":     {"List", Values{List: []string{noText}}},
		"invalid UTF-8 as a key":      {"Map", Values{Map: map[string]string{noText: ""}}},
		"half a surrogate":            {"Text", Values{Text: "\xED\xA0\x80"}},
		"cut-off JSON":                {"Raw", Values{Raw: json.RawMessage(`{"a":`)}},
		"empty JSON":                  {"Raw", Values{Raw: json.RawMessage{}}},
		"JSON that is too deep":       {"Any", Values{Any: deep(20000)}},
		"a number that JSON rounds":   {"Any", Values{Any: int64(1<<53 + 1)}},
		"NaN in JSON":                 {"Any", Values{Any: []any{math.NaN()}}},
		"a function":                  {"Any", Values{Any: func() {}}},
		"a zone of a day":             {"Time", Values{Time: time.Unix(0, 0).In(time.FixedZone("", 24*3600))}},
	} {
		if bad.field != "Raw" {
			bad.row.Raw = json.RawMessage(`0`)
		}
		row := bad.row
		row.ID = 3
		s.fails("Insert of "+what, s.Insert(s.ctx, &row), fieldcrypt.ErrWrongType)
		rows := []Values{fullValues(4), row, fullValues(5)}
		s.fails("InsertMany of "+what, s.InsertMany(s.ctx, &rows), fieldcrypt.ErrWrongType)
		row.ID = 1
		s.fails("Update to "+what, s.Update(s.ctx, &row, bad.field), fieldcrypt.ErrWrongType)
		s.unchanged(what, before)
	}
	var rows []Values
	for field, value := range map[string]any{"Text": noText, "Grade": noText, "Uint": -1, "Time": "yesterday", "Addr": "300.1.1.1", "UUID": []byte{1}} {
		s.fails("Find by a value that no "+field+" is", s.Find(s.ctx, &rows, field, value), fieldcrypt.ErrWrongType)
	}
	if err := s.Get(s.ctx, &Values{}, 3); !errors.Is(err, ErrNoRow) {
		s.Errorf("a row was stored: %v", err)
	}
	s.same("a row", getOf[Values](s, s.ctx, 1), fullValues(1))
	s.same("another row", getOf[Values](s, s.ctx, 2), Values{ID: 2, Raw: json.RawMessage(`0`)})
}
