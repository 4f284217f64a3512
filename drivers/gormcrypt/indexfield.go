package gormcrypt

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"gorm.io/gorm/schema"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// addIndex gives a schema the column of a blind index: a field without a Go
// field, that the migrator makes with its indexes and that only the builders
// write.
func (b *binding) addIndex(s *schema.Schema, t *table, blind *fieldcrypt.BlindIndex, columns map[*fieldcrypt.Field]*column) error {
	ix := &index{name: blind.Column, blind: blind}
	for _, f := range blind.Fields {
		ix.columns = append(ix.columns, columns[f])
	}
	f := blind.Fields[0]
	if blind.Column == f.Column+"_bidx" { // the tag's own follows the column's SQL name
		ix.name = ix.columns[0].name + "_bidx"
	}
	if s.FieldsByDBName[ix.name] != nil {
		return modelErr(f.Model.Name, f.Path, fmt.Sprintf("its index column %s is a field of the model too; remove the field, gormcrypt makes the column", ix.name))
	}
	if err := checkName(f, ix.name); err != nil {
		return err
	}
	tag := "index"
	unique := false
	if f.SearchIndex() == blind {
		sf := s.FieldsByBindName[f.Path]
		if moved := takeIndexTags(sf); moved != "" {
			tag = moved
		} else if sf.Unique {
			tag = ""
		}
		unique, sf.Unique = sf.Unique, false
		delete(sf.TagSettings, "UNIQUE")
	}
	t.addIndex(ix)
	ours := !slices.ContainsFunc(blind.Fields, func(f *fieldcrypt.Field) bool { return s.FieldsByBindName[f.Path].IgnoreMigration })
	if !ours { // whoever makes the encrypted column makes this one too
		tag, unique = "", false
	}
	vf := virtualField(s, ix.name, tag)
	vf.Unique, vf.IgnoreMigration = unique, !ours
	s.Fields = append(s.Fields, vf)
	s.DBNames = append(s.DBNames, ix.name)
	s.FieldsByDBName[ix.name] = vf
	s.FieldsByName[vf.Name] = vf // where GORM looks up that it is not writable
	return nil
}

// virtualField is a column that no Go field stands for. Its name has the form of
// a column, so that it is no Go field's and makes GORM's usual names of indexes.
func virtualField(s *schema.Schema, name, tag string) *schema.Field {
	bytesType := reflect.TypeFor[[]byte]()
	return &schema.Field{
		Name: name, DBName: name, BindNames: []string{name}, EmbeddedBindNames: []string{name},
		DataType: schema.Bytes, GORMDataType: schema.Bytes,
		FieldType: bytesType, IndirectFieldType: reflect.TypeFor[indexTerm](), // asked by the migrator for the column's type
		Schema: s, Tag: reflect.StructTag(fmt.Sprintf("gorm:%q", tag)), TagSettings: schema.ParseTagSetting(tag, ";"),
		ReflectValueOf: func(context.Context, reflect.Value) reflect.Value { return reflect.New(bytesType).Elem() },
		ValueOf:        func(context.Context, reflect.Value) (any, bool) { return nil, true },
		Set:            func(context.Context, reflect.Value, any) error { return nil },
		NewValuePool:   holders{},
	}
}

// takeIndexTags takes the index settings off an encrypted field's tag, for its
// index column.
func takeIndexTags(sf *schema.Field) string {
	var moved, kept []string
	for _, setting := range strings.Split(sf.Tag.Get("gorm"), ";") {
		if isIndexSetting(setting) {
			moved = append(moved, setting)
		} else {
			kept = append(kept, setting)
		}
	}
	delete(sf.TagSettings, "INDEX")
	delete(sf.TagSettings, "UNIQUEINDEX")
	sf.Tag = reflect.StructTag(fmt.Sprintf("gorm:%q %s:%q", strings.Join(kept, ";"), fieldcrypt.TagName, sf.Tag.Get(fieldcrypt.TagName)))
	return strings.Join(moved, ";")
}

func isIndexSetting(setting string) bool {
	key, _, _ := strings.Cut(setting, ":")
	key = strings.ToUpper(strings.TrimSpace(key))
	return key == "INDEX" || key == "UNIQUEINDEX"
}
