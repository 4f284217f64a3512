package pgxcrypt

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// rows opens what is scanned into Secrets. It implements pgx.Rows.
type rows struct {
	pgx.Rows
	ctx     context.Context
	quick   context.Context // the same, without waiting
	fc      *fieldcrypt.Crypter
	spooled bool // they are off their connection, or cannot be taken off
	err     error
}

func (d *DB) rows(ctx context.Context, inner pgx.Rows) pgx.Rows {
	return &rows{Rows: inner, ctx: ctx, quick: noWait(ctx), fc: d.fc}
}

// Err implements pgx.Rows.
func (r *rows) Err() error {
	if r.err != nil {
		return r.err
	}
	return r.Rows.Err()
}

// Scan implements pgx.Rows. As with pgx's own, an error closes the rows.
func (r *rows) Scan(dest ...any) error {
	err := r.scan(dest)
	if err != nil && r.err == nil {
		r.err = err
		r.Close()
	}
	return err
}

func (r *rows) scan(dest []any) error {
	if len(dest) == 1 {
		if scanner, ok := dest[0].(pgx.RowScanner); ok {
			return scanner.ScanRow(r)
		}
	}
	targets := make([]any, len(dest))
	var ours []int
	for i, d := range dest {
		switch {
		case d == nil:
		case isDestination(d):
			if reflect.ValueOf(d).IsNil() {
				return usageErr("open", fieldcrypt.ErrWrongType, fmt.Sprintf("a nil %T; give a pointer to a variable", d))
			}
			ours = append(ours, i)
		default:
			targets[i] = d
		}
	}
	if err := r.Rows.Scan(targets...); err != nil || len(ours) == 0 {
		return err
	}
	for _, i := range ours {
		if err := r.open(i, dest[i]); err != nil {
			return err
		}
	}
	return nil
}

// isDestination reports whether a variable holds Secrets.
func isDestination(d any) bool {
	t := reflect.TypeOf(d)
	if t.Kind() != reflect.Pointer {
		return false
	}
	switch d.(type) {
	case fieldcrypt.SecretPointer, fieldcrypt.AnySecretIndex:
		return true
	}
	t = t.Elem()
	return (t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice) && (t.Implements(secretType) || t.Kind() == reflect.Slice && t.Elem().Implements(secretType))
}

// open opens the i-th column into a variable.
func (r *rows) open(i int, dest any) error {
	switch d := dest.(type) {
	case fieldcrypt.SecretPointer:
		return r.openSecret(i, d)
	case fieldcrypt.AnySecretIndex:
		reflect.ValueOf(d).Elem().SetZero() // it keeps nothing
		return nil
	}
	v := reflect.ValueOf(dest).Elem()
	v.SetZero()
	if r.RawValues()[i] == nil {
		return nil
	}
	if v.Kind() == reflect.Slice {
		return r.openList(i, v)
	}
	fresh := reflect.New(v.Type().Elem())
	if err := r.openSecret(i, fresh.Interface().(fieldcrypt.SecretPointer)); err != nil {
		return err
	}
	v.Set(fresh)
	return nil
}

func (r *rows) openSecret(i int, dst fieldcrypt.SecretPointer) error {
	f, err := r.fieldOf(dst)
	if err != nil {
		return err
	}
	at, err := r.at(f)
	if err != nil {
		return err
	}
	return r.wait(func(ctx context.Context) error {
		stored, err := cell(f, &r.FieldDescriptions()[i], r.RawValues()[i])
		if err != nil {
			return err
		}
		return r.fc.OpenSecret(ctx, dst, stored, at)
	})
}

// openList opens an array into a slice of Secrets.
func (r *rows) openList(i int, list reflect.Value) error {
	zero := reflect.New(list.Type().Elem()).Interface()
	dst, ok := zero.(fieldcrypt.SecretPointer)
	if !ok {
		return usageErr("open", fieldcrypt.ErrWrongType, fmt.Sprintf("a list of %s; make it one of Secrets", list.Type().Elem()))
	}
	f, err := r.fieldOf(dst)
	if err != nil {
		return err
	}
	at, err := r.at(f)
	if err != nil {
		return err
	}
	var stored [][]byte
	targets := make([]any, len(r.FieldDescriptions()))
	targets[i] = &stored
	if err := r.Rows.Scan(targets...); err != nil {
		return err
	}
	opened := reflect.MakeSlice(list.Type(), len(stored), len(stored))
	for n, b := range stored {
		if err := r.wait(func(ctx context.Context) error {
			return r.fc.OpenSecret(ctx, opened.Index(n).Addr().Interface().(fieldcrypt.SecretPointer), b, at)
		}); err != nil {
			return err
		}
	}
	list.Set(opened)
	return nil
}

func (r *rows) fieldOf(s fieldcrypt.AnySecret) (*fieldcrypt.Field, error) {
	if r.fc == nil {
		return nil, usageErr("model", fieldcrypt.ErrNotRegistered, "pgxcrypt was given no Crypter; make one with fieldcrypt.New")
	}
	return r.fc.SecretField(s)
}

// at returns the row's tenant, as its column says.
func (r *rows) at(f *fieldcrypt.Field) (at fieldcrypt.Row, err error) {
	if !f.PerTenant {
		return at, nil
	}
	column := f.Model.Tenant.Column
	fds := r.FieldDescriptions()
	targets := make([]any, len(fds))
	n := 0
	for i := range fds {
		if fds[i].Name == column && r.RawValues()[i] != nil {
			targets[i] = &at.Tenant
			n++
		}
	}
	if n == 1 {
		err = r.Rows.Scan(targets...)
	}
	if err == nil && at.Tenant == "" {
		err = fieldErr("open", f, fieldcrypt.ErrNoTenant, fmt.Sprintf("%d columns %s of the row name one; select it along, once", n, column))
	}
	return at, err
}

// wait runs what may wait for keys. If it would, the rows are first taken off the
// connection, which whoever brings the keys may need.
func (r *rows) wait(open func(context.Context) error) error {
	if r.spooled {
		return open(r.ctx)
	}
	err := open(r.quick)
	if err == nil || !errors.Is(err, context.Canceled) {
		return err
	}
	if err := r.spool(); err != nil {
		return err
	}
	return open(r.ctx)
}

// spool implements spooler.
func (r *rows) spool() error {
	if r.spooled {
		return nil
	}
	s, err := newSpool(r.Rows)
	if err != nil {
		return err
	}
	r.Rows, r.spooled = s, true
	return nil
}

// row is a row of a DB. It implements pgx.Row, as pgx itself does.
type row struct {
	rows pgx.Rows
	err  error
}

// Scan implements pgx.Row.
func (r *row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	defer r.rows.Close()
	for _, d := range dest {
		if _, ok := d.(*pgtype.DriverBytes); ok {
			return errors.New("cannot scan into *pgtype.DriverBytes from QueryRow")
		}
	}
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return err
		}
		return pgx.ErrNoRows
	}
	if err := r.rows.Scan(dest...); err != nil {
		return err
	}
	r.rows.Close()
	return r.rows.Err()
}
