package pgxcrypt

import (
	"context"
	"fmt"
	"reflect"

	"github.com/jackc/pgx/v5"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// The functions of this file are pgx's of the same names for models: they take
// the column names of the model (`db:`, `gorm:"column:"` or the default), flatten
// embedded structs as GORM does, pass over index columns, and open encrypted
// columns. Make them before the query that they are for: they open the keys, which
// then are not waited for while the query holds its connection.
//
// The errors of the rows match [fieldcrypt.ErrNotSealed],
// [fieldcrypt.ErrAuthentication], [fieldcrypt.ErrWrongType],
// [fieldcrypt.ErrUnknownKey] and other errors of keys, [fieldcrypt.ErrNoTenant]
// where the tenant column is not selected along or empty, and
// [fieldcrypt.ErrUnsupported] where a column that a value is bound to is not, or
// where columns and fields do not fit.

// RowToStructByName returns a function for [pgx.CollectRows] and its like that
// reads rows into the struct T: every field by a column of its name.
func RowToStructByName[T any](ctx context.Context, fc *fieldcrypt.Crypter) pgx.RowToFunc[T] {
	return structs[T](newReader(ctx, fc, reflect.TypeFor[T](), byName))
}

// RowToStructByNameLax is [RowToStructByName] for rows that have columns for some
// of the fields only; the others stay zero.
func RowToStructByNameLax[T any](ctx context.Context, fc *fieldcrypt.Crypter) pgx.RowToFunc[T] {
	return structs[T](newReader(ctx, fc, reflect.TypeFor[T](), byNameLax))
}

// RowToStructByPos is [RowToStructByName] by position: the columns are those of
// the first fields, in order of declaration.
func RowToStructByPos[T any](ctx context.Context, fc *fieldcrypt.Crypter) pgx.RowToFunc[T] {
	return structs[T](newReader(ctx, fc, reflect.TypeFor[T](), byPos))
}

// RowToAddrOfStructByName is [RowToStructByName] with pointers.
func RowToAddrOfStructByName[T any](ctx context.Context, fc *fieldcrypt.Crypter) pgx.RowToFunc[*T] {
	return pointers(RowToStructByName[T](ctx, fc))
}

// RowToAddrOfStructByNameLax is [RowToStructByNameLax] with pointers.
func RowToAddrOfStructByNameLax[T any](ctx context.Context, fc *fieldcrypt.Crypter) pgx.RowToFunc[*T] {
	return pointers(RowToStructByNameLax[T](ctx, fc))
}

// RowToAddrOfStructByPos is [RowToStructByPos] with pointers.
func RowToAddrOfStructByPos[T any](ctx context.Context, fc *fieldcrypt.Crypter) pgx.RowToFunc[*T] {
	return pointers(RowToStructByPos[T](ctx, fc))
}

// RowTo returns a function that reads one column of model M, by its name. V is
// the type of its field. Columns that the value depends on, of the tenant and of
// bind=, are selected along.
//
//	mrns, err := pgx.CollectRows(rows, pgxcrypt.RowTo[Patient, string](ctx, fc, "mrn"))
func RowTo[M, V any](ctx context.Context, fc *fieldcrypt.Crypter, column string) pgx.RowToFunc[V] {
	r := newReader(ctx, fc, reflect.TypeFor[M](), byNameLax)
	var c *columnOf
	if r.err == nil {
		c, r.err = r.columnOf(column, reflect.TypeFor[V]())
	}
	return func(row pgx.CollectableRow) (value V, err error) {
		b, err := r.bind(row.FieldDescriptions())
		if err != nil {
			return value, err
		}
		if !c.in(b) {
			return value, modelErr("read", r.t.model, fieldcrypt.ErrUnsupported, fmt.Sprintf("the row has no column %s; select it under its name", column))
		}
		var m M
		v := reflect.ValueOf(&m).Elem()
		if err := r.read(row, v); err != nil {
			return value, err
		}
		if f := fieldOf(v, c.index); f.IsValid() {
			reflect.ValueOf(&value).Elem().Set(f)
		}
		return value, nil
	}
}

// columnOf is the column that RowTo reads.
type columnOf struct{ *column }

func (c *columnOf) in(b *binding) bool {
	for _, other := range b.columns {
		if other == c.column {
			return true
		}
	}
	return false
}

func (r *reader) columnOf(name string, typ reflect.Type) (*columnOf, error) {
	c := r.t.find(name)
	switch {
	case c == nil || c.index == nil || c.kind == clearColumn:
		return nil, modelErr("read", r.t.model, fieldcrypt.ErrUnsupported, fmt.Sprintf("the model has no field with the column %s", name))
	case c.typ != typ:
		return nil, modelErr("read", r.t.model, fieldcrypt.ErrWrongType, fmt.Sprintf("the field of the column %s is a %s, not a %s", name, c.typ, typ))
	}
	return &columnOf{c}, nil
}

func structs[T any](r *reader) pgx.RowToFunc[T] {
	return func(row pgx.CollectableRow) (T, error) {
		var value, zero T
		if err := r.read(row, reflect.ValueOf(&value).Elem()); err != nil {
			return zero, err
		}
		return value, nil
	}
}

func pointers[T any](fn pgx.RowToFunc[T]) pgx.RowToFunc[*T] {
	return func(row pgx.CollectableRow) (*T, error) {
		value, err := fn(row)
		if err != nil {
			return nil, err
		}
		return &value, nil
	}
}
