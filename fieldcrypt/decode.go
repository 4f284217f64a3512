package fieldcrypt

import (
	"bytes"
	"encoding"
	"encoding/binary"
	"encoding/json"
	"math"
	"reflect"
	"time"
	"unicode/utf8"
)

// accepts says which type bytes each form reads (FORMAT.md: 02 for 09 and back,
// 03 for 04 and back).
func (f form) accepts(typ byte) bool {
	switch f {
	case formTime:
		return typ == typeTime
	case formRawJSON, formJSON:
		return typ == typeJSON
	case formText, formString:
		return typ == typeText || typ == typeTextM
	case formBinary:
		return typ == typeBinaryM
	case formBytes:
		return typ == typeBytes
	case formInt, formUint:
		return typ == typeInt || typ == typeUint
	case formFloat:
		return typ == typeFloat
	case formBool:
		return typ == typeBool
	}
	return false
}

// decode sets dst, of the codec's whole type, to a typed plaintext, whose bytes
// it does not keep. It changes dst only if it succeeds.
func (c *codec) decode(plaintext []byte, dst reflect.Value) error {
	typ, payload, err := unpad(plaintext)
	if err != nil {
		return err
	}
	if !c.form.accepts(typ) {
		return wrongType("stored type %02x does not fit Go type %s", typ, c.base)
	}
	if len(c.layers) == 0 && c.form.setsAtOnce() {
		return c.decodeBase(typ, payload, dst)
	}
	fresh := reflect.New(dst.Type()).Elem()
	if err := c.decodeBase(typ, payload, c.settle(fresh)); err != nil {
		return err
	}
	dst.Set(fresh)
	return nil
}

// setsAtOnce tells the forms whose decodeBase sets its destination as a whole
// and only after every check.
func (f form) setsAtOnce() bool {
	switch f {
	case formText, formBinary, formJSON:
		return false
	}
	return true
}

func (c *codec) decodeBase(typ byte, payload []byte, dst reflect.Value) error {
	switch typ {
	case typeInt, typeUint, typeFloat:
		if len(payload) != 8 {
			return wrongType("a number must have 8 bytes")
		}
	case typeText, typeTextM:
		if !utf8.Valid(payload) {
			return wrongType("text is not valid UTF-8")
		}
	}
	switch c.form {
	case formTime:
		return decodeTime(payload, dst)
	case formRawJSON:
		if !utf8.Valid(payload) || !json.Valid(payload) {
			return wrongType("not valid JSON")
		}
		dst.SetBytes(bytes.Clone(payload))
	case formText:
		if err := dst.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText(bytes.Clone(payload)); err != nil {
			return wrongType("UnmarshalText of %s failed", c.base)
		}
	case formBinary:
		if err := dst.Addr().Interface().(encoding.BinaryUnmarshaler).UnmarshalBinary(bytes.Clone(payload)); err != nil {
			return wrongType("UnmarshalBinary of %s failed", c.base)
		}
	case formBytes:
		if dst.Kind() == reflect.Array {
			if len(payload) != dst.Len() {
				return wrongType("want %d bytes", dst.Len())
			}
			copy(dst.Bytes(), payload)
			return nil
		}
		dst.SetBytes(append([]byte{}, payload...)) // empty, not nil: it is a value
	case formString:
		dst.SetString(string(payload))
	case formInt, formUint:
		return decodeInteger(typ, binary.BigEndian.Uint64(payload), dst)
	case formFloat:
		f := math.Float64frombits(binary.BigEndian.Uint64(payload))
		if dst.Kind() == reflect.Float32 && float64(float32(f)) != f && !math.IsNaN(f) {
			return wrongType("the number does not fit a float32")
		}
		dst.SetFloat(f)
	case formBool:
		if len(payload) != 1 || payload[0] > 1 {
			return wrongType("a bool must be 00 or 01")
		}
		dst.SetBool(payload[0] == 1)
	case formJSON:
		if !utf8.Valid(payload) || json.Unmarshal(bytes.Clone(payload), dst.Addr().Interface()) != nil {
			return wrongType("the JSON does not fit Go type %s", c.base)
		}
	}
	return nil
}

func decodeInteger(typ byte, u uint64, dst reflect.Value) error {
	if typ == typeUint && u <= math.MaxInt64 {
		return wrongType("an integer up to MaxInt64 must have type 03")
	}
	if dst.CanInt() {
		if typ == typeUint || dst.OverflowInt(int64(u)) {
			return wrongType("the integer does not fit %s", dst.Type())
		}
		dst.SetInt(int64(u))
		return nil
	}
	if typ == typeInt && int64(u) < 0 || dst.OverflowUint(u) {
		return wrongType("the integer does not fit %s", dst.Type())
	}
	dst.SetUint(u)
	return nil
}

func decodeTime(payload []byte, dst reflect.Value) error {
	if len(payload) != 16 {
		return wrongType("a time must have 16 bytes")
	}
	sec := int64(binary.BigEndian.Uint64(payload))
	nsec := int32(binary.BigEndian.Uint32(payload[8:]))
	offset := int32(binary.BigEndian.Uint32(payload[12:]))
	if nsec < 0 || nsec > 999_999_999 || offset <= -maxZone || offset >= maxZone {
		return wrongType("a time's nanoseconds or zone offset are out of range")
	}
	loc := time.UTC
	if offset != 0 {
		loc = time.FixedZone("", int(offset))
	}
	dst.Set(reflect.ValueOf(time.Unix(sec, int64(nsec)).In(loc)))
	return nil
}
