package fieldcrypt

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"reflect"
)

// Matcher is one search through an index: what the database is asked, and what
// tells the rows that match from those that a truncated index finds besides. It
// holds what is searched for and prints nothing of it. It is immutable.
type Matcher struct {
	index  *BlindIndex
	at     *fixed
	tenant string
	input  []byte // of the index, for the values that are searched for
	terms  [][]byte
}

// Matcher returns the Matcher of a search for values, one for each of the
// index's fields, in their order. They are converted to their fields' types and
// pass through the index's transforms.
//
// Errors: those of [Crypter.Terms].
func (c *Crypter) Matcher(ctx context.Context, ix *BlindIndex, row Row, values ...any) (*Matcher, error) {
	buf := getScratch()
	defer buf.free()
	keys, tenant, err := c.searchInput(ctx, ix, row, values, buf)
	if err != nil {
		return nil, err
	}
	return &Matcher{ix, ix.at(c), tenant, bytes.Clone(buf.b), ix.terms(keys, buf)}, nil
}

// noTerm is the way out of a search that no index can answer.
const noTerm = "NULL, or a value that the index's transforms leave nothing of, has no index term; ask with IS NULL"

// convert turns the values of a search into those of the index's fields.
func (ix *BlindIndex) convert(values []any) ([]reflect.Value, error) {
	converted := make([]reflect.Value, len(values))
	for i, v := range values {
		if i >= len(ix.Fields) {
			break // the count is refused later
		}
		cv, err := ix.Fields[i].Convert(v)
		if err != nil {
			return nil, err
		}
		converted[i] = cv
	}
	return converted, nil
}

// Terms returns what the index column is compared with: the terms under every
// live index key, the one that writes first.
func (m *Matcher) Terms() [][]byte { return m.terms }

// Matches reports whether the opened values of a row, each of its field's Go
// type, are what is searched for: whether the index's transforms make the same
// of both. Rows whose index is NULL match nothing.
//
// Errors: *Error matching [ErrWrongType], or [ErrUnsearchable] for a wrong
// number of values.
func (m *Matcher) Matches(values ...reflect.Value) (bool, error) {
	buf := getScratch()
	defer buf.free()
	input, ok, err := m.index.input(buf.b[:0], m.at, m.tenant, values)
	buf.b = input
	if err != nil {
		return false, m.index.err("search", err, "")
	}
	return ok && bytes.Equal(input, m.input), nil
}

// String implements fmt.Stringer. A Matcher never prints what it searches for.
func (m *Matcher) String() string {
	return fmt.Sprintf("fieldcrypt.Matcher(%s.%s)", m.index.Table, m.index.Name)
}

// GoString implements fmt.GoStringer, as String.
func (m *Matcher) GoString() string { return m.String() }

// Format implements fmt.Formatter, as String.
func (m *Matcher) Format(s fmt.State, _ rune) { io.WriteString(s, m.String()) }

// LogValue implements slog.LogValuer, as String.
func (m *Matcher) LogValue() slog.Value { return slog.StringValue(m.String()) }

// MarshalText implements encoding.TextMarshaler, as String.
func (m *Matcher) MarshalText() ([]byte, error) { return []byte(m.String()), nil }
