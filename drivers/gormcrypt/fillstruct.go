package gormcrypt

import (
	"reflect"
	"slices"
	"strings"

	"gorm.io/gorm"
)

// fill gives the caller's struct what was read: as GORM does, the selected
// columns and the relations that were joined, and nothing else.
func (n *narrowing) fill(row reflect.Value) error {
	own := &gorm.Statement{DB: n.stmt.DB}
	if err := own.Parse(n.dest); err != nil {
		return err
	}
	ctx := n.stmt.Context
	for _, sf := range own.Schema.Fields {
		if sf.DBName == "" || !sf.Readable || n.columns != nil && !slices.Contains(n.columns, strings.ToLower(sf.DBName)) {
			continue
		}
		if v, _ := sf.ValueOf(ctx, row); v == nil && len(sf.StructField.Index) > 1 {
			continue // in an embedded nil pointer, which stays nil
		}
		sf.ReflectValueOf(ctx, n.value).Set(sf.ReflectValueOf(ctx, row))
	}
	for _, j := range n.stmt.Joins {
		name, _, _ := strings.Cut(j.Name, ".")
		rel := relation(own.Schema, name)
		if rel == nil || rel.Field == nil || relation(own.Schema, j.Name) == nil {
			continue
		}
		from := rel.Field.ReflectValueOf(ctx, row)
		if from.Kind() == reflect.Pointer && from.IsNil() {
			continue
		}
		rel.Field.ReflectValueOf(ctx, n.value).Set(from)
	}
	return nil
}
