package fieldcrypt

import (
	"database/sql/driver"
	"fmt"
	"io"
	"log/slog"
	"reflect"
)

// SecretIndex is the argument of the blind index column of a [Secret]:
//
//	type MRNIndex = fieldcrypt.SecretIndex[string, mrnField]
//
// [Secret.Index] makes one. The zero SecretIndex is filled by pgxcrypt's Wrap from
// the Secret of the same F among the arguments of the statement, and is an error
// elsewhere; so it cannot be forgotten, nor be another value's. It is for writing:
// it keeps nothing of what is scanned into it. Search with [Crypter.SecretTerms].
type SecretIndex[T, F any] struct {
	of  Secret[T, F]
	set bool
}

// SecretNextIndex is [SecretIndex] for the second index column that is written
// while an index is moved to another key.
type SecretNextIndex[T, F any] struct{ SecretIndex[T, F] }

// Value implements driver.Valuer: what [Crypter.SealSecrets] has made of the
// Secret, nil for NULL.
//
// Errors: *Error matching [ErrUnsealed] where it has made nothing;
// [ErrUnsupported] while the index is moved to another key: one value cannot see
// to it that the second column is written as well.
func (s SecretIndex[T, F]) Value() (driver.Value, error) {
	sealed := s.of.sealed
	switch {
	case s.set && s.of.IsNull():
		return nil, nil
	case sealed == nil || !sealed.indexed:
		return nil, s.of.err("index", ErrUnsealed, "pass it through pgxcrypt.Wrap or pgxcrypt.Register, or seal its Secret with Crypter.SealSecrets first")
	case sealed.moving:
		return nil, s.of.err("index", ErrUnsupported, "the index is being moved to another key; write by pgxcrypt.Wrap, or a model's driver")
	case sealed.term == nil:
		return nil, nil
	}
	return sealed.term, nil
}

// Value implements driver.Valuer: it refuses.
func (s SecretNextIndex[T, F]) Value() (driver.Value, error) {
	return nil, s.of.err("index", ErrUnsealed, "pass it through pgxcrypt.Wrap")
}

// Scan implements sql.Scanner. It keeps nothing: an index is made of its value
// each time that this is written.
func (s *SecretIndex[T, F]) Scan(any) error {
	*s = SecretIndex[T, F]{}
	return nil
}

// Format implements fmt.Formatter.
func (s SecretIndex[T, F]) Format(f fmt.State, _ rune) { io.WriteString(f, redactedText) }

// LogValue implements slog.LogValuer.
func (s SecretIndex[T, F]) LogValue() slog.Value { return slog.StringValue(redactedText) }

// MarshalText implements encoding.TextMarshaler.
func (s SecretIndex[T, F]) MarshalText() ([]byte, error) { return []byte(redactedText), nil }

// Tenant is the type of a tenant column in code that has only types to go by. In
// what passes through pgxcrypt's Wrap, "" is filled with the tenant of the context,
// and another than that is [ErrTenantMismatch].
type Tenant string

// AnySecretIndex is a [SecretIndex] or [SecretNextIndex] of whatever column.
type AnySecretIndex interface {
	driver.Valuer
	secretIndex() (of AnySecret, set, next bool)
}

func (s SecretIndex[T, F]) secretIndex() (AnySecret, bool, bool)     { return s.of, s.set, false }
func (s SecretNextIndex[T, F]) secretIndex() (AnySecret, bool, bool) { return s.of, s.set, true }

// AnySecret is a [Secret] of whatever column, or a pointer to one, which must not
// be nil.
type AnySecret interface {
	driver.Valuer
	secret() secretParts
}

// SecretPointer is a pointer to a [Secret] of whatever column.
type SecretPointer interface {
	AnySecret
	setSecret(value reflect.Value, sealed *sealedSecret)
}

// secretParts are what there is in a Secret.
type secretParts struct {
	value  func() reflect.Value // nil if there is none in the clear
	sealed *sealedSecret
	typ    reflect.Type // T
	field  reflect.Type // F
}

func (s Secret[T, F]) secret() secretParts {
	p := secretParts{sealed: s.sealed, typ: reflect.TypeFor[T](), field: reflect.TypeFor[F]()}
	if s.value != nil {
		p.value = func() reflect.Value {
			v := s.value()
			return reflect.ValueOf(&v).Elem() // also where T is an interface
		}
	}
	return p
}

func (s *Secret[T, F]) setSecret(value reflect.Value, sealed *sealedSecret) {
	*s = Secret[T, F]{sealed: sealed}
	if value.IsValid() {
		v := value.Interface().(T)
		s.value = func() T { return v }
	}
}
