package drivertest

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"time"

	"github.com/fieldcrypt/go/fieldcrypt"
)

func ptr[T any](v T) *T { return &v }

// fullValues has something in every field.
func fullValues(id int64) Values {
	zone := time.FixedZone("", 3*3600+1800)
	return Values{
		ID: id, Text: "x", Bytes: []byte{0, 0xFC, 1}, Int: math.MinInt64, Uint: math.MaxUint64, Small: -128, Level: -7,
		Grade: "A+", Bool: true, Float: math.Inf(-1), Float32: math.SmallestNonzeroFloat32,
		Time: time.Date(1931, 2, 28, 0, 0, 0, 123456789, zone),
		UUID: [16]byte{1, 2, 15: 16}, Addr: netip.MustParseAddr("fe80::1"), Big: *new(big.Int).Lsh(big.NewInt(1), 90),
		URL: url.URL{Scheme: "https", Host: "example.org", Path: "/a b"},
		Raw: json.RawMessage(`{"a": [1, null]}`), Address: Address{"Hafenstraße 1", []string{"c/o"}},
		List: []string{"a", ""}, Map: map[string]string{"k": "v"}, Any: map[string]any{"n": 1.5},
		TextPtr: ptr("p"), IntPtr: ptr(int64(0)), TimePtr: ptr(time.Unix(0, 0).UTC()), Struct: &Address{Street: "s"},
		NullText: sql.NullString{String: "n", Valid: true}, NullInt: sql.NullInt64{Int64: -1, Valid: true},
		NullTime: sql.Null[time.Time]{V: time.Unix(1, 0).UTC(), Valid: true},
		NullJSON: sql.Null[json.RawMessage]{V: json.RawMessage(`null`), Valid: true},
	}
}

// types: every Go type comes back as it went in, at its bounds too.
func (s *suite) types() {
	long := Values{ID: 3, Text: strings.Repeat("ß", 1<<19), Bytes: bytes.Repeat([]byte{0xFC, 1}, 1<<19), Time: time.Unix(1<<40, 0).UTC()}
	long.Raw = json.RawMessage(`"x"`)
	for _, want := range []Values{
		fullValues(1),
		{ID: 2, Raw: json.RawMessage(`{}`), Text: "a\x00b", Int: math.MaxInt64, Uint: math.MaxInt64, Float: math.MaxFloat64, Level: math.MaxInt16},
		long,
	} {
		row := want
		s.ok(s.Insert(s.ctx, &row))
		s.same("after Insert", row, want)
		var got Values
		s.ok(s.Get(s.ctx, &got, want.ID))
		s.same("after Get", got, want)
	}
	nan := Values{ID: 4, Float: math.NaN(), Raw: json.RawMessage(`0`)}
	s.ok(s.Insert(s.ctx, &nan))
	var got Values
	s.ok(s.Get(s.ctx, &got, 4))
	if !math.IsNaN(got.Float) {
		s.Errorf("NaN came back as %v", got.Float)
	}
	if err := s.Get(s.ctx, &got, 99); !errors.Is(err, ErrNoRow) {
		s.Errorf("Get of no row: %v", err)
	}
}

// same compares rows; times must be of one instant and one offset, and floats of
// the same bits.
func (s *suite) same(what string, got, want any) {
	s.Helper()
	g, w := reflect.ValueOf(got), reflect.ValueOf(want)
	for i := range w.NumField() {
		a, b := g.Field(i).Interface(), w.Field(i).Interface()
		if t, ok := a.(time.Time); ok {
			_, offset := t.Zone()
			_, wantOffset := b.(time.Time).Zone()
			if t.Equal(b.(time.Time)) && offset == wantOffset {
				continue
			}
		} else if f := g.Field(i); f.CanFloat() {
			if math.Float64bits(f.Float()) == math.Float64bits(w.Field(i).Float()) {
				continue
			}
		} else if reflect.DeepEqual(a, b) {
			continue
		}
		s.Errorf("%s: field %s differs (%.60v, want %.60v)", what, w.Type().Field(i).Name, a, b)
	}
}

// nulls: NULL, an empty value and a zero are three things, in both directions.
func (s *suite) nulls() {
	nothing := Values{ID: 1, Raw: nil, Bytes: nil, List: nil, Map: nil, Any: nil}
	empty := Values{
		ID: 2, Raw: json.RawMessage(`null`), Bytes: []byte{}, List: []string{}, Map: map[string]string{},
		TextPtr: ptr(""), IntPtr: ptr(int64(0)), TimePtr: &time.Time{}, Struct: &Address{},
		NullText: sql.NullString{Valid: true}, NullInt: sql.NullInt64{Valid: true},
		NullTime: sql.Null[time.Time]{Valid: true}, NullJSON: sql.Null[json.RawMessage]{V: json.RawMessage(`0`), Valid: true},
	}
	for _, want := range []Values{nothing, empty} {
		row := want
		s.ok(s.Insert(s.ctx, &row))
		got := fullValues(9) // what was there before must go
		s.ok(s.Get(s.ctx, &got, want.ID))
		s.same("after Get", got, want)
	}
	for _, column := range []string{"v_raw", "v_bytes", "v_list", "v_map", "v_any", "v_text_ptr", "v_int_ptr", "v_time_ptr", "v_struct_ptr", "v_null_text", "v_null_int", "v_null_time", "v_null_json"} {
		if b := s.stored(valueRows, column, 1); b != nil {
			s.Errorf("NULL in %s is stored as %d bytes", column, len(b))
		}
		if column != "v_any" && s.stored(valueRows, column, 2) == nil {
			s.Errorf("an empty value in %s is stored as NULL", column)
		}
	}
	for _, column := range []string{"v_text", "v_int", "v_bool", "v_time"} {
		if s.stored(valueRows, column, 1) == nil {
			s.Errorf("a zero in %s is stored as NULL", column)
		}
	}
	if b := s.stored(valueRows, "v_bytes_bidx", 1); b != nil {
		s.Error("NULL has an index")
	}
	// There and back again.
	change := Values{ID: 1, TextPtr: ptr("now"), NullText: sql.NullString{String: "now", Valid: true}}
	s.ok(s.Update(s.ctx, &change, "TextPtr", "NullText"))
	change.TextPtr = nil
	s.ok(s.Update(s.ctx, &change, "TextPtr"))
	got := fullValues(9)
	s.ok(s.Get(s.ctx, &got, 1))
	if got.TextPtr != nil || got.NullText.String != "now" {
		s.Errorf("after updates to and from NULL: %v, %v", got.TextPtr, got.NullText)
	}
	if s.stored(valueRows, "v_text_ptr", 1) != nil || s.stored(valueRows, "v_text_ptr_bidx", 1) != nil {
		s.Error("NULL left a value or its index behind")
	}
}

// badText: what is no text is refused, and the row with it.
func (s *suite) badText() {
	bad := person(1)
	bad.Name = "caf\xe9"
	s.fails("Insert of invalid UTF-8", s.Insert(s.ctx, &bad), fieldcrypt.ErrWrongType)
	if bad.Name != "caf\xe9" {
		s.Error("the caller's struct was changed")
	}
	if err := s.Get(s.ctx, &Person{}, 1); !errors.Is(err, ErrNoRow) {
		s.Errorf("the row was stored: %v", err)
	}
	headed := person(2)
	headed.Name = "ü\x01 begins like a stored value"
	s.ok(s.Insert(s.ctx, &headed))
	s.same("after Get", s.getPerson(2), headed)
}
