package pgxcrypt

import (
	"context"
	"reflect"

	"github.com/jackc/pgx/v5"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// Unnest returns the arguments of one statement that writes many rows, where COPY
// does not do: conflicts are to be handled, or something is returned.
//
//	conn.Exec(ctx, `INSERT INTO patients (id, mrn, mrn_bidx)
//		SELECT * FROM unnest(@id::bigint[], @mrn::bytea[], @mrn_bidx::bytea[])
//		ON CONFLICT (id) DO NOTHING`, pgxcrypt.Unnest(fc, patients))
//
// It is [Args] with an array for each name; those of encrypted and of index
// columns are bytea[]. rows are structs of one model or pointers to them. Each row
// is sealed by itself. Tenants, more arguments and errors are as there.
func Unnest[T any](fc *fieldcrypt.Crypter, rows []T, more ...pgx.NamedArgs) pgx.QueryRewriter {
	u := &unnest{hidden: hidden{"pgxcrypt.Unnest"}, more: more}
	u.list = newList(fc, rows)
	u.warm(context.Background())
	return u
}

type unnest struct {
	hidden
	list
	more []pgx.NamedArgs
}

// RewriteQuery implements pgx.QueryRewriter.
func (u *unnest) RewriteQuery(ctx context.Context, conn *pgx.Conn, sql string, rest []any) (string, []any, error) {
	if u.err != nil {
		return "", nil, u.err
	}
	if len(rest) > 0 {
		return "", nil, modelErr("args", u.t.model, fieldcrypt.ErrUnsupported, "there are arguments after Unnest, which the SQL cannot use; give them to Unnest by name, in a pgx.NamedArgs")
	}
	st, err := u.t.statement(ctx, conn, sql, u.more)
	if err != nil {
		return "", nil, err
	}
	values := make([]any, len(st.columns))
	arrays := make([]reflect.Value, len(st.columns))
	for i, c := range st.columns {
		if c == nil {
			values[i] = st.extras[i]
			continue
		}
		arrays[i] = reflect.MakeSlice(reflect.SliceOf(c.argumentType()), u.len(), u.len())
		if values[i] = arrays[i].Interface(); c.kind == clearColumn {
			values[i] = clear{values[i]}
		}
	}
	r := &rowSealer{t: u.t}
	for n := range u.len() {
		if err := u.seal(ctx, r, n); err != nil {
			return "", nil, err
		}
		if err := r.reindexed("args", st); err != nil {
			return "", nil, err
		}
		for i, c := range st.columns {
			if c == nil {
				continue
			}
			if err := r.set(arrays[i].Index(n), c); err != nil {
				return "", nil, err
			}
		}
		r.fillTenant()
	}
	return st.out, values, nil
}

var bytesType = reflect.TypeFor[[]byte]()

// argumentType is the type of a column's element in an array.
func (c *column) argumentType() reflect.Type {
	switch {
	case c.kind != plainColumn && c.kind != clearColumn:
		return bytesType
	case c.within:
		return reflect.PointerTo(c.typ) // NULL if there is no struct around it
	}
	return c.typ
}

// set sets an element of an array to the value of a column.
func (r *rowSealer) set(dst reflect.Value, c *column) error {
	if c.kind == plainColumn || c.kind == clearColumn {
		if v := r.plain(c); v.IsValid() {
			if c.within {
				dst.Set(reflect.New(c.typ))
				dst = dst.Elem()
			}
			dst.Set(v)
		}
		return nil
	}
	b, err := r.bytes(c)
	dst.SetBytes(b)
	return err
}
