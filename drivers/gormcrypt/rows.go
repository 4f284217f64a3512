package gormcrypt

import (
	"reflect"
	"strings"

	"gorm.io/gorm"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// openMaps opens the values in maps that mine says came from the database.
func (r *result) openMaps(b *binding, db *gorm.DB, mine func(any) bool) {
	var rows []map[string]any
	switch dest := db.Statement.Dest.(type) {
	case map[string]any:
		rows = append(rows, dest)
	case *map[string]any:
		rows = append(rows, *dest)
	case *[]map[string]any:
		rows = *dest
	case []map[string]any:
		rows = dest
	}
	for _, m := range rows {
		companions := rowOfMap(m)
		for key, v := range m {
			c := r.selected[strings.ToLower(key)]
			if c == nil || v == nil || !mine(v) {
				continue
			}
			opened, err := b.open(db, c, v, companions(c))
			if err != nil {
				delete(m, key)
				db.AddError(err)
				continue
			}
			m[key] = opened
		}
		for as, c := range r.plains {
			v := m[as]
			delete(m, as)
			if v == nil {
				continue
			}
			opened, err := b.readPlain(db.Statement.Context, c, companions(c).Tenant, v)
			if err != nil {
				db.AddError(err)
				continue
			}
			m[c.name] = opened.Interface()
		}
		r.dropPlains(m)
		for _, name := range r.added {
			delete(m, name)
		}
	}
}

// rowOfMap is what the values of a row that was read into a map depend on.
func rowOfMap(m map[string]any) func(*column) fieldcrypt.Row {
	at := func(name string) any {
		if v, ok := m[name]; ok {
			return v
		}
		for key, v := range m {
			if strings.EqualFold(key, name) {
				return v
			}
		}
		return nil
	}
	return func(c *column) (row fieldcrypt.Row) {
		if c.tenant != nil {
			row.Tenant, _ = c.tenant.text(at(c.tenant.name)) // what is no tenant opens nothing
		}
		if c.bound != nil {
			row.Bound = func(*fieldcrypt.Field) (reflect.Value, error) { return c.bound.field.Convert(at(c.bound.name)) }
		}
		return row
	}
}

func (b *binding) open(db *gorm.DB, c *column, v any, row fieldcrypt.Row) (any, error) {
	var bytes stored
	switch v := v.(type) {
	case stored:
		bytes = v
	case []byte:
		bytes = v
	default:
		bytes = stored{} // no sealed value
	}
	dst := reflect.New(c.field.Type).Elem()
	if err := b.crypter.Open(db.Statement.Context, c.field, bytes, dst, row); err != nil {
		return nil, err
	}
	return dst.Interface(), nil
}
