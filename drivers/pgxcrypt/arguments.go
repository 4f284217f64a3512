package pgxcrypt

import (
	"context"
	"reflect"
	"slices"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// sealArguments seals the Secrets among the arguments of one statement, "" for a
// row of COPY, and fills indexes and tenants. Lists of them are rows of their own,
// element by element.
func sealArguments(ctx context.Context, fc *fieldcrypt.Crypter, sql string, given []any) ([]any, error) {
	if !slices.ContainsFunc(given, concerns) {
		return given, nil
	}
	if fc == nil {
		return nil, usageErr("model", fieldcrypt.ErrNotRegistered, "pgxcrypt was given no Crypter; make one with fieldcrypt.New")
	}
	out := slices.Clone(given)
	var lists []int
	for i, v := range given {
		if isList(v) {
			lists = append(lists, i)
			out[i] = nil
		}
	}
	// A tenant that is an argument by itself is that of all rows.
	row := argumentRow{ctx: ctx, fc: fc, sql: sql, values: out}
	tenants, err := row.tenants()
	if err != nil {
		return nil, err
	}
	if err := row.seal(); err != nil {
		return nil, err
	}
	if len(lists) == 0 {
		return out, nil
	}
	return out, sealLists(row, given, out, lists, tenants)
}

// sealLists seals lists, which all have a row's values at one place.
func sealLists(of argumentRow, given, out []any, lists []int, tenants []any) error {
	n := -1
	results := make([]any, len(lists))
	for k, i := range lists {
		v := reflect.ValueOf(given[i])
		if n >= 0 && v.Len() != n {
			return usageErr("seal", fieldcrypt.ErrUnsupported, "the lists among the arguments are of different lengths; give each row's values at one place")
		}
		n = v.Len()
		switch _, tenant := given[i].([]fieldcrypt.Tenant); {
		case tenant:
			results[k] = make([]string, n)
		case v.IsNil():
			results[k] = [][]byte(nil)
		default:
			results[k] = make([][]byte, n)
		}
		out[i] = results[k]
	}
	for at := range n {
		values := make([]any, len(lists))
		for k, i := range lists {
			values[k] = reflect.ValueOf(given[i]).Index(at).Interface()
		}
		row := argumentRow{ctx: of.ctx, fc: of.fc, sql: of.sql, values: append(values, tenants...)}
		if _, err := row.tenants(); err != nil {
			return err
		}
		if err := row.seal(); err != nil {
			return err
		}
		for k := range lists {
			switch result := results[k].(type) {
			case []string:
				result[at] = row.values[k].(string)
			case [][]byte:
				if b, ok := row.values[k].(sealed); ok {
					result[at] = b
				}
			}
		}
	}
	return nil
}

var (
	secretType = reflect.TypeFor[fieldcrypt.AnySecret]()
	indexType  = reflect.TypeFor[fieldcrypt.AnySecretIndex]()
	tenantType = reflect.TypeFor[fieldcrypt.Tenant]()
)

// concerns reports whether an argument is one that Wrap does something about.
func concerns(v any) bool {
	switch v.(type) {
	case fieldcrypt.AnySecret, fieldcrypt.AnySecretIndex, fieldcrypt.Tenant, *fieldcrypt.Tenant:
		return true
	}
	return isList(v) || isPointerTo(v)
}

// isList reports whether an argument is a list of such.
func isList(v any) bool {
	t := reflect.TypeOf(v)
	return t != nil && t.Kind() == reflect.Slice && (t.Elem().Implements(secretType) || t.Elem().Implements(indexType) || t.Elem() == tenantType)
}

// isPointerTo reports whether an argument is a pointer to a pointer to a Secret.
func isPointerTo(v any) bool {
	t := reflect.TypeOf(v)
	return t != nil && t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Pointer && t.Elem().Implements(secretType)
}
