package gormcrypt

import (
	"fmt"
	"reflect"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// Rows of tables with per-tenant keys belong to the tenant in their tenant
// column. The context's tenant rules what is written and searched; where it names
// none, the row's own column or an equality in WHERE does.

// tenant returns the tenant column of a source, or nil.
func (s *source) tenant() *companion {
	for _, t := range s.tables {
		if t.tenant != nil {
			return t.tenant
		}
	}
	return nil
}

// tenantErr is an error about the tenant of a statement.
func tenantErr(op string, t *companion, cause error) error {
	return &fieldcrypt.Error{Op: op, Model: t.field.Model.Name, Field: t.field.Path, Column: t.field.Column, Err: cause,
		Hint: "name the tenant by fieldcrypt.WithTenant in the statement's context (db.WithContext), or by this field"}
}

// tenantOf returns the tenant of a statement that names row as its own; row may
// be anything that was given for the column.
func (sc *scope) tenantOf(op string, t *companion, row any) (string, error) {
	given, err := t.text(row)
	if err != nil {
		return "", err
	}
	tenant, err := fieldcrypt.TenantOf(sc.stmt.Context, given)
	if err != nil {
		return "", tenantErr(op, t, err)
	}
	return tenant, nil
}

// text returns a tenant column's value; NULL is "".
func (t *companion) text(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case clause.Expression, clause.Column, *gorm.DB:
		return "", fieldErrOf(t, "the tenant is computed by the database; give it as a value")
	}
	converted, err := t.field.Convert(v)
	if err != nil || !converted.IsValid() {
		return "", err
	}
	return converted.String(), nil
}

// fieldErrOf is fieldErr about a companion.
func fieldErrOf(t *companion, reason string) error {
	reason, hint, _ := strings.Cut(reason, "; ")
	return &fieldcrypt.Error{Op: "write", Model: t.field.Model.Name, Field: t.field.Path, Column: t.field.Column,
		Err: fmt.Errorf("%w: %s", fieldcrypt.ErrUnsupported, reason), Hint: hint}
}

// searchTenant returns the tenant in which a column is searched, "" for columns
// without.
func (sc *scope) searchTenant(c *column) (string, error) {
	if c.tenant == nil {
		return "", nil
	}
	var row any
	if fieldcrypt.TenantFrom(sc.stmt.Context) == "" && sc.main().column(c.key()) == c {
		row, _ = sc.fixed(c.tenant.name)
	}
	return sc.tenantOf("search", c.tenant, row)
}

// inTenant makes a condition on an index hold in one tenant only. Under a NOT it
// is the statement that is kept to the tenant.
func (sc *scope) inTenant(in *oneOf, tenant string) error {
	t := in.column.tenant
	if t == nil {
		return nil
	}
	if sc.inner == yes || sc.inner == unknown && !sc.inverted {
		in.tenant = tenant
		return nil
	}
	if !sc.inWhere || sc.inner == no || sc.occurrences(in.column) != 1 || sc.main().column(in.column.key()) != in.column {
		return fieldErr("search", in.column.field, fieldcrypt.ErrUnsearchable,
			"a NOT around a condition on a column with keys per tenant, other than in WHERE on the statement's own table; write <> or NOT IN")
	}
	sc.restrict(clause.Eq{Column: clause.Column{Table: clause.CurrentTable, Name: t.name}, Value: tenant})
	return nil
}

// occurrences counts the sources that have a column.
func (sc *scope) occurrences(c *column) (n int) {
	for _, s := range sc.sources() {
		if s.column(c.key()) == c {
			n++
		}
	}
	return n
}

// restrict adds a condition to the statement's WHERE, beside all others.
func (sc *scope) restrict(e clause.Eq) {
	for _, r := range sc.restricted {
		if reflect.DeepEqual(r, clause.Expression(e)) {
			return
		}
	}
	sc.restricted = append(sc.restricted, e)
}

// restricting puts conditions beside those of a WHERE clause.
func restricting(given clause.Expression, conds []clause.Expression) clause.Expression {
	where, ok := given.(clause.Where)
	if !ok || len(where.Exprs) == 0 {
		return clause.Where{Exprs: append([]clause.Expression{}, conds...)}
	}
	return clause.Where{Exprs: append([]clause.Expression{parenthesized{where}}, conds...)}
}

type parenthesized struct{ clause.Where }

// Build implements clause.Expression.
func (p parenthesized) Build(b clause.Builder) {
	b.WriteByte('(')
	p.Where.Build(b)
	b.WriteByte(')')
}

// fillTenants gives the tenant of the context to the structs that are about to be
// created and name none. Another one is refused when the row is sealed.
func (b *binding) fillTenants(db *gorm.DB) {
	stmt := db.Statement
	g := guardOf(stmt.Schema)
	if db.Error != nil || g == nil || len(g.tables) == 0 || g.tables[0].tenant == nil {
		return
	}
	tenant := fieldcrypt.TenantFrom(stmt.Context)
	sf := stmt.Schema.FieldsByDBName[g.tables[0].tenant.name]
	if tenant == "" || sf == nil {
		return
	}
	fill := func(v reflect.Value) {
		if v = reflect.Indirect(v); v.Kind() != reflect.Struct || v.Type() != stmt.Schema.ModelType || !v.CanAddr() {
			return
		}
		if _, zero := sf.ValueOf(stmt.Context, v); zero {
			db.AddError(sf.Set(stmt.Context, v, tenant))
		}
	}
	switch stmt.ReflectValue.Kind() {
	case reflect.Slice, reflect.Array:
		for i := range stmt.ReflectValue.Len() {
			fill(stmt.ReflectValue.Index(i))
		}
	case reflect.Struct:
		fill(stmt.ReflectValue)
	}
}
