package pgxcrypt

import (
	"context"
	"fmt"
	"reflect"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// Rows makes any function that reads rows into the struct T, or a pointer to it,
// open encrypted columns:
//
//	pgx.CollectRows(rows, pgxcrypt.Rows(ctx, fc, pgx.RowToAddrOfStructByNameLax[Patient]))
//
// Columns are known by their names in the row, so an encrypted one keeps the name
// that the model has for it, and is scanned into a variable of its field's type.
// Other columns pass through, except a bytea into text: nobody has opened it.
// RawValues gives what is stored.
//
// Errors: as those of [RowToStructByName].
func Rows[T any](ctx context.Context, fc *fieldcrypt.Crypter, fn pgx.RowToFunc[T]) pgx.RowToFunc[T] {
	model := reflect.TypeFor[T]()
	if model.Kind() == reflect.Pointer {
		model = model.Elem()
	}
	r := newReader(ctx, fc, model, loose)
	return func(row pgx.CollectableRow) (T, error) {
		value, err := fn(openedRow{row, r})
		if err != nil {
			var zero T
			return zero, err
		}
		return value, nil
	}
}

// openedRow is a row whose encrypted columns are opened when they are scanned.
type openedRow struct {
	pgx.CollectableRow
	r *reader
}

// Scan implements pgx.CollectableRow.
func (o openedRow) Scan(dest ...any) error {
	if len(dest) == 1 {
		if scanner, ok := dest[0].(pgx.RowScanner); ok {
			return o.scanRow(scanner)
		}
	}
	b, err := o.r.bind(o.FieldDescriptions())
	if err != nil {
		return err
	}
	if len(dest) != len(b.columns) {
		return modelErr("read", o.r.t.model, fieldcrypt.ErrUnsupported, fmt.Sprintf("the row has %d columns, and %d are scanned; give each column a variable, or nil", len(b.columns), len(dest)))
	}
	targets := make([]any, len(dest))
	for i, c := range b.columns {
		switch {
		case dest[i] == nil:
		case c != nil && c.kind == clearColumn:
			return fieldErr("open", c.field, fieldcrypt.ErrUnsupported, fmt.Sprintf("the column %s is read only in place of a value that is not sealed yet; scan it into nil, and the encrypted column into the field", c.name))
		case c == nil || !c.encrypted():
			if targets[i] = dest[i]; b.oids[i] == pgtype.ByteaOID && isText(reflect.TypeOf(dest[i])) {
				return plainBytea(o.r.t.model, b.names[i])
			}
		case reflect.TypeOf(dest[i]) != reflect.PointerTo(c.typ):
			return fieldErr("open", c.field, fieldcrypt.ErrWrongType, fmt.Sprintf("a %T cannot hold the field; scan it into a *%s", dest[i], c.typ))
		}
	}
	if err := o.CollectableRow.Scan(targets...); err != nil {
		return err
	}
	scanned := func(c *column) reflect.Value {
		for i, other := range b.columns {
			if other == c && dest[i] != nil {
				return reflect.ValueOf(dest[i]).Elem()
			}
		}
		return reflect.Value{}
	}
	at := fieldcrypt.Row{Bound: func(f *fieldcrypt.Field) (reflect.Value, error) { return scanned(o.r.t.of(f).bound), nil }}
	if o.r.t.tenant != nil {
		if v := scanned(o.r.t.tenant); v.Kind() == reflect.String {
			at.Tenant = v.String()
		}
	}
	return o.r.open(o.CollectableRow, b, at, scanned)
}

// scanRow hands the row to a destination that reads it by itself.
func (o openedRow) scanRow(scanner pgx.RowScanner) error {
	rows, ok := o.CollectableRow.(pgx.Rows)
	if !ok {
		return modelErr("read", o.r.t.model, fieldcrypt.ErrUnsupported, "a pgx.RowScanner wants pgx.Rows, and this row is none")
	}
	return scanner.ScanRow(openedRows{rows, o})
}

// Values implements pgx.CollectableRow: an encrypted column is a value of its
// field's type.
func (o openedRow) Values() ([]any, error) {
	b, err := o.r.bind(o.FieldDescriptions())
	if err != nil {
		return nil, err
	}
	opened := reflect.New(o.r.t.model.Type).Elem()
	if err := o.r.read(o.CollectableRow, opened); err != nil {
		return nil, err
	}
	values, err := o.CollectableRow.Values()
	if err != nil {
		return nil, err
	}
	for i, c := range b.columns {
		switch {
		case c == nil:
		case c.kind == clearColumn:
			values[i] = nil // it is read in place of its field alone
		case c.encrypted():
			if f := fieldOf(opened, c.index); f.IsValid() && (values[i] != nil || !f.IsZero()) {
				values[i] = f.Interface()
			}
		}
	}
	return values, nil
}

// openedRows is an openedRow that is one of rows.
type openedRows struct {
	pgx.Rows
	row openedRow
}

// Scan implements pgx.Rows.
func (o openedRows) Scan(dest ...any) error { return o.row.Scan(dest...) }

// Values implements pgx.Rows.
func (o openedRows) Values() ([]any, error) { return o.row.Values() }
