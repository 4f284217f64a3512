package pgxcrypt

import (
	"database/sql/driver"
	"encoding"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"reflect"
)

// redactedText is how values of encrypted fields print.
const redactedText = "<encrypted>"

// sealed is a stored value or an index term on its way to the database, which
// takes it as a bytea. Logs and tracers print nothing of it.
type sealed []byte

// argument makes bytes an argument of a statement. NULL is nil.
func argument(b []byte) any {
	if b == nil {
		return nil
	}
	return sealed(b)
}

// BytesValue implements pgtype.BytesValuer.
func (s sealed) BytesValue() ([]byte, error) { return s, nil }

// Value implements driver.Valuer: where pgx knows no type of the parameter, it
// asks this.
func (s sealed) Value() (driver.Value, error) { return []byte(s), nil }

// Format implements fmt.Formatter.
func (s sealed) Format(st fmt.State, _ rune) { io.WriteString(st, redactedText) }

// LogValue implements slog.LogValuer.
func (s sealed) LogValue() slog.Value { return slog.StringValue(redactedText) }

// MarshalText implements encoding.TextMarshaler for loggers.
func (s sealed) MarshalText() ([]byte, error) { return []byte(redactedText), nil }

// clear is the plaintext of a field that is being adopted, or a list of such, on
// its way to a column of its own. The database gets it; logs and tracers do not.
type clear struct{ v driver.Value }

// unlogged makes a value one that does not print. Maps and structs become JSON
// here and now: pgx, which makes that of them for a column of JSON, puts them into
// its error for another, or where it does not know the column's type.
func unlogged(v reflect.Value) any {
	given := v.Interface()
	plain, err := driver.DefaultParameterConverter.ConvertValue(given)
	if err == nil {
		if plain == nil {
			return nil
		}
		return clear{plain}
	}
	for v.Kind() == reflect.Pointer {
		v = v.Elem() // not nil, or it were a driver.Value
	}
	if canBeNil(v.Type()) && v.IsNil() {
		return nil
	}
	if _, text := given.(encoding.TextMarshaler); !text && (v.Kind() == reflect.Map || v.Kind() == reflect.Struct) {
		if b, err := json.Marshal(given); err == nil {
			return clear{string(b)}
		}
	}
	return clear{given}
}

// Value implements driver.Valuer.
func (c clear) Value() (driver.Value, error) { return c.v, nil }

// Format implements fmt.Formatter.
func (c clear) Format(st fmt.State, _ rune) { io.WriteString(st, redactedText) }

// LogValue implements slog.LogValuer.
func (c clear) LogValue() slog.Value { return slog.StringValue(redactedText) }

// MarshalText implements encoding.TextMarshaler for loggers.
func (c clear) MarshalText() ([]byte, error) { return []byte(redactedText), nil }

// hidden is embedded in what holds a caller's rows: it prints as its name alone.
type hidden struct{ name string }

// Format implements fmt.Formatter.
func (h hidden) Format(s fmt.State, _ rune) { io.WriteString(s, h.name) }

// LogValue implements slog.LogValuer.
func (h hidden) LogValue() slog.Value { return slog.StringValue(h.name) }

// MarshalText implements encoding.TextMarshaler.
func (h hidden) MarshalText() ([]byte, error) { return []byte(h.name), nil }
