package fieldcrypt

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// tabler is GORM's way to name a table; pgx models use it too.
type tabler interface{ TableName() string }

// parseModel reads the tags of a struct.
func (c *Crypter) parseModel(t reflect.Type) (*Model, error) {
	m := &Model{Name: t.String(), Type: t}
	p := parser{crypter: c, model: m, plain: map[string]*PlainField{}}
	p.walk(t, place{})
	switch {
	case p.err != nil:
	case len(p.fields) > 0:
		p.finish()
	case t.Implements(reflect.TypeFor[indexer]()) || reflect.PointerTo(t).Implements(reflect.TypeFor[indexer]()):
		p.fail("", "FieldcryptIndexes is declared, but no field is tagged")
	}
	if p.err != nil {
		return nil, p.err
	}
	m.plain = p.columns()
	return m, nil
}

// A parser collects the fields of a struct; its first error stops it.
type parser struct {
	crypter *Crypter
	model   *Model
	fields  []taggedField
	plain   map[string]*PlainField // untagged columns by Go selector
	err     error
}

type taggedField struct {
	*Field
	tag    tag
	gorm   map[string]string
	strukt reflect.StructField
}

// primaryKey reports whether GORM takes the field for the primary key.
func (f taggedField) primaryKey() bool { return isPrimaryKey(f.strukt, f.gorm, f.Column) }

// place is where in the outermost struct the walk stands.
type place struct {
	path   string
	index  []int
	prefix string // GORM's embeddedPrefix
	depth  int
}

// maxDepth stops structs that embed themselves through a pointer.
const maxDepth = 16

func (p *parser) fail(path string, format string, args ...any) {
	if p.err == nil {
		p.err = p.model.err(path, fmt.Errorf(format, args...))
	}
}

// walk visits the fields of a struct and of those that are embedded in it, as
// GORM and pgx flatten them.
func (p *parser) walk(t reflect.Type, at place) {
	for i := range t.NumField() {
		if p.err != nil {
			return
		}
		f := t.Field(i)
		here := place{path: join(at.path, f.Name), index: append(at.index[:len(at.index):len(at.index)], i), prefix: at.prefix, depth: at.depth + 1}
		raw, tagged := f.Tag.Lookup(TagName)
		gorm := gormSettings(f.Tag.Get("gorm"))
		inner := deref(f.Type)
		switch {
		case !tagged && misspelt(f.Tag):
			p.fail(here.path, "the struct tag is malformed, so its %s part does not count; write key:\"value\" pairs with single spaces between them", TagName)
		case tagged && !f.IsExported():
			p.fail(here.path, "the field is not exported, so no driver can store it; export it")
		case tagged:
			p.tagged(f, raw, gorm, here)
		case isEmbedded(f, gorm):
			if !f.IsExported() && hasTags(inner, nil) {
				p.fail(here.path, "the embedded struct %s is not exported, so GORM would not store its fields; export it", inner)
			}
			if here.depth > maxDepth {
				if hasTags(inner, nil) {
					p.fail(here.path, "structs are embedded more than %d deep", maxDepth)
				}
				return
			}
			here.prefix += gorm["EMBEDDEDPREFIX"]
			p.walk(inner, here)
		default:
			if (serialized(gorm) || isValuer(f.Type)) && hasTags(f.Type, nil) {
				p.fail(here.path, "tags inside %s have no effect: the field is stored as one serialized value; tag the field itself, or embed the struct", inner)
			}
			if column, err := p.column(f, gorm, here); err == nil && f.IsExported() && !ignored(gorm) {
				p.plain[here.path] = &PlainField{Model: p.model, Path: here.path, Index: here.index, Type: f.Type, Column: column}
			}
		}
	}
}

func (p *parser) tagged(f reflect.StructField, raw string, gorm map[string]string, at place) {
	tag, err := parseTag(raw)
	if err != nil {
		p.fail(at.path, "%w", err)
		return
	}
	column, err := p.column(f, gorm, at)
	if err != nil && tag.id == (identity{}) {
		p.fail(at.path, "%w", err)
		return
	}
	if column == "" {
		column = tag.id.column
	}
	if tag.tenant {
		p.tenant(f, column, at)
		return
	}
	field := &Field{Model: p.model, Path: at.path, Index: at.index, Type: f.Type, Column: column,
		Domain: tag.domain, Pad: tag.pad, Plain: tag.plain, Fallback: tag.fallback}
	p.fields = append(p.fields, taggedField{field, tag, gorm, f})
}

func (p *parser) tenant(f reflect.StructField, column string, at place) {
	switch {
	case p.model.Tenant != nil:
		p.fail(at.path, "there is a tenant field already: %s", p.model.Tenant.Path)
	case f.Type.Kind() != reflect.String:
		p.fail(at.path, "the tenant field must be a string, not %s", f.Type)
	default:
		p.model.Tenant = &PlainField{Model: p.model, Path: at.path, Index: at.index, Type: f.Type, Column: column}
		p.model.Tenant.codec, _ = planCodec(f.Type)
	}
}

// column returns the column of a field: gorm's name, db's, or the default.
func (p *parser) column(f reflect.StructField, gorm map[string]string, at place) (string, error) {
	name := gorm["COLUMN"]
	if name != "" {
		name = at.prefix + name
	}
	db, _, _ := strings.Cut(f.Tag.Get("db"), ",")
	if db == "-" {
		db = ""
	}
	switch {
	case name != "" && db != "" && name != db:
		return name, fmt.Errorf(`the names gorm:"column:%s" and db:%q differ; make them one, or say which identity is meant with id=<table.column>`, name, db)
	case name != "":
		return name, nil
	case db != "":
		return db, nil
	case !ascii(f.Name):
		return "", errors.New("the field's name is not ASCII, so it has no default column; name the column")
	}
	return at.prefix + columnName(f.Name), nil
}
