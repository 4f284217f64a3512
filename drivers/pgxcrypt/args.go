package pgxcrypt

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// Args returns the arguments of a statement that names the columns of a model:
//
//	conn.Exec(ctx, `INSERT INTO patients (id, mrn, mrn_bidx) VALUES (@id, @mrn, @mrn_bidx)`, pgxcrypt.Args(fc, &p))
//
// It is the one argument of Exec, Query, QueryRow and Batch.Queue, as
// [pgx.NamedArgs] is. Only the columns that the SQL names are sealed; all others
// of the row stay as they are in the database. @<column>_bidx and the columns of
// FieldcryptIndexes are made from their fields; whoever writes a field names its
// index columns too, and a bound column and the tenant's where its keys and
// values depend on them, written or as a condition. More arguments may be given
// by name; the SQL must use them all.
//
// Encrypted columns are for writing: compared with a condition they never match.
// Search with [Eq].
//
// row is a struct or a pointer to one. By a pointer, a tenant field that is zero
// is set to the tenant of the context that the row was sealed for; nothing else
// of the row is changed. The row is read when the statement runs.
//
// The errors of the statement match [fieldcrypt.ErrUnsupported] for a name that
// is no column, an argument that is not used and what was said above;
// [fieldcrypt.ErrTenantMismatch], [fieldcrypt.ErrNoTenant],
// [fieldcrypt.ErrWrongType], or are errors of keys and models. Keys are opened
// here and now where no context is needed to say which, so that nobody waits for
// them while he holds a connection.
func Args(fc *fieldcrypt.Crypter, row any, more ...pgx.NamedArgs) pgx.QueryRewriter {
	a := &args{hidden: hidden{"pgxcrypt.Args"}, fc: fc, v: structOf(row), more: more}
	if a.v.Kind() != reflect.Struct {
		a.err = usageErr("args", fieldcrypt.ErrUnsupported, "Args was given no struct; give it a struct or a pointer to one, and Unnest or CopyInto a list")
		return a
	}
	if a.t, a.err = tableOf(fc, a.v.Type()); a.err == nil {
		a.err = a.warm(context.Background())
	}
	return a
}

// args is what Args returns.
type args struct {
	hidden
	fc   *fieldcrypt.Crypter
	t    *table
	v    reflect.Value
	more []pgx.NamedArgs
	err  error
}

// warm opens the keys that the row needs.
func (a *args) warm(ctx context.Context) error {
	if a.err != nil {
		return a.err
	}
	if tenant := a.t.tenant; tenant != nil && fieldcrypt.TenantFrom(ctx) == "" {
		if f := fieldOf(a.v, tenant.index); f.IsValid() && f.String() != "" {
			ctx = fieldcrypt.WithTenant(ctx, f.String())
		}
	}
	return a.fc.Warm(ctx, a.t.domains...)
}

// RewriteQuery implements pgx.QueryRewriter.
func (a *args) RewriteQuery(ctx context.Context, conn *pgx.Conn, sql string, rest []any) (string, []any, error) {
	if a.err != nil {
		return "", nil, a.err
	}
	if len(rest) > 0 {
		return "", nil, modelErr("args", a.t.model, fieldcrypt.ErrUnsupported, "there are arguments after Args, which the SQL cannot use; give them to Args by name, in a pgx.NamedArgs")
	}
	sql, values, columns, err := a.t.named(ctx, conn, sql, a.more)
	if err != nil {
		return "", nil, err
	}
	r, err := a.t.sealRow(ctx, a.fc, a.v)
	if err != nil {
		return "", nil, err
	}
	if err := r.reindexed("args", columns); err != nil {
		return "", nil, err
	}
	for i, c := range columns {
		if c == nil {
			values[i] = values[i].(extra).value
		} else if values[i], err = r.value(c); err != nil {
			return "", nil, err
		}
	}
	r.fillTenant()
	return sql, values, nil
}

// extra is an argument that is of no column.
type extra struct{ value any }

// named parses SQL with names of columns: it returns SQL with ordinals, and for
// each the value, an extra, or its column.
func (t *table) named(ctx context.Context, conn *pgx.Conn, sql string, more []pgx.NamedArgs) (string, []any, []*column, error) {
	names := t.names
	if len(more) > 0 {
		names = maps.Clone(names)
		for _, m := range more {
			for name, v := range m {
				if names[name] != nil {
					return "", nil, nil, modelErr("args", t.model, fieldcrypt.ErrUnsupported, fmt.Sprintf("the argument %s is given twice, or is a column of the model; name it otherwise", name))
				}
				names[name] = extra{v}
			}
		}
	}
	out, values, err := pgx.NamedArgs(names).RewriteQuery(ctx, conn, sql, nil)
	if err != nil {
		return "", nil, nil, err
	}
	columns := make([]*column, len(values))
	used := 0
	for i, v := range values {
		switch v := v.(type) {
		case *column:
			columns[i] = v
		case extra:
			used++
		default:
			return "", nil, nil, t.unknownName(ctx, conn, sql, names)
		}
	}
	if used == len(columns) {
		return "", nil, nil, modelErr("args", t.model, fieldcrypt.ErrUnsupported, "the SQL names no column of the model; write @<column>")
	}
	if want := len(names) - len(t.names); used != want {
		return "", nil, nil, modelErr("args", t.model, fieldcrypt.ErrUnsupported, fmt.Sprintf("the SQL uses %d of %d more arguments; give those alone that it names", used, want))
	}
	return out, values, columns, t.written("args", columns)
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
