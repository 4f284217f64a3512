package fieldcrypt

import (
	"database/sql/driver"
	"fmt"
	"io"
	"log/slog"
	"reflect"
)

// Secret is a value of an encrypted column where the Go type alone says which:
// in code that sqlc generates, in hand-written Scan calls, in database/sql.
//
//	type mrnField struct {
//		MRN string `fieldcrypt:"medical,index,id=patients.mrn"`
//	}
//
//	type MRN = fieldcrypt.Secret[string, mrnField]
//
// F is a struct with one encrypted field, of type T, whose tag says what every
// tag says; id= names the column. Under per-tenant keys it has a tenant field
// too, whose column rows are read with. bind= and plain= are for models alone.
//
// The zero Secret is NULL. What a Secret holds is in the clear in memory; it is
// sealed on its way to the database and opened on its way back by pgxcrypt's Wrap
// or Register, or by [Crypter.SealSecrets] and [Crypter.OpenSecrets]. Where nobody
// does, both ways end in an error: [Secret.Value] stores nothing that is not
// sealed, and [Secret.Reveal] returns nothing that was not opened.
//
// It prints as <encrypted> in fmt, slog, JSON and whatever asks for its text. It
// cannot be compared with ==.
type Secret[T, F any] struct {
	value  func() T      // nil: NULL, or not opened. A func, for whatever prints what is not exported
	sealed *sealedSecret // nil where it was not sealed yet, and for NULL
}

// sealedSecret is a Secret as it is in the database.
type sealedSecret struct {
	bytes   []byte
	term    []byte // of its index, where SealSecrets made one
	indexed bool
	moving  bool // the index is moved to another key
}

// NewSecret returns a Secret that holds a value:
//
//	fieldcrypt.NewSecret[mrnField]("MRN-1042")
func NewSecret[F, T any](v T) Secret[T, F] {
	return Secret[T, F]{value: func() T { return v }}
}

// Reveal returns the value; the zero T for NULL.
//
// Errors: *Error matching [ErrSealed] if it comes from a database and was not
// opened.
func (s Secret[T, F]) Reveal() (v T, err error) {
	switch {
	case s.value != nil:
		return s.value(), nil
	case s.sealed != nil:
		return v, s.err("reveal", ErrSealed, "open it with pgxcrypt.Wrap, pgxcrypt.Register or Crypter.OpenSecrets")
	}
	return v, nil
}

// MustReveal is Reveal for where an error can only be a bug: it panics.
func (s Secret[T, F]) MustReveal() T {
	v, err := s.Reveal()
	if err != nil {
		panic(err)
	}
	return v
}

// IsNull reports whether the Secret is NULL. One that holds a nil T, such as a
// nil pointer, is stored as NULL too.
func (s Secret[T, F]) IsNull() bool { return s.value == nil && s.sealed == nil }

// Value implements driver.Valuer: the sealed value, nil for NULL.
//
// Errors: *Error matching [ErrUnsealed] for a value that was not sealed;
// [ErrNotSealed] for what was scanned from a database and is no stored value.
func (s Secret[T, F]) Value() (driver.Value, error) {
	switch {
	case s.sealed != nil:
		if _, err := keyID(s.sealed.bytes); err != nil {
			return nil, s.err("seal", err, "it was read from a column of something else; make a Secret of it with NewSecret")
		}
		return s.sealed.bytes, nil
	case s.value != nil:
		return nil, s.err("seal", ErrUnsealed, "pass it through pgxcrypt.Wrap or pgxcrypt.Register, or seal it with Crypter.SealSecrets")
	}
	return nil, nil
}

// Scan implements sql.Scanner. It does not open the value: see
// [Crypter.OpenSecrets].
//
// Errors: *Error matching [ErrNotSealed] for what is no bytes.
func (s *Secret[T, F]) Scan(src any) error {
	*s = Secret[T, F]{}
	switch src := src.(type) {
	case nil:
	case []byte:
		s.sealed = &sealedSecret{bytes: append([]byte{}, src...)}
	default:
		return s.err("open", ErrNotSealed, fmt.Sprintf("the database gave a %T, not bytes", src))
	}
	return nil
}

// Index returns the value's blind index, for the argument of its index column.
func (s Secret[T, F]) Index() SecretIndex[T, F] { return SecretIndex[T, F]{of: s, set: true} }

func (s Secret[T, F]) err(op string, cause error, hint string) error {
	return &Error{Op: op, Model: reflect.TypeFor[F]().String(), Err: cause, Hint: hint}
}

// redactedText is how Secrets print.
const redactedText = "<encrypted>"

// Format implements fmt.Formatter.
func (s Secret[T, F]) Format(f fmt.State, _ rune) { io.WriteString(f, redactedText) }

// LogValue implements slog.LogValuer.
func (s Secret[T, F]) LogValue() slog.Value { return slog.StringValue(redactedText) }

// MarshalText implements encoding.TextMarshaler.
func (s Secret[T, F]) MarshalText() ([]byte, error) { return []byte(redactedText), nil }

// MarshalJSON implements json.Marshaler.
func (s Secret[T, F]) MarshalJSON() ([]byte, error) { return []byte(`"` + redactedText + `"`), nil }

// UnmarshalText implements encoding.TextUnmarshaler: it refuses, as what
// MarshalText writes would come back as the value.
func (s *Secret[T, F]) UnmarshalText([]byte) error {
	return s.err("unmarshal", ErrUnsupported, "a Secret is not read from text or JSON; make one with NewSecret")
}

// UnmarshalJSON implements json.Unmarshaler: it refuses.
func (s *Secret[T, F]) UnmarshalJSON([]byte) error { return s.UnmarshalText(nil) }
