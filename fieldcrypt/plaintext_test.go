package fieldcrypt

import (
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"
)

type (
	namedString string
	namedInt    int16
	namedBytes  []byte
	vitals      struct {
		Pulse int
		Notes []string `json:",omitempty"`
	}
)

func ptr[T any](v T) *T { return &v }

var lisbon = time.FixedZone("", -36*60-45) // a birth in 1911

type plaintextForm struct {
	name  string
	value any
	want  string
}

// Each Go type keeps its stored form for ever: the hex is part of the format.
var plaintextForms = []plaintextForm{
	{"string", "héllo", "0268c3a96c6c6f"},
	{"empty string", "", "02"},
	{"named string", namedString("a"), "0261"},
	{"pointer", ptr("a"), "0261"},
	{"pointer to pointer", ptr(ptr("a")), "0261"},
	{"bytes", []byte{0, 255}, "0100ff"},
	{"empty bytes", []byte{}, "01"},
	{"named bytes", namedBytes{7}, "0107"},
	{"byte array", [4]byte{1, 2, 3, 4}, "0101020304"},
	{"int", 1, "030000000000000001"},
	{"negative int8", int8(-1), "03ffffffffffffffff"},
	{"named int", namedInt(-2), "03fffffffffffffffe"},
	{"min int64", int64(math.MinInt64), "038000000000000000"},
	{"max int64", int64(math.MaxInt64), "037fffffffffffffff"},
	{"uint8", uint8(200), "0300000000000000c8"},
	{"uint64 up to max int64", uint64(math.MaxInt64), "037fffffffffffffff"},
	{"uint64 above max int64", uint64(1 << 63), "048000000000000000"},
	{"max uint64", uint64(math.MaxUint64), "04ffffffffffffffff"},
	{"float64", 1.5, "053ff8000000000000"},
	{"float32", float32(1.5), "053ff8000000000000"},
	{"negative zero", math.Copysign(0, -1), "058000000000000000"},
	{"infinity", math.Inf(1), "057ff0000000000000"},
	{"true", true, "0601"},
	{"false", false, "0600"},
	{"time", time.Date(2026, 2, 3, 4, 5, 6, 7, time.UTC), "0700000000698173f2" + "00000007" + "00000000"},
	{"time before 1970 in a zone", time.Date(1911, 3, 1, 0, 0, 0, 0, lisbon), "07ffffffff91532c1d" + "00000000" + "fffff763"},
	{"zero time", time.Time{}, "07fffffff1886e0900" + "00000000" + "00000000"},
	{"raw JSON", json.RawMessage(`{"a": 1}`), "08" + hex.EncodeToString([]byte(`{"a": 1}`))},
	{"struct", vitals{Pulse: 60}, "08" + hex.EncodeToString([]byte(`{"Pulse":60}`))},
	{"map", map[string]int{"b": 2, "a": 1}, "08" + hex.EncodeToString([]byte(`{"a":1,"b":2}`))},
	{"slice", []string{"x"}, "08" + hex.EncodeToString([]byte(`["x"]`))},
	{"empty slice", []string{}, "08" + hex.EncodeToString([]byte(`[]`))},
	{"array", [2]int{1, 2}, "08" + hex.EncodeToString([]byte(`[1,2]`))},
	{"any", any(map[string]any{"a": true}), "08" + hex.EncodeToString([]byte(`{"a":true}`))},
	{"text marshaler", netip.MustParseAddr("192.0.2.1"), "09" + hex.EncodeToString([]byte("192.0.2.1"))},
	{"text before binary marshaler, by pointer", *big.NewInt(-7), "09" + hex.EncodeToString([]byte("-7"))},
	{"binary marshaler", url.URL{Scheme: "http", Host: "a"}, "0a" + hex.EncodeToString([]byte("http://a"))},
	{"sql.NullString", sql.NullString{String: "a", Valid: true}, "0261"},
	{"sql.NullInt64", sql.NullInt64{Int64: 1, Valid: true}, "030000000000000001"},
	{"sql.NullTime", sql.NullTime{Time: time.Unix(0, 0).UTC(), Valid: true}, "07" + strings.Repeat("00", 16)},
	{"sql.Null", sql.Null[uint16]{V: 1, Valid: true}, "030000000000000001"},
}

