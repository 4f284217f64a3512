package gormcrypt

import (
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

// Encrypted marks a GORM model whose fields carry fieldcrypt tags. Embed it as
// the first field:
//
//	type Patient struct {
//		gormcrypt.Encrypted
//		ID  uint64
//		MRN string `fieldcrypt:"medical,index"`
//	}
//
// It adds no column and no data. Through it GORM asks this package how to store
// the tagged fields whenever it meets the model, and refuses every statement on
// the model where the plugin is missing.
type Encrypted struct {
	Fieldcrypt marker `gorm:"-:all" json:"-" xml:"-" db:"-"` // nothing; exported because GORM looks at no other fields
}

// marker is what GORM asks while it parses a model: schema.Parse calls these
// methods for every field, before anybody can see the schema.
type marker struct{}

// CreateClauses implements schema.CreateClausesInterface.
func (marker) CreateClauses(f *schema.Field) []clause.Interface { return guarded(f.Schema) }

// QueryClauses implements schema.QueryClausesInterface.
func (marker) QueryClauses(f *schema.Field) []clause.Interface { return guarded(f.Schema) }

// UpdateClauses implements schema.UpdateClausesInterface.
func (marker) UpdateClauses(f *schema.Field) []clause.Interface { return guarded(f.Schema) }

// DeleteClauses implements schema.DeleteClausesInterface.
func (marker) DeleteClauses(f *schema.Field) []clause.Interface { return guarded(f.Schema) }

// guard stands among the clauses of a marked model and stops every statement on
// it that must not run. It also keeps what this package knows of the schema.
type guard struct {
	schema  *schema.Schema
	binding *binding // nil: parsed on a DB without the plugin
	tables  []*table // its own, if it can be used
	err     error    // why it cannot

	complete bool // each of its fields has a column
}

func guarded(s *schema.Schema) []clause.Interface {
	g := guardOf(s)
	if g == nil {
		g = newGuard(s)
	}
	return []clause.Interface{g}
}

// guardOf returns the guard of a marked model's schema, or nil.
func guardOf(s *schema.Schema) *guard {
	if s == nil {
		return nil
	}
	for _, c := range s.CreateClauses {
		if g, ok := c.(*guard); ok {
			return g
		}
	}
	return nil
}

// newGuard prepares a schema that is being parsed.
func newGuard(s *schema.Schema) *guard {
	g := &guard{schema: s, binding: bindingOfSchema(s)}
	if g.binding == nil {
		g.err = unregistered(s.ModelType.String(), "the gormcrypt plugin is not in use on this DB, or the model was used before it was; call db.Use(gormcrypt.New(fc, ...)) right after gorm.Open")
	} else if t, err := g.binding.patch(s); err == nil {
		g.binding.register(t)
		g.tables = []*table{t}
		g.complete = allHaveColumns(s)
		return g
	} else {
		g.err = err
	}
	disable(s, g.err)
	return g
}

// allHaveColumns reports whether the table must have all columns that are read.
func allHaveColumns(s *schema.Schema) bool {
	for _, name := range s.DBNames {
		if sf := s.FieldsByDBName[name]; sf.Readable && (!sf.Creatable || sf.IgnoreMigration) {
			return false
		}
	}
	return true
}

// Name implements clause.Interface.
func (*guard) Name() string { return "" }

// Build implements clause.Interface.
func (*guard) Build(clause.Builder) {}

// MergeClause implements clause.Interface.
func (*guard) MergeClause(*clause.Clause) {}

// ModifyStatement implements gorm.StatementModifier: GORM calls it before it
// builds a statement.
func (g *guard) ModifyStatement(stmt *gorm.Statement) {
	err := g.err
	if err == nil && !g.binding.intact(stmt.DB) {
		err = unregistered(g.schema.ModelType.String(), "the clause builders of gormcrypt are not those of this DB; call db.Use(gormcrypt.New(fc, ...)) on it, after other plugins that replace builders")
	}
	if err != nil {
		stop(stmt, err) // GORM builds nothing more, so its logger has no values to print
	}
}
