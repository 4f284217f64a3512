package gormcrypt

import (
	"database/sql"
	"database/sql/driver"
	"reflect"

	"gorm.io/gorm/clause"
)

// template is text whose comparisons with encrypted columns were rewritten. It
// builds itself as clause.Expr does.
type template struct {
	pieces []any // string, hole, or what a comparison has become
	bare   bool  // without parentheses around
}

// hole is a placeholder of the caller's.
type hole struct {
	value  any
	spread bool // a slice fills it with its elements
}

// Build implements clause.Expression.
func (t template) Build(b clause.Builder) {
	if !t.bare {
		b.WriteByte('(')
		defer b.WriteByte(')')
	}
	for _, piece := range t.pieces {
		switch piece := piece.(type) {
		case string:
			b.WriteString(piece)
		case hole:
			piece.build(b)
		case clause.Expression:
			piece.Build(b)
		}
	}
}

func (h hole) build(b clause.Builder) {
	_, valuer := h.value.(driver.Valuer)
	rv := reflect.ValueOf(h.value)
	if !h.spread || valuer || rv.Kind() != reflect.Slice && rv.Kind() != reflect.Array {
		b.AddVar(b, h.value)
		return
	}
	if rv.Len() == 0 {
		b.AddVar(b, nil)
	}
	for i := range rv.Len() {
		if i > 0 {
			b.WriteByte(',')
		}
		b.AddVar(b, rv.Index(i).Interface())
	}
}

// textOf returns the text and values of an expression that has them.
func textOf(e clause.Expression) (text string, vars []any) {
	switch e := e.(type) {
	case clause.Expr:
		return e.SQL, e.Vars
	case clause.NamedExpr:
		return e.SQL, e.Vars
	}
	return "", nil
}

// namedValues is how clause.NamedExpr finds values: sql.Named, maps and structs.
func namedValues(vars []any) map[string]any {
	named := map[string]any{}
	for _, v := range vars {
		switch v := v.(type) {
		case sql.NamedArg:
			named[v.Name] = v.Value
		case map[string]any:
			for name, value := range v {
				named[name] = value
			}
		default:
			addFields(named, reflect.ValueOf(v))
		}
	}
	return named
}

func addFields(named map[string]any, v reflect.Value) {
	v = reflect.Indirect(v)
	if v.Kind() != reflect.Struct {
		return
	}
	for i := range v.NumField() {
		if f := v.Type().Field(i); f.IsExported() {
			named[f.Name] = v.Field(i).Interface()
			if f.Anonymous {
				addFields(named, v.Field(i))
			}
		}
	}
}