// planOf plans the codec of a value; a nil interface is of type any.
func planOf(t *testing.T, v any) *codec {
	t.Helper()
	c, err := planCodec(reflect.TypeOf(v))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestPlaintextFormOfEachGoType(t *testing.T) {
	for _, tc := range plaintextForms {
		t.Run(tc.name, func(t *testing.T) {
			c := planOf(t, tc.value)
			base, null := c.unwrap(reflect.ValueOf(tc.value))
			if null {
				t.Fatal("taken for NULL")
			}
			got, err := c.append(nil, base)
			if err != nil || hex.EncodeToString(got) != tc.want {
				t.Fatalf("got %x, %v; want %s", got, err, tc.want)
			}
			dst := reflect.New(reflect.TypeOf(tc.value)).Elem()
			if err := c.decode(got, dst); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(dst.Interface(), tc.value) {
				t.Errorf("read back %#v; want %#v", dst, tc.value)
			}
			for n := 2; n < 40; n += 7 {
				padded := pad(append([]byte("before"), got...), 6, n)[6:]
				dst.SetZero()
				if len(padded)%n != 0 || len(padded) <= len(got) {
					t.Errorf("padded to %d bytes for %d", len(padded), n)
				}
				if err := c.decode(padded, dst); err != nil || !reflect.DeepEqual(dst.Interface(), tc.value) {
					t.Errorf("padded to %d: %v", n, err)
				}
			}
		})
	}
}

func TestNaNKeepsItsBits(t *testing.T) {
	want := math.Float64frombits(0x7ff8000000000123)
	c := planOf(t, want)
	b, _ := c.append(nil, reflect.ValueOf(want))
	var got float64
	if err := c.decode(b, reflect.ValueOf(&got).Elem()); err != nil || math.Float64bits(got) != math.Float64bits(want) {
		t.Errorf("got %x, %v", math.Float64bits(got), err)
	}
}

func TestNullIsNotEmpty(t *testing.T) {
	for _, v := range []any{(*string)(nil), ptr((*string)(nil)), []byte(nil), []string(nil), map[string]int(nil), json.RawMessage(nil),
		sql.NullString{String: "x"}, sql.Null[int]{}, sql.NullTime{}} {
		if _, null := planOf(t, v).unwrap(reflect.ValueOf(v)); !null {
			t.Errorf("%T: not NULL", v)
		}
	}
}

func TestATimeIsReadInItsZone(t *testing.T) {
	var got time.Time
	c := planOf(t, got)
	born := time.Date(1911, 3, 1, 0, 0, 0, 0, lisbon)
	b, _ := c.append(nil, reflect.ValueOf(born))
	if err := c.decode(b, reflect.ValueOf(&got).Elem()); err != nil || got.Day() != 1 || got.Month() != 3 || !got.Equal(born) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestReadersAcceptSiblingTypes(t *testing.T) {
	var s string
	if err := planOf(t, s).decode([]byte("\x09abc"), reflect.ValueOf(&s).Elem()); err != nil || s != "abc" {
		t.Errorf("09 for 02: %q, %v", s, err)
	}
	var a netip.Addr
	if err := planOf(t, a).decode([]byte("\x02192.0.2.1"), reflect.ValueOf(&a).Elem()); err != nil || a.String() != "192.0.2.1" {
		t.Errorf("02 for 09: %v, %v", a, err)
	}
	var u uint8
	if err := planOf(t, u).decode([]byte("\x03\x00\x00\x00\x00\x00\x00\x00\x09"), reflect.ValueOf(&u).Elem()); err != nil || u != 9 {
		t.Errorf("03 for unsigned: %d, %v", u, err)
	}
}

func TestNonCanonicalPlaintextsAreRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		hex string
		dst any
	}{
		"empty":                        {"", ptr("")},
		"unknown type":                 {"0b00", ptr("")},
		"type 00":                      {"00", ptr("")},
		"text for bytes":               {"0261", ptr([]byte{})},
		"bytes for text":               {"0161", ptr("")},
		"int for text":                 {"030000000000000001", ptr("")},
		"float for int":                {"053ff0000000000000", ptr(0)},
		"short int":                    {"0300000000000001", ptr(0)},
		"long int":                     {"03000000000000000001", ptr(0)},
		"type 04 that should be 03":    {"040000000000000001", ptr(uint64(0))},
		"negative for unsigned":        {"03ffffffffffffffff", ptr(uint64(0))},
		"type 04 for int64":            {"048000000000000000", ptr(int64(0))},
		"out of range for int8":        {"030000000000000080", ptr(int8(0))},
		"out of range for uint8":       {"030000000000000100", ptr(uint8(0))},
		"double that is no float32":    {"053ff0000000000001", ptr(float32(0))},
		"bool 02":                      {"0602", ptr(false)},
		"bool of two bytes":            {"060101", ptr(false)},
		"time of 15 bytes":             {"07" + strings.Repeat("00", 15), &time.Time{}},
		"nanoseconds out of range":     {"07" + strings.Repeat("00", 8) + "3b9aca00" + "00000000", &time.Time{}},
		"negative nanoseconds":         {"07" + strings.Repeat("00", 8) + "ffffffff" + "00000000", &time.Time{}},
		"zone of a day":                {"07" + strings.Repeat("00", 8) + "00000000" + "00015180", &time.Time{}},
		"array of another length":      {"01010203", &[4]byte{}},
		"text that is not UTF-8":       {"02ff", ptr("")},
		"JSON that is not UTF-8":       {"0822ff22", ptr(any(nil))},
		"JSON cut short":               {"087b", &map[string]int{}},
		"JSON of another shape":        {"08" + hex.EncodeToString([]byte(`"a"`)), &map[string]int{}},
		"JSON with something behind":   {"08" + hex.EncodeToString([]byte(`{} {}`)), &map[string]int{}},
		"raw JSON that is none":        {"0861", &json.RawMessage{}},
		"text its type refuses":        {"0961", &netip.Addr{}},
		"binary its type refuses":      {"0a3a", &url.URL{}},
		"padded without 80":            {"826100", ptr("")},
		"padded with nothing":          {"82", ptr("")},
		"padded with another byte":     {"82618001", ptr("")},
		"padded payload of wrong size": {"830180", ptr(0)},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := hex.DecodeString(tc.hex)
			if err != nil {
				t.Fatal(err)
			}
			dst := reflect.ValueOf(tc.dst).Elem()
			before := dst.Interface()
			c, err := planCodec(dst.Type())
			if err != nil {
				t.Fatal(err)
			}
			if err := c.decode(b, dst); !errors.Is(err, ErrWrongType) {
				t.Errorf("got %v; want ErrWrongType", err)
			}
			if !reflect.DeepEqual(before, dst.Interface()) {
				t.Error("the destination was changed")
			}
		})
	}
}

