package pgxcrypt

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// match is how columns of a result find fields.
type match int

const (
	byName    match = iota // every field has its column
	byNameLax              // some have
	byPos                  // in order of declaration
	loose                  // some have, and the row may have more columns
)

// A reader opens rows of one model. It keeps nothing of them but the binding of
// the last shape, so that one serves any number of queries at a time.
type reader struct {
	ctx   context.Context
	quick context.Context // the same, without waiting
	fc    *fieldcrypt.Crypter
	t     *table
	match match
	err   error // why it cannot read
	last  atomic.Pointer[binding]
}

// newReader makes a reader and opens the keys that it will need, before anybody
// waits for them while he holds a connection.
func newReader(ctx context.Context, fc *fieldcrypt.Crypter, model reflect.Type, m match) *reader {
	r := &reader{ctx: ctx, fc: fc, match: m}
	if model.Kind() != reflect.Struct {
		r.err = usageErr("read", fieldcrypt.ErrModel, fmt.Sprintf("%s is no struct; read into a model, or one of its columns with RowTo", model))
		return r
	}
	if r.t, r.err = tableOf(fc, model); r.err != nil {
		return r
	}
	r.t.warm(ctx, fc)
	r.quick = noWait(ctx)
	return r
}

// binding says what the columns of a result are.
type binding struct {
	names   []string
	oids    []uint32
	columns []*column // nil for what is skipped
	tenant  int       // where the tenant column stands, or -1
}

func (b *binding) is(fds []pgconn.FieldDescription) bool {
	if len(b.names) != len(fds) {
		return false
	}
	for i := range fds {
		if fds[i].Name != b.names[i] || fds[i].DataTypeOID != b.oids[i] {
			return false
		}
	}
	return true
}

// bind finds the fields of a result's columns.
func (r *reader) bind(fds []pgconn.FieldDescription) (*binding, error) {
	if r.err != nil {
		return nil, r.err
	}
	if b := r.last.Load(); b != nil && b.is(fds) {
		return b, nil
	}
	b := &binding{}
	for i := range fds {
		c, err := r.columnAt(fds, i)
		if err != nil {
			return nil, err
		}
		b.names = append(b.names, fds[i].Name)
		b.oids = append(b.oids, fds[i].DataTypeOID)
		b.columns = append(b.columns, c)
	}
	if err := r.check(b); err != nil {
		return nil, err
	}
	r.last.Store(b)
	return b, nil
}

// columnAt returns the column that a result's i-th is; nil for an index column,
// which has no field, and one that the model has not.
func (r *reader) columnAt(fds []pgconn.FieldDescription, i int) (*column, error) {
	if r.match == byPos {
		if i >= len(r.t.columns) {
			return nil, modelErr("read", r.t.model, fieldcrypt.ErrUnsupported, fmt.Sprintf("the row has %d columns, the struct %d; name the columns in SELECT", len(fds), len(r.t.columns)))
		}
		return r.t.columns[i], nil
	}
	c := r.t.find(fds[i].Name)
	switch {
	case c == nil && r.match == loose:
		return nil, nil
	case c == nil:
		return nil, modelErr("read", r.t.model, fieldcrypt.ErrUnsupported, fmt.Sprintf("the struct has no field for the column %q of the row; name the columns in SELECT", fds[i].Name))
	case c.index == nil:
		return nil, nil
	}
	return c, nil
}

// check sees to it that the row has what opening it needs.
func (r *reader) check(b *binding) error {
	has := func(c *column) bool { return slices.Contains(b.columns, c) }
	b.tenant = -1
	for i, c := range b.columns {
		switch {
		case c == nil:
		case slices.Contains(b.columns[:i], c):
			return modelErr("read", r.t.model, fieldcrypt.ErrUnsupported, fmt.Sprintf("the row has two columns %s; give each a name of its own with AS", b.names[i]))
		case c == r.t.tenant:
			b.tenant = i
		case c.encrypted():
			if err := r.opens(c, has); err != nil {
				return err
			}
		case c.kind == plainColumn && b.oids[i] == pgtype.ByteaOID && isText(c.typ):
			return plainBytea(r.t.model, c.name)
		}
	}
	if r.match != byName {
		return nil
	}
	for _, c := range r.t.columns {
		if !has(c) {
			return modelErr("read", r.t.model, fieldcrypt.ErrUnsupported, fmt.Sprintf("the row has no column %s; select it, or read with a function whose name has Lax", c.name))
		}
	}
	return nil
}

