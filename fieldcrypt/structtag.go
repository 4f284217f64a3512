package fieldcrypt

import (
	"reflect"
	"strings"
)

// ignored reports whether GORM neither reads nor writes a field.
func ignored(gorm map[string]string) bool {
	switch strings.ToLower(strings.TrimSpace(gorm["-"])) {
	case "-", "all":
		return true
	}
	return false
}

// misspelt reports whether a tag speaks of fieldcrypt in a way that no program
// understands: the field would be stored in the clear.
func misspelt(tag reflect.StructTag) bool {
	_, ok := tag.Lookup(TagName)
	return !ok && strings.Contains(strings.ToLower(string(tag)), TagName)
}

// isEmbedded follows GORM: anonymous structs that are no single value, and
// those with the tag.
func isEmbedded(f reflect.StructField, gorm map[string]string) bool {
	t := deref(f.Type)
	if t.Kind() != reflect.Struct {
		return false
	}
	if _, ok := gorm["EMBEDDED"]; ok {
		return true
	}
	return f.Anonymous && t != timeType && !isValuer(t) && !ignored(gorm)
}

// isValuer reports whether a type is stored as one value of its own making.
func isValuer(t reflect.Type) bool {
	return t.Implements(valuerType) || reflect.PointerTo(t).Implements(valuerType) || reflect.PointerTo(deref(t)).Implements(valuerType)
}

func isPrimaryKey(f reflect.StructField, gorm map[string]string, column string) bool {
	return isSet(gorm["PRIMARYKEY"]) || isSet(gorm["PRIMARY_KEY"]) || f.Name == "ID" || strings.EqualFold(column, "id")
}

// isSet reads a switch of a gorm tag.
func isSet(s string) bool { return s != "" && !strings.EqualFold(s, "false") }

// madeByDatabase reports whether the value of a field may not be known before
// its row is written.
func madeByDatabase(f reflect.StructField, gorm map[string]string, column string) bool {
	for _, setting := range []string{"DEFAULT", "->", "GENERATED"} {
		if _, ok := gorm[setting]; ok {
			return true
		}
	}
	increments := isSet(gorm["AUTOINCREMENT"])
	if isPrimaryKey(f, gorm, column) && isInteger(f.Type) {
		increments = !strings.EqualFold(gorm["AUTOINCREMENT"], "false")
	}
	return increments
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
	if seen[t] {
		return false
	}
	if seen == nil {
		seen = map[reflect.Type]bool{}
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return hasTags(t.Elem(), seen)
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			if _, ok := f.Tag.Lookup(TagName); ok || misspelt(f.Tag) || hasTags(f.Type, seen) {
				return true
			}
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

// deref takes off pointers; of a type that points to itself it takes some.
func deref(t reflect.Type) reflect.Type {
	for range maxDepth {
		if t.Kind() != reflect.Pointer {
			break
		}
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
