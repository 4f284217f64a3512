package gormcrypt

import (
	"database/sql"
	"database/sql/driver"
	"reflect"

	"gorm.io/gorm"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// fill gives the caller's destination the values of one column.
func (b *binding) fill(db *gorm.DB, r *result, read any) error {
	f := r.column.field
	var values []reflect.Value // the zero Value is NULL
	switch read := read.(type) {
	case *[]stored:
		for _, s := range *read {
			opened := reflect.Value{}
			if s != nil {
				opened = reflect.New(f.Type).Elem()
				if err := b.crypter.Open(db.Statement.Context, f, s, opened, fieldcrypt.Row{}); err != nil {
					return err
				}
			}
			values = append(values, opened)
		}
	case *[]map[string]any: // opened already, with what they depend on
		for _, row := range *read {
			values = append(values, reflect.ValueOf(row[r.column.name]))
		}
	}
	list := r.value.Kind() == reflect.Slice && r.value.Type() != f.Type && r.value.Type().Elem().Kind() != reflect.Uint8
	if list {
		r.value.Set(reflect.MakeSlice(r.value.Type(), 0, len(values)))
	}
	for _, opened := range values {
		dst := r.value
		if list {
			dst = reflect.New(r.value.Type().Elem()).Elem()
		}
		if !assign(dst, opened) {
			return fieldErr("open", f, fieldcrypt.ErrWrongType, "the value, or NULL, does not fit a "+dst.Type().String())
		}
		if list {
			r.value.Set(reflect.Append(r.value, dst))
		}
	}
	return nil
}

// assign sets dst to an opened value, as database/sql would to a plain one; the
// zero Value is NULL.
func assign(dst, v reflect.Value) bool {
	for v.IsValid() && v.Type() != dst.Type() && (v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface) {
		v = v.Elem()
	}
	if v.IsValid() && v.Type().AssignableTo(dst.Type()) {
		dst.Set(v)
		return true
	}
	if dst.Kind() == reflect.Pointer {
		if !v.IsValid() {
			dst.SetZero()
			return true
		}
		fresh := reflect.New(dst.Type().Elem())
		if !assign(fresh.Elem(), v) {
			return false
		}
		dst.Set(fresh)
		return true
	}
	if scanner, ok := dst.Addr().Interface().(sql.Scanner); ok {
		var src any
		if v.IsValid() {
			var err error
			if src, err = driver.DefaultParameterConverter.ConvertValue(v.Interface()); err != nil {
				return false
			}
		}
		return scanner.Scan(src) == nil
	}
	switch {
	case !v.IsValid():
		return false
	case v.CanInt() && dst.CanInt() && !dst.OverflowInt(v.Int()):
		dst.SetInt(v.Int())
	case v.CanUint() && dst.CanUint() && !dst.OverflowUint(v.Uint()):
		dst.SetUint(v.Uint())
	case v.Kind() == dst.Kind() && !v.CanInt() && !v.CanUint() && v.Type().ConvertibleTo(dst.Type()):
		dst.Set(v.Convert(dst.Type()))
	default:
		return false
	}
	return true
}
