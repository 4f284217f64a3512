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
// fewer than 128 bits holds the same in some rows of other values: see [Match]. Terms of several values, for one = ANY, are put together by
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
	ix, err := t.search(name)
	if err != nil {
		return nil, err
	}
	return fc.Terms(ctx, ix, fieldcrypt.Row{}, values...)
}

// search returns the index that a name stands for in a search.
func (t *table) search(name string) (*fieldcrypt.BlindIndex, error) {
	c := t.find(name)
	switch {
	case c == nil:
		return nil, modelErr("search", t.model, fieldcrypt.ErrUnsearchable, fmt.Sprintf("the model has no column %s", name))
	case c.kind != encryptedColumn && c.kind != indexColumn:
		return nil, modelErr("search", t.model, fieldcrypt.ErrUnsearchable, fmt.Sprintf("the column %s is not encrypted; compare it in SQL", name))
	}
	if c.blind != nil {
		return c.blind, nil
	}
	ix := c.field.SearchIndex()
	if ix == nil {
		return nil, fieldErr("search", c.field, fieldcrypt.ErrUnsearchable, `the field has no index of its own; add the option "index" to its tag, or name an index column`)
	}
	return ix, nil
}

// Matcher is a search for rows of model M: what the index column is compared with,
// and which of the rows that this finds are meant. It prints nothing of what is
// searched for.
type Matcher[M any] struct {
	*fieldcrypt.Matcher
	index *fieldcrypt.BlindIndex
}

// Match is [Eq] for an index that is truncated:
//
//	last4, err := pgxcrypt.Match[Patient](ctx, fc, "card_last4_bidx", "1881")
//	rows, err := conn.Query(ctx, `SELECT * FROM patients WHERE card_last4_bidx = ANY($1)`, last4.Terms())
//	found, err := pgx.CollectRows(rows, read)
//	patients, err := last4.Only(found)
//
// A count, a LIMIT, an UPDATE or a DELETE in SQL takes the other rows in: select,
// filter, and go on by primary key.
//
// Errors: as Eq.
func Match[M any](ctx context.Context, fc *fieldcrypt.Crypter, name string, values ...any) (*Matcher[M], error) {
	t, err := tableOf(fc, reflect.TypeFor[M]())
	if err != nil {
		return nil, err
	}
	if model := structType(reflect.TypeFor[M]()); model != t.model.Type {
		return nil, usageErr("search", fieldcrypt.ErrModel, fmt.Sprintf("%s is no struct; name the model, or a pointer to it", model))
	}
	ix, err := t.search(name)
	if err != nil {
		return nil, err
	}
	m, err := fc.Matcher(ctx, ix, fieldcrypt.Row{}, values...)
	if err != nil {
		return nil, err
	}
	return &Matcher[M]{m, ix}, nil
}

// Matches reports whether a row, in which all fields of the index were read, is
// meant. A nil row is not.
//
// Errors: [fieldcrypt.ErrWrongType] for a value that the index cannot be made of.
func (m *Matcher[M]) Matches(row M) (bool, error) {
	v := structOf(row)
	if !v.IsValid() {
		return false, nil
	}
	values := make([]reflect.Value, len(m.index.Fields))
	for i, f := range m.index.Fields {
		values[i] = fieldOf(v, f.Index)
	}
	return m.Matcher.Matches(values...)
}

// Only returns the rows of a list that are meant.
func (m *Matcher[M]) Only(rows []M) ([]M, error) {
	var only []M
	for _, row := range rows {
		ok, err := m.Matches(row)
		if err != nil {
			return nil, err
		}
		if ok {
			only = append(only, row)
		}
	}
	return only, nil
}
