package fieldcrypt

import (
	"database/sql/driver"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// A codec turns values of one Go type into typed plaintext and back (FORMAT.md,
// "Typed plaintext"). It is planned once per field.
type codec struct {
	layers []layer      // pointers and sql.Null* around the base type, outermost first
	base   reflect.Type // what is left inside
	form   form
	open   bool // the base holds interfaces, whose contents JSON decides on
	valuer bool // the base can say by driver.Valuer that it is NULL
}

// A layer is one level that can be NULL.
type layer struct {
	typ   reflect.Type
	value int // sql.Null*: index of the value's field; -1 for a pointer
	valid int // sql.Null*: index of Valid
}

// form is how a base type is written. Do not reorder what a type maps to: the
// type byte of stored values depends on it.
type form uint8

const (
	formTime form = iota + 1
	formRawJSON
	formText   // encoding.TextMarshaler
	formBinary // encoding.BinaryMarshaler
	formBytes
	formString
	formInt
	formUint
	formFloat
	formBool
	formJSON
)

var (
	timeType    = reflect.TypeFor[time.Time]()
	rawJSONType = reflect.TypeFor[json.RawMessage]()

	textMarshaler     = reflect.TypeFor[encoding.TextMarshaler]()
	textUnmarshaler   = reflect.TypeFor[encoding.TextUnmarshaler]()
	binaryMarshaler   = reflect.TypeFor[encoding.BinaryMarshaler]()
	binaryUnmarshaler = reflect.TypeFor[encoding.BinaryUnmarshaler]()
	jsonMarshaler     = reflect.TypeFor[json.Marshaler]()
	jsonUnmarshaler   = reflect.TypeFor[json.Unmarshaler]()
	valuerType        = reflect.TypeFor[driver.Valuer]()
)

// planCodec plans the codec of a Go type, or says why there can be none.
func planCodec(t reflect.Type) (*codec, error) {
	c := &codec{base: t}
	for {
		l, inner, ok := unwrapLayer(c.base)
		if !ok {
			break
		}
		if len(c.layers) == maxDepth {
			return nil, fmt.Errorf("type %s has more than %d pointers", t, maxDepth)
		}
		c.layers = append(c.layers, l)
		c.base = inner
	}
	var err error
	c.form, err = planForm(c.base)
	switch c.form {
	case formText, formBinary, formJSON:
		c.valuer = reflect.PointerTo(c.base).Implements(valuerType)
		c.open = holdsInterfaces(c.base, map[reflect.Type]bool{})
	}
	return c, err
}

// unwrapLayer takes off one pointer or one of database/sql's Null types.
func unwrapLayer(t reflect.Type) (l layer, inner reflect.Type, ok bool) {
	if t.Kind() == reflect.Pointer {
		return layer{typ: t, value: -1}, t.Elem(), true
	}
	if t.Kind() != reflect.Struct || t.PkgPath() != "database/sql" || !strings.HasPrefix(t.Name(), "Null") || t.NumField() != 2 {
		return layer{}, nil, false
	}
	valid, ok := t.FieldByName("Valid")
	if !ok {
		return layer{}, nil, false
	}
	value := 1 - valid.Index[0]
	return layer{typ: t, value: value, valid: valid.Index[0]}, t.Field(value).Type, true
}

func planForm(t reflect.Type) (form, error) {
	switch t {
	case timeType:
		return formTime, nil
	case rawJSONType:
		return formRawJSON, nil
	}
	pair, err := marshalForm(t)
	if pair != 0 || err != nil {
		return pair, err
	}
	switch t.Kind() {
	case reflect.String:
		return formString, nil
	case reflect.Bool:
		return formBool, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return formInt, nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return formUint, nil
	case reflect.Float32, reflect.Float64:
		return formFloat, nil
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return formBytes, nil
		}
	}
	if err := checkJSON(t, map[reflect.Type]bool{}); err != nil {
		return 0, err
	}
	return formJSON, nil
}

// marshalForm finds a marshaler that comes with its unmarshaler. One without the
// other would lose what it writes.
func marshalForm(t reflect.Type) (form, error) {
	if t.Kind() == reflect.Interface {
		return 0, nil
	}
	p := reflect.PointerTo(t)
	for _, m := range []struct {
		form               form
		marshal, unmarshal reflect.Type
	}{{formText, textMarshaler, textUnmarshaler}, {formBinary, binaryMarshaler, binaryUnmarshaler}} {
		writes, reads := p.Implements(m.marshal), p.Implements(m.unmarshal)
		switch {
		case writes && reads:
			return m.form, nil
		case writes || reads:
			return 0, fmt.Errorf("type %s implements only one of %s and %s; implement both", t, m.marshal, m.unmarshal)
		}
	}
	return 0, nil
}

// unwrap walks to the base value; null if a layer, or a base that can be nil, is nil.
func (c *codec) unwrap(v reflect.Value) (base reflect.Value, null bool) {
	for _, l := range c.layers {
		if l.value < 0 {
			if v.IsNil() {
				return reflect.Value{}, true
			}
			v = v.Elem()
			continue
		}
		if !v.Field(l.valid).Bool() {
			return reflect.Value{}, true
		}
		v = v.Field(l.value)
	}
	switch v.Kind() {
	case reflect.Slice, reflect.Map, reflect.Interface:
		if v.IsNil() {
			return v, true
		}
	}
	if c.valuer { // types that carry their own NULL, as uuid.NullUUID
		if plain, err := addressable(v).Interface().(driver.Valuer).Value(); err == nil && plain == nil {
			return v, true
		}
	}
	return v, false
}

// settle walks to the place of the base value in dst, which it sets up as not NULL.
func (c *codec) settle(dst reflect.Value) reflect.Value {
	for _, l := range c.layers {
		if l.value < 0 {
			dst.Set(reflect.New(l.typ.Elem()))
			dst = dst.Elem()
			continue
		}
		dst.Field(l.valid).SetBool(true)
		dst = dst.Field(l.value)
	}
	return dst
}
