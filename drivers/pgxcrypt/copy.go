package pgxcrypt

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// Copier is what [CopyInto] writes through: a *pgx.Conn, a pgx.Tx, a
// *pgxpool.Pool, or what [Wrap] makes of them.
type Copier interface {
	CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error)
}

// CopyInto writes rows, structs of one model or pointers to them, by COPY, and
// says how many:
//
//	n, err := pgxcrypt.CopyInto(ctx, conn, fc, pgx.Identifier{"patients"}, patients)
//
// The columns are those that are named, or else all of the model. Index columns,
// and plain= ones, are written with their fields and need not be named. Each row is sealed by
// itself, while it is sent. Either all rows are written or none.
//
// Tenants and errors are as with [Args].
func CopyInto[T any](ctx context.Context, db Copier, fc *fieldcrypt.Crypter, table pgx.Identifier, rows []T, columns ...string) (int64, error) {
	l := newList(fc, rows)
	if l.err != nil {
		return 0, l.err
	}
	l.warm(ctx)
	written, err := l.copied(ctx, columns)
	if err != nil {
		return 0, err
	}
	names := make([]string, len(written))
	for i, c := range written {
		names[i] = c.name
	}
	source := &copySource{ctx: ctx, list: l, columns: written, row: rowSealer{t: l.t, reuse: true}, values: make([]any, len(written))}
	n, err := db.CopyFrom(ctx, table, names, source)
	if source.err != nil { // what pgx returns is the server's echo of it
		return 0, source.err
	}
	return n, err
}

// copied returns the columns of names, or all, with those of their indexes and of
// plaintext that is being adopted.
func (l *list) copied(ctx context.Context, names []string) ([]*column, error) {
	t := l.t
	columns := slices.Clone(t.columns)
	if len(names) > 0 {
		columns = nil
		for _, name := range names {
			c := t.byName[name]
			if c == nil || slices.Contains(columns, c) {
				return nil, modelErr("copy", t.model, fieldcrypt.ErrUnsupported, fmt.Sprintf("%s is no column of the model, or is given twice", name))
			}
			columns = append(columns, c)
		}
	}
	for _, c := range columns {
		if c.clear != nil && !slices.Contains(columns, c.clear) {
			columns = append(columns, c.clear)
		}
	}
	for _, ix := range t.indexes {
		all := !slices.ContainsFunc(ix.members, func(m *column) bool { return !slices.Contains(columns, m) })
		if all && !slices.Contains(columns, ix) {
			columns = append(columns, ix)
		}
	}
	if err := t.written("copy", columns); err != nil || l.len() == 0 {
		return columns, err
	}
	r := &rowSealer{t: t}
	if err := l.seal(ctx, r, 0); err != nil {
		return nil, err
	}
	for _, c := range columns {
		if c.kind != indexColumn || slices.Contains(columns, c.next) {
			continue
		}
		moving, err := r.moving(c)
		if err != nil {
			return nil, err
		}
		if moving {
			columns = append(columns, c.next)
		}
	}
	return columns, nil
}

// copySource seals rows one by one. It implements pgx.CopyFromSource.
type copySource struct {
	ctx     context.Context
	list    list
	columns []*column
	row     rowSealer
	values  []any // of the row that is being sent
	next    int
	err     error
}

// Next implements pgx.CopyFromSource.
func (s *copySource) Next() bool {
	if s.err != nil || s.next == s.list.len() {
		return false
	}
	s.err = s.fill()
	s.next++
	return s.err == nil
}

func (s *copySource) fill() error {
	if err := s.list.seal(s.ctx, &s.row, s.next); err != nil {
		return err
	}
	for i, c := range s.columns {
		v, err := s.row.value(c)
		if err != nil {
			return err
		}
		s.values[i] = v
	}
	s.row.fillTenant()
	return nil
}

// Values implements pgx.CopyFromSource.
func (s *copySource) Values() ([]any, error) { return s.values, s.err }

// Err implements pgx.CopyFromSource.
func (s *copySource) Err() error { return s.err }
