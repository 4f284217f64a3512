package fieldcrypt_test

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"math"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fieldcrypt/go/fieldcrypt"
)

type flag uint8

type place struct{ Street string }

type adoptable struct {
	Text    string            `fieldcrypt:"medical,plain=a1"`
	Bytes   []byte            `fieldcrypt:"medical,plain=a2"`
	Int     int32             `fieldcrypt:"medical,plain=a3"`
	Uint    uint64            `fieldcrypt:"medical,plain=a4"`
	Flag    flag              `fieldcrypt:"medical,plain=a5"`
	Float   float32           `fieldcrypt:"medical,plain=a6"`
	Bool    bool              `fieldcrypt:"medical,plain=a7"`
	Time    time.Time         `fieldcrypt:"medical,plain=a8"`
	Raw     json.RawMessage   `fieldcrypt:"medical,plain=a9"`
	Addr    netip.Addr        `fieldcrypt:"medical,plain=b1"`
	Address place             `fieldcrypt:"medical,plain=b2"`
	Map     map[string]string `fieldcrypt:"medical,plain=b3"`
	Ptr     *string           `fieldcrypt:"medical,plain=b4"`
	Null    sql.NullInt64     `fieldcrypt:"medical,plain=b5"`
}

func TestPlaintextColumnsHoldWhatTheApplicationWrote(t *testing.T) {
	m := modelOf(t, newCrypter(t), adoptable{})
	day := time.Date(1980, 2, 3, 4, 5, 6, 7, time.UTC)
	text := "x"
	for _, c := range []struct {
		field string
		value any
		plain driver.Value
		also  []driver.Value // what the column may hold of it
	}{
		{"Text", "ä", "ä", []driver.Value{[]byte("ä")}},
		{"Text", "42", "42", []driver.Value{int64(42)}},
		{"Bytes", []byte{0, 1}, []byte{0, 1}, []driver.Value{"\x00\x01"}},
		{"Int", int32(-7), int64(-7), []driver.Value{"-7", []byte("-7"), float64(-7)}},
		{"Uint", uint64(math.MaxUint64), "18446744073709551615", []driver.Value{[]byte("18446744073709551615")}},
		{"Uint", uint64(7), int64(7), nil},
		{"Flag", flag(3), int64(3), []driver.Value{"3"}},
		{"Float", float32(1.5), float64(1.5), []driver.Value{"1.50", []byte("1.5")}},
		{"Bool", true, true, []driver.Value{int64(1), "true", "t", []byte("1")}},
		{"Bool", false, false, []driver.Value{int64(0), "f"}},
		{"Time", day, day, []driver.Value{"1980-02-03T04:05:06.000000007Z", "1980-02-03 04:05:06.000000007+00:00", "1980-02-03 04:05:06.000000007 +0000 UTC"}},
		{"Raw", json.RawMessage(`{"a":1}`), `{"a":1}`, []driver.Value{[]byte(`{"a":1}`)}},
		{"Addr", netip.MustParseAddr("10.0.0.1"), "10.0.0.1", []driver.Value{[]byte("10.0.0.1")}},
		{"Address", place{"S"}, `{"Street":"S"}`, []driver.Value{[]byte(`{"Street": "S"}`)}},
		{"Map", map[string]string{"a": "b"}, `{"a":"b"}`, nil},
		{"Ptr", &text, "x", nil},
		{"Null", sql.NullInt64{Int64: 5, Valid: true}, int64(5), []driver.Value{"5"}},
		{"Ptr", (*string)(nil), nil, nil},
		{"Null", sql.NullInt64{}, nil, nil},
	} {
		f := m.Field(c.field)
		got, err := f.ToPlain(reflect.ValueOf(c.value))
		if err != nil || !reflect.DeepEqual(got, c.plain) {
			t.Errorf("%s: ToPlain gives %#v, %v; want %#v", c.field, got, err, c.plain)
		}
		for _, stored := range append(c.also, c.plain) {
			back, err := f.FromPlain(stored)
			if want, ok := c.value.(time.Time); ok && err == nil && back.Interface().(time.Time).Equal(want) {
				continue
			}
			if err != nil || !reflect.DeepEqual(back.Interface(), c.value) {
				t.Errorf("%s: FromPlain(%T) gives %#v, %v; want %#v", c.field, stored, back, err, c.value)
			}
		}
	}
}

func TestPlaintextThatDoesNotFitIsRefusedWithoutIt(t *testing.T) {
	m := modelOf(t, newCrypter(t), adoptable{})
	for field, stored := range map[string]driver.Value{
		"Text": true, "Int": "73917391x", "Uint": int64(-1), "Flag": int64(300), "Float": "1.5 73917391", "Bool": "73917391",
		"Time": "73917391", "Raw": true, "Addr": "73917391", "Address": "73917391", "Null": "x73917391",
	} {
		v, err := m.Field(field).FromPlain(stored)
		e := (*fieldcrypt.Error)(nil)
		if !errors.Is(err, fieldcrypt.ErrWrongType) || !errors.As(err, &e) || e.Field != field || strings.Contains(err.Error(), "73917391") {
			t.Errorf("%s: %v, %v", field, v, err)
		}
	}
	if _, err := m.Field("Text").ToPlain(reflect.ValueOf(1)); !errors.Is(err, fieldcrypt.ErrWrongType) {
		t.Errorf("a value of another type: %v", err)
	}
}

func TestSimpleFieldsCallNoMethods(t *testing.T) {
	m := modelOf(t, newCrypter(t), adoptable{})
	var simple []string
	for _, f := range m.Fields {
		if f.Simple() {
			simple = append(simple, f.Path)
		}
	}
	if got := strings.Join(simple, " "); got != "Text Bytes Int Uint Flag Float Bool Time Raw Ptr Null" {
		t.Error(got)
	}
}
