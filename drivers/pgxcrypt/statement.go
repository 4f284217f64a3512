package pgxcrypt

import (
	"context"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/jackc/pgx/v5"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// statement is SQL that names columns, as it was understood. It is immutable.
type statement struct {
	sql     string
	out     string    // with ordinals
	columns []*column // what each ordinal stands for; nil for an argument of no column
	extras  []any     // those
	updated []*column // what an upsert changes
}

// statements keeps the statements that were used last, those without more
// arguments. It is a direct-mapped table: a collision costs a parse.
type statements struct {
	seed  maphash.Seed
	slots [64]atomic.Pointer[statement]
}

// maxKept bounds the statements that are kept, in bytes each.
const maxKept = 16 << 10

func (s *statements) slot(sql string) *atomic.Pointer[statement] {
	return &s.slots[maphash.String(s.seed, sql)%uint64(len(s.slots))]
}

// statement parses SQL with names of columns and of more arguments, and checks
// it.
//
// Errors: ErrUnsupported.
func (t *table) statement(ctx context.Context, conn *pgx.Conn, sql string, more []pgx.NamedArgs) (*statement, error) {
	if len(more) > 0 || len(sql) > maxKept {
		return t.parse(ctx, conn, sql, more)
	}
	slot := t.statements.slot(sql)
	if st := slot.Load(); st != nil && st.sql == sql {
		return st, nil
	}
	st, err := t.parse(ctx, conn, sql, nil)
	if err == nil {
		slot.Store(st)
	}
	return st, err
}

// extra is an argument that is of no column.
type extra struct{ value any }

func (t *table) parse(ctx context.Context, conn *pgx.Conn, sql string, more []pgx.NamedArgs) (*statement, error) {
	names := t.names
	if len(more) > 0 {
		names = maps.Clone(names)
		for _, m := range more {
			for name, v := range m {
				if names[name] != nil {
					return nil, modelErr("args", t.model, fieldcrypt.ErrUnsupported, fmt.Sprintf("the argument %s is given twice, or is a column of the model; name it otherwise", name))
				}
				names[name] = extra{v}
			}
		}
	}
	out, values, err := pgx.NamedArgs(names).RewriteQuery(ctx, conn, sql, nil)
	if err != nil {
		return nil, err
	}
	st := &statement{sql: sql, out: out, columns: make([]*column, len(values)), extras: values, updated: t.updated(sql)}
	used := 0
	for i, v := range values {
		switch v := v.(type) {
		case *column:
			st.columns[i] = v
		case extra:
			values[i] = v.value
			used++
		default:
			return nil, t.unknownName(ctx, conn, sql, names)
		}
	}
	if used == len(values) {
		return nil, modelErr("args", t.model, fieldcrypt.ErrUnsupported, "the SQL names no column of the model; write @<column>")
	}
	if want := len(names) - len(t.names); used != want {
		return nil, modelErr("args", t.model, fieldcrypt.ErrUnsupported, fmt.Sprintf("the SQL uses %d of %d more arguments; give those alone that it names", used, want))
	}
	if err := t.written("args", st.columns); err != nil {
		return nil, err
	}
	return st, t.upserted("args", sql, st.columns)
}

// unknownName says which name of the SQL is no column: pgx itself tells.
func (t *table) unknownName(ctx context.Context, conn *pgx.Conn, sql string, names map[string]any) error {
	_, _, err := pgx.StrictNamedArgs(names).RewriteQuery(ctx, conn, sql, nil)
	reason := "the SQL has a name that is no column of the model"
	if err != nil {
		reason = strings.TrimSuffix(err.Error(), " but not present in StrictNamedArgs") + ", and no column of the model has that name"
	}
	known := slices.Sorted(maps.Keys(t.names))
	return modelErr("args", t.model, fieldcrypt.ErrUnsupported, reason+"; its columns are "+strings.Join(known, ", "))
}
