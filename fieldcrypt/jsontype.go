package fieldcrypt

import (
	"fmt"
	"reflect"
	"strings"
)

// checkJSON refuses types that encoding/json would lose or cannot write, also
// where they are inside others.
func checkJSON(t reflect.Type, seen map[reflect.Type]bool) error {
	if seen[t] {
		return nil
	}
	seen[t] = true
	p := reflect.PointerTo(t)
	writes := p.Implements(jsonMarshaler) || p.Implements(textMarshaler)
	reads := p.Implements(jsonUnmarshaler) || p.Implements(textUnmarshaler)
	if t.Kind() != reflect.Interface {
		switch {
		case writes && reads:
			return nil
		case writes || reads || t.Kind() == reflect.Struct && p.Implements(valuerType) && hasUnexported(t):
			return fmt.Errorf("type %s would not survive as JSON; implement encoding.TextMarshaler and TextUnmarshaler, or json.Marshaler and Unmarshaler", t)
		}
	}
	switch t.Kind() {
	case reflect.Struct:
		return checkJSONFields(t, seen)
	case reflect.Map, reflect.Slice, reflect.Array, reflect.Pointer:
		return checkJSON(t.Elem(), seen)
	case reflect.Interface:
		if t.NumMethod() == 0 {
			return nil
		}
		return fmt.Errorf("interface type %s cannot be read back; use a concrete type", t)
	case reflect.Chan, reflect.Func, reflect.Complex64, reflect.Complex128, reflect.Uintptr, reflect.UnsafePointer:
		return fmt.Errorf("type %s is not supported: use a string, []byte, integer, float, bool, time.Time, a type with encoding.TextMarshaler and TextUnmarshaler, or a struct, map or slice of such (sealed as JSON)", t)
	}
	return nil
}

func hasUnexported(t reflect.Type) bool {
	for i := range t.NumField() {
		if !t.Field(i).IsExported() {
			return true
		}
	}
	return false
}

func checkJSONFields(t reflect.Type, seen map[reflect.Type]bool) error {
	names := map[string]bool{}
	exported := t.NumField() == 0
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() && !f.Anonymous {
			continue
		}
		exported = true
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Tag.Get("json") == "-" {
			return fmt.Errorf(`field %s of %s has json:"-", so it would not be stored; name it, or take it out of the type`, f.Name, t)
		}
		if name != "" && names[name] {
			return fmt.Errorf("two fields of %s have the JSON name %s, so neither would be stored", t, name)
		}
		names[name] = true
		if err := checkJSON(f.Type, seen); err != nil {
			return fmt.Errorf("field %s of %s: %w", f.Name, t, err)
		}
	}
	if !exported {
		return fmt.Errorf("type %s has no exported fields, so JSON would lose it; implement encoding.TextMarshaler and TextUnmarshaler", t)
	}
	return nil
}

// holdsInterfaces reports whether an interface stands somewhere in a type.
func holdsInterfaces(t reflect.Type, seen map[reflect.Type]bool) bool {
	if seen[t] {
		return false
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Interface:
		return true
	case reflect.Map, reflect.Slice, reflect.Array, reflect.Pointer:
		return holdsInterfaces(t.Elem(), seen)
	case reflect.Struct:
		for i := range t.NumField() {
			if holdsInterfaces(t.Field(i).Type, seen) {
				return true
			}
		}
	}
	return false
}
