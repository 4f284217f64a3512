package fieldcrypt

import (
	"bytes"
	"encoding"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"time"
	"unicode/utf8"
)

// Type bytes of typed plaintext (FORMAT.md, "Typed plaintext"). Do not change
// these values.
const (
	typeBytes   byte = 0x01
	typeText    byte = 0x02
	typeInt     byte = 0x03
	typeUint    byte = 0x04
	typeFloat   byte = 0x05
	typeBool    byte = 0x06
	typeTime    byte = 0x07
	typeJSON    byte = 0x08
	typeTextM   byte = 0x09 // encoding.TextMarshaler
	typeBinaryM byte = 0x0A // encoding.BinaryMarshaler

	typePadded byte = 0x80 // flag: ISO/IEC 7816-4 padding follows the payload
)

// maxZone bounds the zone offset of a time, in seconds, exclusively.
const maxZone = 24 * 60 * 60

// wrongType is an ErrWrongType with a reason that holds no value.
func wrongType(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrWrongType, fmt.Sprintf(format, args...))
}

// append appends the type byte and payload of a base value.
func (c *codec) append(dst []byte, v reflect.Value) ([]byte, error) {
	switch c.form {
	case formTime:
		t := v.Interface().(time.Time)
		_, offset := t.Zone()
		if offset <= -maxZone || offset >= maxZone {
			return dst, wrongType("the zone offset of a time must be less than 24 hours")
		}
		dst = appendInstant(append(dst, typeTime), t)
		return binary.BigEndian.AppendUint32(dst, uint32(int32(offset))), nil
	case formRawJSON:
		raw := v.Bytes()
		if !utf8.Valid(raw) || !json.Valid(raw) {
			return dst, wrongType("json.RawMessage does not hold valid JSON")
		}
		return append(append(dst, typeJSON), raw...), nil
	case formText:
		b, err := addressable(v).Interface().(encoding.TextMarshaler).MarshalText()
		if err != nil {
			return dst, wrongType("MarshalText of %s failed", c.base)
		}
		if err := c.readsBack(typeTextM, b); err != nil {
			return dst, err
		}
		return appendUTF8(dst, typeTextM, b)
	case formBinary:
		b, err := addressable(v).Interface().(encoding.BinaryMarshaler).MarshalBinary()
		if err != nil {
			return dst, wrongType("MarshalBinary of %s failed", c.base)
		}
		return append(append(dst, typeBinaryM), b...), c.readsBack(typeBinaryM, b)
	case formBytes:
		dst = append(dst, typeBytes)
		if v.Kind() == reflect.Array {
			v = addressable(v).Elem() // Bytes wants an addressable array
		}
		return append(dst, v.Bytes()...), nil
	case formString:
		return appendUTF8(dst, typeText, v.String())
	case formInt:
		return binary.BigEndian.AppendUint64(append(dst, typeInt), uint64(v.Int())), nil
	case formUint:
		typ := typeInt // what fits an int64 is written as one
		if v.Uint() > math.MaxInt64 {
			typ = typeUint
		}
		return binary.BigEndian.AppendUint64(append(dst, typ), v.Uint()), nil
	case formFloat:
		return binary.BigEndian.AppendUint64(append(dst, typeFloat), math.Float64bits(v.Float())), nil
	case formBool:
		if v.Bool() {
			return append(dst, typeBool, 1), nil
		}
		return append(dst, typeBool, 0), nil
	}
	b, err := json.Marshal(addressable(v).Interface()) // a pointer, for marshalers with pointer receivers
	if err != nil {
		return dst, wrongType("%s cannot be written as JSON", c.base)
	}
	if replacesInvalidUTF8(b) {
		return dst, wrongType("text in a %s is not valid UTF-8; use []byte for bytes", c.base)
	}
	return append(append(dst, typeJSON), b...), c.readsBack(typeJSON, b)
}

// readsBack refuses what could be written and never read again, whatever the
// type's own marshaler does. Where JSON decides on a Go type, because the field
// has interfaces in it, what is read must also be written the same: an integer
// above 2^53 in an any would come back as another number.
func (c *codec) readsBack(typ byte, payload []byte) error {
	again := reflect.New(c.base).Elem()
	if err := c.decodeBase(typ, payload, again); err != nil {
		return wrongType("%s cannot read back what it writes", c.base)
	}
	if c.form != formJSON || !c.open {
		return nil
	}
	if b, err := json.Marshal(again.Addr().Interface()); err != nil || !bytes.Equal(b, payload) {
		return wrongType("a number in %s does not fit the float64 that JSON makes of it; use a concrete type", c.base)
	}
	return nil
}

// replacesInvalidUTF8 reports whether encoding/json has put U+FFFD for bytes
// that are no text: it escapes that character there and nowhere else.
func replacesInvalidUTF8(b []byte) bool {
	for i := 0; i+6 <= len(b); i++ {
		if b[i] != '\\' {
			continue
		}
		if string(b[i:i+6]) == `\ufffd` {
			return true
		}
		i++ // the escaped character
	}
	return false
}

// size returns the length of what append appends for a base value, or 0 where
// only append can say.
func (c *codec) size(v reflect.Value) int {
	switch c.form {
	case formBytes, formString, formRawJSON:
		return 1 + v.Len()
	case formInt, formUint, formFloat:
		return 1 + 8
	case formBool:
		return 1 + 1
	case formTime:
		return 1 + 16
	}
	return 0
}

func appendInstant(dst []byte, t time.Time) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(t.Unix()))
	return binary.BigEndian.AppendUint32(dst, uint32(t.Nanosecond()))
}

func appendUTF8[T string | []byte](dst []byte, typ byte, s T) ([]byte, error) {
	if !utf8.ValidString(string(s)) {
		return dst, wrongType("text is not valid UTF-8; use []byte for bytes")
	}
	return append(append(dst, typ), s...), nil
}

// addressable returns a pointer to v, or to a copy of it.
func addressable(v reflect.Value) reflect.Value {
	if v.CanAddr() {
		return v.Addr()
	}
	p := reflect.New(v.Type())
	p.Elem().Set(v)
	return p
}

// pad pads a typed plaintext, which begins at start in b, to a multiple of n
// bytes, always by at least one (ISO/IEC 7816-4), and flags its type byte.
func pad(b []byte, start, n int) []byte {
	b[start] |= typePadded
	b = append(b, 0x80)
	for (len(b)-start)%n != 0 {
		b = append(b, 0)
	}
	return b
}

// padded returns the length that pad makes of n, which it is itself for pad 0.
func padded(n, pad int) int {
	if pad == 0 {
		return n
	}
	return (n/pad + 1) * pad
}

// unpad splits a typed plaintext into type and payload.
func unpad(b []byte) (typ byte, payload []byte, err error) {
	if len(b) == 0 {
		return 0, nil, wrongType("the plaintext has no type")
	}
	typ, payload = b[0], b[1:]
	if typ&typePadded == 0 {
		return typ, payload, nil
	}
	i := len(payload) - 1
	for i >= 0 && payload[i] == 0 {
		i--
	}
	if i < 0 || payload[i] != 0x80 {
		return 0, nil, wrongType("the padding is not in canonical form")
	}
	return typ &^ typePadded, payload[:i], nil
}
