package fieldcrypt

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Names of what is stored in a column (FORMAT.md, "Manifest"). The integers and
// floats have those of their Go kind, which says what is in range.
const (
	nameText    = "text"
	nameBytes   = "bytes" // or bytes(n), an array
	nameTime    = "time"
	nameJSON    = "json"
	nameTextM   = "text-marshalled"
	nameBinaryM = "binary-marshalled"
	nameBool    = "bool"
)

// maxArray bounds the n of bytes(n).
const maxArray = 1 << 20

// typeName names what the codec stores.
func (c *codec) typeName() string {
	switch c.form {
	case formTime:
		return nameTime
	case formRawJSON, formJSON:
		return nameJSON
	case formText:
		return nameTextM
	case formBinary:
		return nameBinaryM
	case formString:
		return nameText
	case formBytes:
		if c.base.Kind() == reflect.Array {
			return fmt.Sprintf("%s(%d)", nameBytes, c.base.Len())
		}
		return nameBytes
	case formBool:
		return nameBool
	}
	return c.base.Kind().String()
}

// boundName names what the codec makes of a bound value.
func (c *codec) boundName() string {
	switch {
	case isUUID(c.base):
		return nameBytes + "(16)"
	case c.form == formText:
		return nameText
	}
	return c.typeName()
}

var numbers = map[string]reflect.Type{
	"int": reflect.TypeFor[int](), "int8": reflect.TypeFor[int8](), "int16": reflect.TypeFor[int16](),
	"int32": reflect.TypeFor[int32](), "int64": reflect.TypeFor[int64](),
	"uint": reflect.TypeFor[uint](), "uint8": reflect.TypeFor[uint8](), "uint16": reflect.TypeFor[uint16](),
	"uint32": reflect.TypeFor[uint32](), "uint64": reflect.TypeFor[uint64](),
	"float32": reflect.TypeFor[float32](), "float64": reflect.TypeFor[float64](),
}

// codecOf returns a codec that reads what is stored under a name. What marshalers
// make of a value stays text or bytes.
func codecOf(name string) (*codec, error) {
	switch name {
	case nameText:
		return &codec{base: reflect.TypeFor[string](), form: formString}, nil
	case nameTextM: // stored as 02 or 09, as text is
		return &codec{base: reflect.TypeFor[string](), form: formString}, nil
	case nameBytes:
		return &codec{base: reflect.TypeFor[[]byte](), form: formBytes}, nil
	case nameTime:
		return &codec{base: reflect.TypeFor[time.Time](), form: formTime}, nil
	case nameJSON:
		return &codec{base: reflect.TypeFor[json.RawMessage](), form: formRawJSON}, nil
	case nameBinaryM:
		return &codec{base: reflect.TypeFor[marshalled](), form: formBinary}, nil
	case nameBool:
		return &codec{base: reflect.TypeFor[bool](), form: formBool}, nil
	}
	if t, ok := numbers[name]; ok {
		c := &codec{base: t}
		var err error
		c.form, err = planForm(t)
		return c, err
	}
	n, err := arrayLen(name)
	if err != nil {
		return nil, err
	}
	return &codec{base: reflect.ArrayOf(n, reflect.TypeFor[byte]()), form: formBytes}, nil
}

// marshalled is what a binary marshaler wrote, for who does not know its type.
type marshalled struct{ size int }

// MarshalBinary implements encoding.BinaryMarshaler; nothing is written of it.
func (m *marshalled) MarshalBinary() ([]byte, error) { return nil, ErrUnsupported }

// UnmarshalBinary implements encoding.BinaryUnmarshaler: every form may be right.
func (m *marshalled) UnmarshalBinary(b []byte) error { m.size = len(b); return nil }

// checkType reports whether a name is one that codecOf knows.
func checkType(name string) error {
	switch name {
	case nameText, nameTextM, nameBytes, nameTime, nameJSON, nameBinaryM, nameBool:
		return nil
	}
	if _, ok := numbers[name]; ok {
		return nil
	}
	_, err := arrayLen(name)
	return err
}

func arrayLen(name string) (int, error) {
	digits, ok := strings.CutPrefix(name, nameBytes+"(")
	digits, closed := strings.CutSuffix(digits, ")")
	n, err := strconv.Atoi(digits)
	if !ok || !closed || err != nil || n < 0 || n > maxArray || strconv.Itoa(n) != digits {
		return 0, fmt.Errorf("unknown type %q", clipName(name))
	}
	return n, nil
}

// indexableType and bindableType are codec.indexable and codec.binds by name.
func indexableType(name string) bool {
	_, number := numbers[name]
	return isTextType(name) || strings.HasPrefix(name, nameBytes) || name == nameTime || number && !strings.HasPrefix(name, "float")
}

func bindableType(name string) bool {
	return name != nameTime && name != nameTextM && indexableType(name)
}

func isTextType(name string) bool { return name == nameText || name == nameTextM }
