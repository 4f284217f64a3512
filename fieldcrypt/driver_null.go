package fieldcrypt

import "reflect"

// Nullable reports whether a value of the field's Go type can be NULL: through a
// pointer, a sql.Null*, a slice, map or interface that can be nil, a type that
// says so as a driver.Valuer, or a pointer to a struct around the field. A driver
// that looks at a database's columns must then find one that takes NULL.
func (f *Field) Nullable() bool {
	if len(f.codec.layers) > 0 || f.codec.valuer {
		return true
	}
	switch f.codec.base.Kind() {
	case reflect.Slice, reflect.Map, reflect.Interface:
		return true
	}
	t := f.Model.Type
	for _, i := range f.Index[:len(f.Index)-1] {
		t = t.Field(i).Type
		if t.Kind() == reflect.Pointer {
			return true
		}
	}
	return false
}
