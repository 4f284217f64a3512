package fieldcrypttest

import (
	"reflect"
	"strings"
	"time"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
)

// models are an application's, by who makes their tables.
type models struct {
	gorm    []any // all that GORM migrates, in the order that the user gave
	marked  []any // those of gorm that have the marker
	plain   []any // with tags and without the marker: for native pgx
	domains []string
}

func sortModels(list []any) (m models) {
	for _, v := range list {
		found := look(reflect.TypeOf(v), map[reflect.Type]bool{})
		m.domains = append(m.domains, found.domains...)
		switch {
		case found.marker:
			m.marked = append(m.marked, v)
			m.gorm = append(m.gorm, v)
		case len(found.domains) > 0:
			m.plain = append(m.plain, v)
		default:
			m.gorm = append(m.gorm, v)
		}
	}
	return m
}

// found is what a type says by its fields.
type found struct {
	marker  bool
	domains []string
}

var (
	markerType = reflect.TypeFor[gormcrypt.Encrypted]()
	timeType   = reflect.TypeFor[time.Time]()
)

// look walks through the fields of a type, and of the types of those that have no
// tag: what GORM embeds, and Secrets. The marker counts where it is embedded.
func look(t reflect.Type, seen map[reflect.Type]bool) (f found) {
	for t != nil && (t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Array) {
		t = t.Elem()
	}
	if t == nil || t.Kind() != reflect.Struct || t == timeType || seen[t] {
		return f
	}
	seen[t] = true
	for i := range t.NumField() {
		field := t.Field(i)
		if field.Type == markerType {
			f.marker = f.marker || field.Anonymous
			continue
		}
		tag, tagged := field.Tag.Lookup(fieldcrypt.TagName)
		if domain, _, _ := strings.Cut(tag, ","); domain != "" && domain != "-" {
			f.domains = append(f.domains, strings.TrimSpace(domain))
		}
		if tagged {
			continue
		}
		inner := look(field.Type, seen)
		f.domains = append(f.domains, inner.domains...)
		f.marker = f.marker || field.Anonymous && inner.marker
	}
	return f
}
