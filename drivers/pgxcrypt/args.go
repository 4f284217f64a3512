package pgxcrypt

import (
	"context"
	"reflect"

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
		a.warm(context.Background())
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

// warm opens the keys that the row may need. Where it fails, sealing fails again,
// if it needs them.
func (a *args) warm(ctx context.Context) {
	if a.err != nil {
		return
	}
	if tenant := a.t.tenant; tenant != nil && fieldcrypt.TenantFrom(ctx) == "" {
		if f := fieldOf(a.v, tenant.index); f.IsValid() && f.String() != "" {
			ctx = fieldcrypt.WithTenant(ctx, f.String())
		}
	}
	a.t.warm(ctx, a.fc)
}

// RewriteQuery implements pgx.QueryRewriter.
func (a *args) RewriteQuery(ctx context.Context, conn *pgx.Conn, sql string, rest []any) (string, []any, error) {
	if a.err != nil {
		return "", nil, a.err
	}
	if len(rest) > 0 {
		return "", nil, modelErr("args", a.t.model, fieldcrypt.ErrUnsupported, "there are arguments after Args, which the SQL cannot use; give them to Args by name, in a pgx.NamedArgs")
	}
	st, err := a.t.statement(ctx, conn, sql, a.more)
	if err != nil {
		return "", nil, err
	}
	r, err := a.t.sealRow(ctx, a.fc, a.v)
	if err != nil {
		return "", nil, err
	}
	if err := r.reindexed("args", st); err != nil {
		return "", nil, err
	}
	values := make([]any, len(st.columns))
	for i, c := range st.columns {
		if c == nil {
			values[i] = st.extras[i]
		} else if values[i], err = r.value(c); err != nil {
			return "", nil, err
		}
	}
	r.fillTenant()
	return st.out, values, nil
}
