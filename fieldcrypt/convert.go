package fieldcrypt

import (
	"database/sql/driver"
	"encoding"
	"math"
	"reflect"
	"strconv"
)

// Convert turns a value that a caller gave for the field, in a condition or a
// map, into the field's Go type. NULL becomes the zero of a type that can be
// NULL, and the zero [reflect.Value] for others.
//
// Errors: *Error matching [ErrWrongType], without the value.
func (f *Field) Convert(v any) (reflect.Value, error) {
	out, err := f.codec.convert(v, f.Type)
	if err != nil {
		return reflect.Value{}, f.err("convert", 0, err, "")
	}
	return out, nil
}

// Convert is [Field.Convert] for a plain field that values are bound to.
func (p *PlainField) Convert(v any) (reflect.Value, error) {
	out, err := p.codec.convert(v, p.Type)
	if err != nil {
		return reflect.Value{}, &Error{Op: "convert", Model: p.Model.Name, Field: p.Path, Column: p.Column, Err: err}
	}
	return out, nil
}

func (c *codec) convert(v any, to reflect.Type) (reflect.Value, error) {
	rv := reflect.ValueOf(v)
	if rv.IsValid() && rv.Type() == to {
		return rv, nil
	}
	rv, null, err := c.plainValue(rv)
	if err != nil {
		return reflect.Value{}, err
	}
	if null {
		if len(c.layers) > 0 {
			return reflect.Zero(to), nil
		}
		return reflect.Value{}, nil
	}
	out := reflect.New(to).Elem()
	return out, c.convertBase(rv, c.settle(out))
}

// plainValue takes pointers, sql.Null* and Valuers off an argument until it is
// of the base type or a plain value.
func (c *codec) plainValue(v reflect.Value) (_ reflect.Value, null bool, err error) {
	for v.IsValid() && v.Type() != c.base {
		if v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return v, true, nil
			}
			_, own := v.Interface().(driver.Valuer)
			if _, inherited := v.Elem().Interface().(driver.Valuer); !own || inherited || v.Elem().Type() == c.base {
				v = v.Elem()
				continue
			}
		}
		l, _, isNull := unwrapLayer(v.Type())
		if isNull && l.value >= 0 {
			if !v.Field(l.valid).Bool() {
				return v, true, nil
			}
			v = v.Field(l.value)
			continue
		}
		valuer, ok := v.Interface().(driver.Valuer)
		if !ok {
			break
		}
		plain, err := valuer.Value()
		if err != nil {
			return v, false, wrongType("Value of %s failed", v.Type())
		}
		v = reflect.ValueOf(plain)
		break
	}
	if !v.IsValid() {
		return v, true, nil
	}
	switch v.Kind() {
	case reflect.Slice, reflect.Map:
		return v, v.IsNil(), nil
	}
	return v, false, nil
}

// convertBase sets dst, of the base type, to an argument.
func (c *codec) convertBase(v, dst reflect.Value) error {
	if v.Type() == dst.Type() {
		dst.Set(v)
		return nil
	}
	refused := wrongType("a %s cannot stand for a %s", v.Type(), c.base)
	if m, ok := v.Interface().(encoding.TextMarshaler); ok && c.isText() && isByteSlice(v.Type()) { // net.IP: its text, not its bytes
		text, err := m.MarshalText()
		if err != nil {
			return refused
		}
		v = reflect.ValueOf(string(text))
	}
	switch c.form {
	case formString:
		switch {
		case v.Kind() == reflect.String:
			dst.SetString(v.String())
		case v.CanInt():
			dst.SetString(strconv.FormatInt(v.Int(), 10))
		case v.CanUint():
			dst.SetString(strconv.FormatUint(v.Uint(), 10))
		case isByteSlice(v.Type()):
			dst.SetString(string(v.Bytes()))
		default:
			return refused
		}
		return nil
	case formText:
		text := ""
		switch {
		case v.Kind() == reflect.String:
			text = v.String()
		case isByteSlice(v.Type()):
			text = string(v.Bytes())
		default:
			return refused
		}
		if dst.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text)) != nil {
			return refused
		}
		return nil
	case formBytes, formRawJSON:
		var b []byte
		switch {
		case isByteSlice(v.Type()):
			b = v.Bytes()
		case v.Kind() == reflect.String:
			b = []byte(v.String())
		default:
			return refused
		}
		if dst.Kind() == reflect.Slice {
			dst.SetBytes(append([]byte{}, b...))
			return nil
		}
		if len(b) != dst.Len() {
			return refused
		}
		copy(dst.Bytes(), b)
		return nil
	case formInt, formUint:
		return convertInteger(v, dst, refused)
	case formFloat:
		switch {
		case v.CanFloat() && !dst.OverflowFloat(v.Float()):
			dst.SetFloat(v.Float())
		case v.CanInt():
			dst.SetFloat(float64(v.Int()))
		case v.CanUint():
			dst.SetFloat(float64(v.Uint()))
		default:
			return refused
		}
		return nil
	}
	if v.Type().AssignableTo(dst.Type()) {
		dst.Set(v)
		return nil
	}
	if v.Kind() == dst.Kind() && v.Type().ConvertibleTo(dst.Type()) {
		dst.Set(v.Convert(dst.Type()))
		return nil
	}
	return refused
}

// convertInteger takes integers in range, whole floats and decimal text.
func convertInteger(v, dst reflect.Value, refused error) error {
	typ, u := typeInt, uint64(0)
	switch {
	case v.CanInt():
		u = uint64(v.Int())
	case v.CanUint():
		u = v.Uint()
		if u > math.MaxInt64 {
			typ = typeUint
		}
	case v.CanFloat() && v.Float() == math.Trunc(v.Float()) && math.Abs(v.Float()) < 1<<53:
		u = uint64(int64(v.Float()))
	case v.Kind() == reflect.String:
		if i, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			u = uint64(i)
		} else if u, err = strconv.ParseUint(v.String(), 10, 64); err == nil {
			typ = typeUint
		} else {
			return refused
		}
	default:
		return refused
	}
	if decodeInteger(typ, u, dst) != nil {
		return refused
	}
	return nil
}

func isByteSlice(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8
}
