package fieldcrypt

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/fieldcrypt/go/internal/transform"
)

// finish checks the model as a whole and resolves what refers to other fields.
func (p *parser) finish() {
	if p.err = p.table(); p.err != nil {
		return
	}
	m := p.model
	identities := map[string]*Field{}
	columns := columnSet{}
	for _, f := range p.plain {
		columns.add(f.Column, f.Path)
	}
	if m.Tenant != nil {
		p.claim(columns, m.Tenant.Column, m.Tenant.Path, m.Tenant.Path)
	}
	for _, f := range p.fields {
		f.Table, f.Name = m.Table, f.Column
		if f.tag.id != (identity{}) {
			f.Table, f.Name = f.tag.id.table, f.tag.id.column
		}
		if err := p.field(f); err != nil {
			p.fail(f.Path, "%w", err)
		}
		if other := identities[f.Identity()]; other != nil {
			p.fail(f.Path, "the identity %s is that of field %s too; give one of them another column or id=", f.Identity(), other.Path)
		}
		identities[f.Identity()] = f.Field
		p.claim(columns, f.Column, f.Path, f.Path)
		f.fix(p.crypter)
		m.Fields = append(m.Fields, f.Field)
	}
	for _, f := range p.fields {
		if f.Plain != "" {
			p.claim(columns, f.Plain, f.Path+" in plaintext", f.Path)
		}
	}
	if p.err == nil {
		p.indexes(columns)
	}
}

// columnSet maps columns, without regard to case, to what they belong to.
type columnSet map[string]string

func (c columnSet) add(column, owner string) { c[strings.ToLower(column)] = owner }

// maxName bounds identifiers: Postgres cuts longer ones off, in bytes.
const maxName = 63

// claim gives a column to one owner; path is the field to name in an error.
func (p *parser) claim(columns columnSet, column, owner, path string) {
	if other, taken := columns[strings.ToLower(column)]; taken {
		p.fail(path, "the column %s is that of %s too", column, other)
	}
	if len(column) > maxName {
		p.fail(path, "the column name %s is longer than %d bytes; shorten it", column, maxName)
	}
	columns.add(column, owner)
}

// table finds the logical table. TableName may be promoted from an embedded
// pointer, which is nil here.
func (p *parser) table() (err error) {
	defer func() {
		if recover() != nil {
			err = p.model.err("", errors.New("TableName panics on the zero value; give the model a TableName of its own"))
		}
	}()
	m := p.model
	if t, ok := reflect.New(m.Type).Interface().(tabler); ok {
		m.Table = t.TableName()
		m.Table = m.Table[strings.LastIndexByte(m.Table, '.')+1:] // a schema is no part of the identity
		if m.Table == "" {
			return m.err("", errors.New("TableName returns no name for the zero value"))
		}
		if len(m.Table) > maxName || strings.ContainsAny(m.Table, "\"`'[] \t\n") {
			return m.err("", fmt.Errorf("TableName returns %q: want a name without quotes of at most %d bytes", m.Table, maxName))
		}
		return nil
	}
	if name := m.Type.Name(); name != "" && ascii(name) {
		m.Table = tableName(name)
		return nil
	}
	return m.err("", errors.New("the type has no name that a default table could be made of; add a method TableName() string"))
}

func (p *parser) field(f taggedField) error {
	perTenant, err := p.crypter.keys.PerTenant(f.Domain)
	if err != nil {
		return err
	}
	if f.PerTenant = perTenant; perTenant && p.model.Tenant == nil {
		return fmt.Errorf(`domain %q has keys per tenant, so the model needs its tenant column: a string field tagged %s:",tenant"`, f.Domain, TagName)
	}
	if f.primaryKey() {
		return errors.New("a primary key cannot be encrypted: ciphertext differs at every write; use a surrogate key and an index")
	}
	if f.gorm["SERIALIZER"] != "" || f.gorm["JSON"] != "" {
		return errors.New("only fieldcrypt encodes encrypted values; remove the gorm serializer")
	}
	if hasTags(deref(f.Type), nil) {
		return fmt.Errorf("the type %s has %s tags of its own, which have no effect inside an encrypted value; remove them or embed the struct untagged", f.Type, TagName)
	}
	if f.codec, err = planCodec(f.Type); err != nil {
		return err
	}
	if err := p.crypter.checkFallback(f.Field); err != nil {
		return err
	}
	if f.tag.bind != "" {
		return p.bind(f)
	}
	return nil
}

