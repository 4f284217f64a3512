package fieldcrypt

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// manifest is what the model says of its table.
func (m *Model) manifest() ManifestTable {
	t := ManifestTable{Schema: m.schema(), Table: m.Table, Models: []string{m.Name}, PrimaryKey: m.primaryKey()}
	if m.Tenant != nil {
		t.Tenant = m.Tenant.Column
	}
	for _, f := range m.Fields {
		col := ManifestColumn{Column: f.Column, ID: f.Identity(), Domain: f.Domain, PerTenant: f.PerTenant,
			Type: f.codec.typeName(), Nullable: f.Nullable(), Pad: f.Pad, Plain: f.Plain, Fallback: f.Fallback}
		if f.Bind != nil {
			col.Bind = &ManifestBind{f.Bind.Column, f.Bind.codec.boundName()}
		}
		t.Columns = append(t.Columns, col)
	}
	for _, ix := range m.Indexes {
		out := ManifestIndex{Column: ix.Column, ID: ix.Identity(), Bits: ix.Bits, Unique: ix.unique()}
		for i, f := range ix.Fields {
			out.Parts = append(out.Parts, ManifestPart{f.Column, ix.Transform(i)})
		}
		t.Indexes = append(t.Indexes, out)
	}
	return t
}

// schema is what TableName says before the last dot.
func (m *Model) schema() string {
	t, ok := reflect.New(m.Type).Interface().(tabler)
	if !ok {
		return ""
	}
	name := t.TableName()
	return name[:max(strings.LastIndexByte(name, '.'), 0)]
}

// primaryKey returns the columns that GORM takes for the primary key: those that
// are tagged, else that of the field ID.
func (m *Model) primaryKey() (tagged []string) {
	id := ""
	for _, p := range m.plain {
		sf := m.Type.FieldByIndex(p.Index)
		gorm := gormSettings(sf.Tag.Get("gorm"))
		switch {
		case isSet(gorm["PRIMARYKEY"]) || isSet(gorm["PRIMARY_KEY"]):
			tagged = append(tagged, p.Column)
		case id == "" && (sf.Name == "ID" || p.Column == "id"):
			id = p.Column
		}
	}
	if tagged == nil && id != "" {
		return []string{id}
	}
	return tagged
}

// unique reports whether the gorm tag of the index's field asks for a unique
// index, which drivers make over the index column.
func (ix *BlindIndex) unique() bool {
	f := ix.Fields[0]
	if f.SearchIndex() != ix {
		return false
	}
	for _, s := range strings.Split(f.Model.Type.FieldByIndex(f.Index).Tag.Get("gorm"), ";") {
		key, value, _ := strings.Cut(s, ":")
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "unique":
			if !strings.EqualFold(value, "false") {
				return true
			}
		case "uniqueindex":
			return true
		case "index":
			for _, o := range strings.Split(value, ",")[1:] {
				name, class, _ := strings.Cut(strings.TrimSpace(o), ":")
				if strings.EqualFold(name, "unique") || strings.EqualFold(name, "class") && strings.EqualFold(class, "unique") {
					return true
				}
			}
		}
	}
	return false
}

// add adds a table, or joins it with what is there of it.
func (m *Manifest) add(t ManifestTable) error {
	i := slices.IndexFunc(m.Tables, func(have ManifestTable) bool { return have.Name() == t.Name() })
	if i < 0 {
		m.Tables = append(m.Tables, t)
		return nil
	}
	have := &m.Tables[i]
	if slices.Contains(have.Models, t.Models[0]) {
		return nil
	}
	differ := func(what string) error {
		return fmt.Errorf("%s is another than that of %s, which is of the same table %s; make them one", what, have.Models[0], t.Name())
	}
	switch {
	case have.Tenant != "" && t.Tenant != "" && have.Tenant != t.Tenant:
		return differ("the tenant column")
	case have.PrimaryKey != nil && t.PrimaryKey != nil && !slices.Equal(have.PrimaryKey, t.PrimaryKey):
		return differ("the primary key")
	}
	for _, col := range t.Columns {
		j := slices.IndexFunc(have.Columns, func(c ManifestColumn) bool { return strings.EqualFold(c.Column, col.Column) })
		if j < 0 {
			have.Columns = append(have.Columns, col)
			continue
		}
		nullable := have.Columns[j].Nullable || col.Nullable
		have.Columns[j].Nullable, col.Nullable = nullable, nullable
		if !reflect.DeepEqual(have.Columns[j], col) {
			return differ("the column " + col.Column)
		}
	}
	for _, ix := range t.Indexes {
		j := slices.IndexFunc(have.Indexes, func(x ManifestIndex) bool { return strings.EqualFold(x.Column, ix.Column) })
		if j < 0 {
			have.Indexes = append(have.Indexes, ix)
			continue
		}
		unique := have.Indexes[j].Unique || ix.Unique
		have.Indexes[j].Unique, ix.Unique = unique, unique
		if !reflect.DeepEqual(have.Indexes[j], ix) {
			return differ("the index " + ix.Column)
		}
	}
	if have.Tenant == "" {
		have.Tenant = t.Tenant
	}
	if have.PrimaryKey == nil {
		have.PrimaryKey = t.PrimaryKey
	}
	have.Models = append(have.Models, t.Models...)
	return nil
}