type (
	onlyValuer  struct{ _ int }
	onlyMarshal struct{}
	secretive   struct{ _ int }
)

func (onlyValuer) Value() (driver.Value, error)  { return nil, nil }
func (onlyMarshal) MarshalText() ([]byte, error) { return nil, nil }

func TestTypesThatWouldLoseDataAreRefused(t *testing.T) {
	for _, v := range []any{secretive{}, onlyMarshal{}, onlyValuer{}, ptr((interface{ M() })(nil)), make(chan int), func() {}, complex(1, 1), uintptr(1), ptr(make(chan int)), ptr(ptr(make(chan int)))} {
		if _, err := planCodec(reflect.TypeOf(v)); err == nil {
			t.Errorf("%T was taken", v)
		}
	}
}

func TestTwoFieldsOfOneJSONNameAreRefused(t *testing.T) {
	field := func(name string) reflect.StructField {
		return reflect.StructField{Name: name, Type: reflect.TypeFor[int](), Tag: `json:"x"`}
	}
	if _, err := planCodec(reflect.StructOf([]reflect.StructField{field("A"), field("B")})); err == nil {
		t.Error("encoding/json would store neither")
	}
}

func TestInvalidUTF8IsRefusedForText(t *testing.T) {
	if _, err := planOf(t, "").append(nil, reflect.ValueOf("a\xff")); !errors.Is(err, ErrWrongType) {
		t.Errorf("got %v", err)
	}
}

func TestErrorsOfUserTypesAreNotPassedOn(t *testing.T) {
	const canary = "c4n4ry"
	for _, dst := range []any{&netip.Addr{}, &big.Int{}, &map[string]int{}, &time.Time{}} {
		c := planOf(t, reflect.ValueOf(dst).Elem().Interface())
		for typ := range byte(12) {
			err := c.decode(append([]byte{typ}, canary...), reflect.ValueOf(dst).Elem())
			if err == nil || strings.Contains(err.Error(), canary) {
				t.Errorf("%T, type %02x: %v", dst, typ, err)
			}
		}
		if _, err := c.convert(canary, c.base); err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%T: convert: %v", dst, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, tc := range plaintextForms {
		b, _ := hex.DecodeString(tc.want)
		f.Add(b)
		f.Add(pad(b, 0, 16))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, tc := range plaintextForms {
			c, err := planCodec(reflect.TypeOf(tc.value))
			if err != nil {
				t.Fatal(err)
			}
			dst := reflect.New(reflect.TypeOf(tc.value)).Elem()
			if c.decode(b, dst) != nil {
				continue
			}
			// What is accepted is read the same again, whichever form it came in.
			base, null := c.unwrap(dst)
			if null {
				continue // JSON null
			}
			again, err := c.append(nil, base)
			if err != nil {
				t.Fatalf("%s: %x was read but cannot be written: %v", tc.name, b, err)
			}
			second := reflect.New(reflect.TypeOf(tc.value)).Elem()
			if err := c.decode(again, second); err != nil {
				t.Fatalf("%s: %x: %v", tc.name, again, err)
			}
		}
	})
}