func (p *parser) bind(f taggedField) error {
	target := p.plain[join(parent(f.Path), f.tag.bind)]
	if target == nil {
		target = p.plain[f.tag.bind]
	}
	if target == nil {
		return fmt.Errorf("bind=%s: the model has no plain field of that name", f.tag.bind)
	}
	sf := p.model.Type.FieldByIndex(target.Index)
	if madeByDatabase(sf, gormSettings(sf.Tag.Get("gorm")), target.Column) {
		return fmt.Errorf(`bind=%s: the database makes this value, so it is not known when the field is sealed; use a key that the client makes (a UUID), or say gorm:"autoIncrement:false"`, f.tag.bind)
	}
	var err error
	if target.codec, err = planCodec(target.Type); err != nil || !target.codec.binds() {
		return fmt.Errorf("bind=%s: a value binds to an integer, a UUID, text or bytes, not to %s", f.tag.bind, target.Type)
	}
	f.Bind = target
	return nil
}

// indexes makes the tags' own indexes and those of FieldcryptIndexes.
func (p *parser) indexes(columns columnSet) {
	m := p.model
	add := func(ix *BlindIndex, err error) {
		if err != nil {
			p.fail("", "%w", err)
			return
		}
		p.claim(columns, ix.Column, "index "+ix.Column, ix.Fields[0].Path)
		m.Indexes = append(m.Indexes, ix)
		for _, part := range ix.parts {
			part.field.Indexes = append(part.field.Indexes, ix)
		}
	}
	for _, f := range p.fields {
		if f.tag.index {
			ix := &BlindIndex{Column: f.Column + indexSuffix, Name: f.Name + indexSuffix, Table: f.Table}
			add(ix, p.parts(ix, 0, Part{Field: f.Path, Transform: f.tag.transform}))
		}
	}
	for _, decl := range p.declarations() {
		ix, err := p.declared(decl)
		add(ix, err)
	}
	names := map[string]bool{}
	for _, ix := range m.Indexes {
		if other, taken := columns[strings.ToLower(ix.Column+NextSuffix)]; taken {
			p.fail(ix.Fields[0].Path, "the column %s is that of %s, and that of index %s while it is re-indexed; rename it", ix.Column+NextSuffix, other, ix.Column)
		}
		if id := ix.Table + "." + ix.Name; names[id] {
			p.fail("", "two indexes have the name %s; give one of them an ID", id)
		} else {
			names[id] = true
		}
	}
}

// declarations asks the model for its indexes.
func (p *parser) declarations() (list []Index) {
	d, ok := reflect.New(p.model.Type).Interface().(indexer)
	if !ok {
		return nil
	}
	defer func() {
		if recover() != nil {
			p.fail("", "FieldcryptIndexes panics on the zero value; give the model one of its own")
		}
	}()
	return d.FieldcryptIndexes()
}

func (p *parser) declared(d Index) (*BlindIndex, error) {
	ix := &BlindIndex{Column: d.Column, Name: d.Column, Table: p.model.Table}
	if d.Column == "" || len(d.Parts) == 0 {
		return ix, errors.New("FieldcryptIndexes: an index needs a Column and Parts")
	}
	if d.ID != "" {
		id, err := parseIdentity(d.ID)
		if err != nil {
			return ix, fmt.Errorf("index %s: %w", d.Column, err)
		}
		ix.Table, ix.Name = id.table, id.column
	}
	return ix, p.parts(ix, d.Bits, d.Parts...)
}

// parts resolves what an index is made of.
func (p *parser) parts(ix *BlindIndex, bits int, parts ...Part) error {
	if bits < 0 || bits > MaxIndexBits {
		return fmt.Errorf("index %s: Bits must be from 1 to %d, or 0 for all", ix.Column, MaxIndexBits)
	}
	if ix.Bits = bits; bits == 0 {
		ix.Bits = MaxIndexBits
	}
	for _, part := range parts {
		f := p.model.Field(part.Field)
		if f == nil {
			return fmt.Errorf("index %s: %s is no encrypted field of the model", ix.Column, part.Field)
		}
		if ix.Domain == "" {
			ix.Domain, ix.PerTenant = f.Domain, f.PerTenant
		}
		if ix.Domain != f.Domain {
			return fmt.Errorf("index %s: its fields are of the domains %s and %s; an index has one", ix.Column, ix.Domain, f.Domain)
		}
		if !f.codec.indexable() {
			return fmt.Errorf("index %s: field %s of type %s cannot be indexed: a float has no exact equality, a bool would show its value, JSON and binary have no one form", ix.Column, f.Path, f.Type)
		}
		if slices.Contains(ix.Fields, f) {
			return fmt.Errorf("index %s: field %s is in it twice", ix.Column, f.Path)
		}
		resolved := indexPart{field: f}
		if part.Transform != "" {
			if !f.codec.isText() {
				return fmt.Errorf("index %s: field %s of type %s: transforms work on text", ix.Column, f.Path, f.Type)
			}
			pipeline, err := transform.Parse(part.Transform, p.crypter.cfg.Transforms)
			if err != nil {
				return fmt.Errorf("index %s: field %s: %w", ix.Column, f.Path, err)
			}
			resolved.transform = pipeline
		}
		ix.parts = append(ix.parts, resolved)
		ix.Fields = append(ix.Fields, f)
	}
	ix.fix(p.crypter)
	return nil
}
