package pgxcrypt

import (
	"context"
	"fmt"
	"reflect"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// Eq returns what an index column holds in the rows of model M whose field is a
// value, under every live index key:
//
//	terms, err := pgxcrypt.Eq[Patient](ctx, fc, "mrn", "MRN-1042")
//	rows, err := conn.Query(ctx, `SELECT id, mrn FROM patients WHERE mrn_bidx = ANY($1)`, terms)
//
// name is a column with an index of its own, or an index column: with one value
// for each of the fields that it is made of, in their order. An index column of
// fewer than 128 bits holds the same in some rows of other values: compare again
// what was opened. Terms of several values, for one = ANY, are put together by
// append. Under per-tenant keys the context names the tenant.
//
// Errors: [fieldcrypt.ErrUnsearchable] for a column without such an index, for
// NULL and for values that the index's transforms leave nothing of;
// [fieldcrypt.ErrWrongType], [fieldcrypt.ErrNoTenant], or an error of keys.
func Eq[M any](ctx context.Context, fc *fieldcrypt.Crypter, name string, values ...any) ([][]byte, error) {
	t, err := tableOf(fc, reflect.TypeFor[M]())
	if err != nil {
		return nil, err
	}
	c := t.find(name)
	switch {
	case c == nil:
		return nil, modelErr("search", t.model, fieldcrypt.ErrUnsearchable, fmt.Sprintf("the model has no column %s", name))
	case c.kind != encryptedColumn && c.kind != indexColumn:
		return nil, modelErr("search", t.model, fieldcrypt.ErrUnsearchable, fmt.Sprintf("the column %s is not encrypted; compare it in SQL", name))
	}
	ix := c.blind
	if ix == nil {
		if ix = c.field.SearchIndex(); ix == nil {
			return nil, fieldErr("search", c.field, fieldcrypt.ErrUnsearchable, `the field has no index of its own; add the option "index" to its tag, or name an index column`)
		}
	}
	return fc.Terms(ctx, ix, fieldcrypt.Row{}, values...)
}
