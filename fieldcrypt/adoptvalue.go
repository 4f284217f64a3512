package fieldcrypt

import (
	"database/sql"
	"database/sql/driver"
	"encoding"
	"encoding/json"
	"math"
	"reflect"
	"strconv"
	"time"
)

// ToPlain returns what is written to the plaintext column of a field that is
// being adopted, for a value of the field's Go type: what the application wrote
// before the field was encrypted. A type that stores itself (driver.Valuer) does;
// other marshalers give their text or bytes; structs, maps and slices are JSON.
//
// Errors: *Error matching [ErrWrongType], without the value.
func (f *Field) ToPlain(v reflect.Value) (driver.Value, error) {
	if !v.IsValid() {
		return nil, nil
	}
	if v.Type() != f.Type {
		return nil, f.err("adopt", 0, wrongType("a %s is no %s", v.Type(), f.Type), "")
	}
	base, null := f.codec.unwrap(v)
	if null {
		return nil, nil
	}
	out, err := f.codec.toPlain(base)
	if err != nil {
		return nil, f.err("adopt", 0, err, "")
	}
	return out, nil
}

func (c *codec) toPlain(v reflect.Value) (driver.Value, error) {
	p := addressable(v).Interface()
	if valuer, ok := p.(driver.Valuer); ok {
		out, err := valuer.Value()
		if err != nil || !driver.IsValue(out) {
			return nil, wrongType("Value of %s failed", c.base)
		}
		return out, nil
	}
	switch c.form {
	case formTime:
		return v.Interface(), nil
	case formRawJSON:
		return string(v.Bytes()), nil
	case formText:
		b, err := p.(encoding.TextMarshaler).MarshalText()
		if err != nil {
			return nil, wrongType("MarshalText of %s failed", c.base)
		}
		return string(b), nil
	case formBinary:
		b, err := p.(encoding.BinaryMarshaler).MarshalBinary()
		if err != nil {
			return nil, wrongType("MarshalBinary of %s failed", c.base)
		}
		return b, nil
	case formBytes:
		return addressable(v).Elem().Bytes(), nil
	case formString:
		return v.String(), nil
	case formInt:
		return v.Int(), nil
	case formUint:
		if v.Uint() > math.MaxInt64 {
			return strconv.FormatUint(v.Uint(), 10), nil
		}
		return int64(v.Uint()), nil
	case formFloat:
		return v.Float(), nil
	case formBool:
		return v.Bool(), nil
	}
	b, err := json.Marshal(p)
	if err != nil {
		return nil, wrongType("%s cannot be written as JSON", c.base)
	}
	return string(b), nil
}

// FromPlain turns what the plaintext column of a field holds, as database/sql
// gives it, into the field's Go type. NULL is as in [Field.Convert].
//
// Errors: *Error matching [ErrWrongType], without the value.
func (f *Field) FromPlain(stored driver.Value) (reflect.Value, error) {
	if stored == nil {
		return f.Convert(nil)
	}
	out := reflect.New(f.Type).Elem()
	if err := f.codec.fromPlain(stored, f.codec.settle(out)); err != nil {
		return reflect.Value{}, f.err("adopt", 0, err, "")
	}
	return out, nil
}

// timeLayouts are how databases without a type for times write them.
var timeLayouts = []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999 -0700 MST", "2006-01-02 15:04:05.999999999", time.DateOnly}

func (c *codec) fromPlain(stored driver.Value, dst reflect.Value) error {
	refused := wrongType("a %T cannot stand for a %s", stored, c.base)
	if scanner, ok := dst.Addr().Interface().(sql.Scanner); ok {
		if scanner.Scan(stored) != nil {
			return refused
		}
		return nil
	}
	text, isText := stored.(string)
	if b, ok := stored.([]byte); ok {
		text, isText = string(b), true
	}
	switch {
	case c.form == formTime && isText:
		for _, layout := range timeLayouts {
			if t, err := time.Parse(layout, text); err == nil {
				dst.Set(reflect.ValueOf(t))
				return nil
			}
		}
		return refused
	case c.form == formBinary && isText:
		if dst.Addr().Interface().(encoding.BinaryUnmarshaler).UnmarshalBinary([]byte(text)) != nil {
			return refused
		}
		return nil
	case c.form == formFloat && isText:
		n, err := strconv.ParseFloat(text, dst.Type().Bits())
		if err != nil {
			return refused
		}
		dst.SetFloat(n)
		return nil
	case c.form == formBool:
		b, ok := stored.(bool)
		if n, isInt := stored.(int64); isInt && (n == 0 || n == 1) {
			b, ok = n == 1, true
		}
		if !ok {
			var err error
			if b, err = strconv.ParseBool(text); err != nil {
				return refused
			}
		}
		dst.SetBool(b)
		return nil
	case c.form == formJSON:
		if !isText || json.Unmarshal([]byte(text), dst.Addr().Interface()) != nil {
			return refused
		}
		return nil
	case c.form == formString && isText:
		dst.SetString(text)
		return nil
	case isText && c.form != formBytes && c.form != formRawJSON:
		return c.convertBase(reflect.ValueOf(text), dst)
	}
	return c.convertBase(reflect.ValueOf(stored), dst)
}