// opens checks that what an encrypted column's values are bound to is there.
func (r *reader) opens(c *column, has func(*column) bool) error {
	switch {
	case c.field.PerTenant && !has(r.t.tenant):
		return fieldErr("open", c.field, fieldcrypt.ErrNoTenant, fmt.Sprintf("the row has no column %s; select it along", r.t.tenant.name))
	case c.bound != nil && !has(c.bound):
		return fieldErr("open", c.field, fieldcrypt.ErrUnsupported, fmt.Sprintf("the value is bound to %s, which the row has not; select it along", c.bound.name))
	case c.clear != nil && !has(c.clear):
		return fieldErr("open", c.field, fieldcrypt.ErrUnsupported, fmt.Sprintf("while the field is adopted, the row needs its plaintext column %s, to tell NULL from what is not sealed yet; select it along, and read by name", c.clear.name))
	}
	return nil
}

// isText reports whether a Go type takes text: pgx would give it what stands in
// a bytea as hexadecimal digits, where the protocol's text format is used.
func isText(t reflect.Type) bool {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Kind() == reflect.String
}

func plainBytea(m *fieldcrypt.Model, column string) error {
	return modelErr("read", m, fieldcrypt.ErrUnsupported, fmt.Sprintf("the column %s is a bytea, and its field is text without a fieldcrypt tag; tag the field, or give it the type []byte", column))
}

// read reads a row into a struct, which is settable and zero.
func (r *reader) read(row pgx.CollectableRow, dst reflect.Value) error {
	b, err := r.bind(row.FieldDescriptions())
	if err != nil {
		return err
	}
	targets := make([]any, len(b.columns)) // nil: left out
	for i, c := range b.columns {
		if c != nil && c.kind == plainColumn {
			targets[i] = makeField(dst, c.index).Addr().Interface()
		}
	}
	if err := row.Scan(targets...); err != nil {
		return err
	}
	at := fieldcrypt.Row{}
	if r.t.binds {
		at.Bound = func(f *fieldcrypt.Field) (reflect.Value, error) { return fieldOf(dst, f.Bind.Index), nil }
	}
	if b.tenant >= 0 {
		at.Tenant = fieldOf(dst, r.t.tenant.index).String()
	}
	return r.open(row, b, at, func(c *column) reflect.Value { return makeField(dst, c.index) })
}

// open opens the encrypted columns of a row, each to where place says.
func (r *reader) open(row pgx.CollectableRow, b *binding, at fieldcrypt.Row, place func(*column) reflect.Value) error {
	for i, c := range b.columns {
		if c == nil || !c.encrypted() {
			continue
		}
		// Asked anew each time: the row may have been taken off its connection.
		stored, err := cell(c.field, &row.FieldDescriptions()[i], row.RawValues()[i])
		if err != nil {
			return err
		}
		if c.field.PerTenant && at.Tenant == "" {
			return fieldErr("open", c.field, fieldcrypt.ErrNoTenant, fmt.Sprintf("the column %s of the row is empty", r.t.tenant.name))
		}
		if stored == nil && c.clear != nil {
			if done, err := r.openClear(row, b, c, at, place); done || err != nil {
				return err
			}
		}
		if stored == nil && len(c.index) > 1 {
			continue // an embedded pointer stays nil
		}
		if err := r.openCell(row, i, c, stored, place(c), at); err != nil {
			return err
		}
	}
	return nil
}

// spooler is a row of rows that can be taken off their connection.
type spooler interface {
	// spool reads all rows that are left and gives the connection back.
	spool() error
}

// openCell opens one value. Where the keys are not in memory and the row can be
// taken off its connection, it is: whoever brings the keys may need it.
func (r *reader) openCell(row pgx.CollectableRow, i int, c *column, stored []byte, dst reflect.Value, at fieldcrypt.Row) error {
	s, ok := row.(spooler)
	if !ok {
		return r.fc.Open(r.ctx, c.field, stored, dst, at)
	}
	err := r.fc.Open(r.quick, c.field, stored, dst, at)
	if err == nil || !errors.Is(err, context.Canceled) {
		return err
	}
	if err := s.spool(); err != nil {
		return err
	}
	fds := row.FieldDescriptions()
	if stored, err = cell(c.field, &fds[i], row.RawValues()[i]); err != nil {
		return err
	}
	return r.fc.Open(r.ctx, c.field, stored, dst, at)
}

// noWait returns a context that finds keys in memory and waits for no others.
func noWait(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}
