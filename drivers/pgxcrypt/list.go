package pgxcrypt

import (
	"context"
	"fmt"
	"reflect"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// list is a slice of rows that one statement writes.
type list struct {
	fc   *fieldcrypt.Crypter
	t    *table
	rows reflect.Value // a slice of structs or pointers to them
	err  error         // why it cannot be written
}

func newList(fc *fieldcrypt.Crypter, rows any) list {
	l := list{fc: fc, rows: reflect.ValueOf(rows)}
	model := l.rows.Type().Elem()
	for model.Kind() == reflect.Pointer {
		model = model.Elem()
	}
	if model.Kind() != reflect.Struct {
		l.err = usageErr("args", fieldcrypt.ErrModel, fmt.Sprintf("a list of %s is none of structs", model))
		return l
	}
	l.t, l.err = tableOf(fc, model)
	return l
}

func (l *list) len() int { return l.rows.Len() }

// at returns the i-th struct.
func (l *list) at(i int) (reflect.Value, error) {
	v := l.rows.Index(i)
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if !v.IsValid() {
		return v, modelErr("args", l.t.model, fieldcrypt.ErrUnsupported, fmt.Sprintf("row %d is nil", i))
	}
	return v, nil
}

// seal begins the i-th row.
func (l *list) seal(ctx context.Context, r *rowSealer, i int) error {
	v, err := l.at(i)
	if err != nil {
		return err
	}
	return r.begin(ctx, l.fc, v)
}

// warm opens the keys that the rows may need.
func (l *list) warm(ctx context.Context) {
	if l.err != nil || l.len() == 0 {
		return
	}
	if !l.t.model.PerTenant() || fieldcrypt.TenantFrom(ctx) != "" {
		l.t.warm(ctx, l.fc)
		return
	}
	seen := map[string]bool{}
	for i := range l.len() {
		v, err := l.at(i)
		if err != nil {
			return // it is not written
		}
		tenant := fieldOf(v, l.t.tenant.index)
		if !tenant.IsValid() || tenant.String() == "" || seen[tenant.String()] {
			continue
		}
		seen[tenant.String()] = true
		l.t.warm(fieldcrypt.WithTenant(ctx, tenant.String()), l.fc)
	}
}
