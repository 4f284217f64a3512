package fieldcrypt

import (
	"reflect"
	"strings"
)

// ignored reports whether GORM neither reads nor writes a field.
func ignored(gorm map[string]string) bool {
	v, ok := gorm["-"]
	return ok && !strings.EqualFold(strings.TrimSpace(v), "migration")
}

// isEmbedded follows GORM: anonymous structs that are no single value, and
// those with the tag.
func isEmbedded(f reflect.StructField, gorm map[string]string) bool {
	t := deref(f.Type)
	if t.Kind() != reflect.Struct {
		return false
	}
	if gorm["EMBEDDED"] != "" {
		return true
	}
	return f.Anonymous && t != timeType && !reflect.PointerTo(t).Implements(valuerType) && !ignored(gorm)
}

func isPrimaryKey(f reflect.StructField, gorm map[string]string) bool {
	truth := func(s string) bool { return s != "" && !strings.EqualFold(s, "false") }
	return truth(gorm["PRIMARYKEY"]) || truth(gorm["PRIMARY_KEY"]) || f.Name == "ID" || strings.EqualFold(gorm["COLUMN"], "id")
}

func isInteger(t reflect.Type) bool {
	v := reflect.Zero(deref(t))
	return v.CanInt() || v.CanUint()
}

// serialized reports whether GORM stores a field as one value although it is a struct.
func serialized(gorm map[string]string) bool {
	return gorm["SERIALIZER"] != "" || gorm["JSON"] != "" || gorm["TYPE"] != ""
}

// hasTags reports whether a struct type, or one that is embedded or held in it,
// carries our tags.
func hasTags(t reflect.Type, seen map[reflect.Type]bool) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return hasTags(t.Elem(), seen)
	}
	if t.Kind() != reflect.Struct || seen[t] {
		return false
	}
	if seen == nil {
		seen = map[reflect.Type]bool{}
	}
	seen[t] = true
	for i := range t.NumField() {
		f := t.Field(i)
		if _, ok := f.Tag.Lookup(TagName); ok || hasTags(f.Type, seen) {
			return true
		}
	}
	return false
}

// gormSettings parses a gorm tag as GORM does: ";" between settings, escaped by
// a backslash.
func gormSettings(tag string) map[string]string {
	settings := map[string]string{}
	parts := strings.Split(tag, ";")
	for i := 0; i < len(parts); i++ {
		s := parts[i]
		for strings.HasSuffix(s, `\`) && i+1 < len(parts) {
			i++
			s = s[:len(s)-1] + ";" + parts[i]
		}
		key, value, ok := strings.Cut(s, ":")
		key = strings.ToUpper(strings.TrimSpace(key))
		if !ok {
			value = key
		}
		if key != "" {
			settings[key] = value
		}
	}
	return settings
}

func deref(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func parent(path string) string {
	return path[:max(strings.LastIndexByte(path, '.'), 0)]
}
