package gormcrypt

import (
	"reflect"
	"strings"

	"gorm.io/gorm/clause"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// updated is what is known of the rows that an UPDATE, or an upsert, writes: the
// companions of the encrypted columns that it sets.
type updated struct {
	*scope
	set     clause.Set
	columns []*column // that the assignments set, nil for plain ones
	upsert  bool

	row    fieldcrypt.Row
	tenant any                      // to be set in place of what was given; nil for nothing
	bound  map[string]reflect.Value // by the Go selector of what is bound to
	where  []clause.Expression      // that the statement must ask for
	mixed  bool                     // an upsert of rows that differ in a companion
}

// rowOfUpdate looks for the companions of what is set.
func (sc *scope) rowOfUpdate(set clause.Set, columns []*column, upsert bool) (*updated, error) {
	u := &updated{scope: sc, set: set, columns: columns, upsert: upsert}
	if !sc.encrypted() {
		return u, nil
	}
	if t := sc.main().tenant(); t != nil {
		if err := u.findTenant(t); err != nil {
			return nil, err
		}
	}
	for _, c := range sc.main().allColumns() {
		if c.bound != nil {
			if err := u.findBound(c.bound); err != nil {
				return nil, err
			}
		}
	}
	if u.bound != nil {
		u.row.Bound = func(f *fieldcrypt.Field) (reflect.Value, error) {
			return u.bound[f.Bind.Path], nil
		}
	}
	return u, nil
}

// dependents returns the columns of the table that depend on a companion, and
// how many of them are set.
func (u *updated) dependents(k *companion) (all []*column, set int) {
	for _, c := range u.main().allColumns() {
		for _, other := range c.companions() {
			if other.key() == k.key() {
				all = append(all, c)
				if u.sets(c) {
					set++
				}
				break
			}
		}
	}
	return all, set
}

func (u *updated) sets(c *column) bool {
	for _, other := range u.columns {
		if other != nil && other.key() == c.key() {
			return true
		}
	}
	return false
}

// given returns what the statement assigns to a plain column.
func (u *updated) given(k *companion) (v any, ok bool, err error) {
	for i, a := range u.set {
		_, name := splitPath(a.Column.Name)
		if u.columns[i] != nil || !strings.EqualFold(unquote(name), k.name) {
			continue
		}
		if ok {
			return nil, false, givenTwice(k)
		}
		v, ok = a.Value, true
	}
	return v, ok, nil
}

func (u *updated) findTenant(t *companion) error {
	all, set := u.dependents(t)
	given, moves, err := u.given(t)
	if err != nil || set == 0 && !moves {
		return err
	}
	if u.upsert {
		return u.conflictTenant(t, all, given, moves)
	}
	row := given
	fixed, isFixed := u.fixed(t.name)
	if text, err := t.text(given); err != nil {
		return err
	} else if text == "" {
		row = fixed
		if !isFixed {
			row = u.ofModel(t)
		}
	}
	tenant, err := u.tenantOf("write", t, row)
	if err != nil {
		return err
	}
	u.row.Tenant = tenant
	if moves {
		u.tenant = tenant
	}
	named := fieldcrypt.TenantFrom(u.stmt.Context) != ""
	if moves && !named && set == len(all) {
		return nil // the whole row goes to the tenant that it names
	}
	if text, _ := t.text(fixed); moves && !named && set == 0 && text != tenant {
		return fieldErrOf(t, "an update of the tenant alone, while values are sealed for it; write all fields with keys per tenant in the same statement")
	}
	u.keepTo(t, tenant)
	return nil
}

func (u *updated) findBound(k *companion) error {
	if _, done := u.bound[k.field.Path]; done {
		return nil
	}
	all, set := u.dependents(k)
	given, moves, err := u.given(k)
	if err != nil || set == 0 && !moves {
		return err
	}
	if u.upsert {
		return u.conflictBound(k, all, given, moves)
	}
	fixed, isFixed := u.fixed(k.name)
	switch {
	case moves && set < len(all) && !(isFixed && reflect.DeepEqual(fixed, given)):
		return fieldErrOf(k, "an update of it alone, while values are bound to it; write the fields bound to it in the same statement")
	case moves:
		if set < len(all) {
			u.keepTo(k, given)
		}
		fixed = given
	case !isFixed:
		fixed = u.ofModel(k)
		if fixed == nil {
			return fieldErr("write", all[0].field, fieldcrypt.ErrUnsupported,
				"its values are bound to "+k.field.Path+", which this update does not fix; update row by row, with WHERE "+k.name+" = value")
		}
		u.keepTo(k, fixed)
	default:
		u.keepTo(k, fixed)
	}
	return u.bind(k, fixed)
}

// keepTo makes the statement ask for rows with a companion's value. It does so
// where WHERE says it already: GORM overlooks an OR between line breaks in text
// beside it, and other rows would be written too.
func (u *updated) keepTo(k *companion, value any) {
	u.where = append(u.where, clause.Eq{Column: clause.Column{Table: clause.CurrentTable, Name: k.name}, Value: value})
}

// bind notes the value that fields are bound to.
func (u *updated) bind(k *companion, v any) error {
	if _, ok := constant(v); !ok {
		return fieldErrOf(k, "values are bound to it, and it is NULL or computed by the database; give it as a value")
	}
	converted, err := k.field.Convert(v)
	if err != nil {
		return err
	}
	if u.bound == nil {
		u.bound = map[string]reflect.Value{}
	}
	u.bound[k.field.Path] = converted
	return nil
}

// ofModel returns a companion's value in the statement's Model, nil for zero.
func (u *updated) ofModel(k *companion) any {
	stmt := u.stmt
	if guardOf(stmt.Schema) == nil || stmt.ReflectValue.Kind() != reflect.Struct || stmt.ReflectValue.Type() != stmt.Schema.ModelType {
		return nil
	}
	sf := stmt.Schema.LookUpField(k.name)
	if sf == nil {
		return nil
	}
	v, zero := sf.ValueOf(stmt.Context, stmt.ReflectValue)
	if zero {
		return nil
	}
	return v
}

// allColumns returns the encrypted columns of a source, each name once.
func (s *source) allColumns() (all []*column) {
	seen := map[string]bool{}
	for _, t := range s.tables {
		for name, c := range t.columns {
			if !seen[name] {
				seen[name] = true
				all = append(all, c)
			}
		}
	}
	return all
}

const restrictKey = "fieldcrypt:restrict"

// restriction is what the SET clause of a statement asks of its WHERE clause.
type restriction struct {
	scope *scope
	conds []clause.Expression
}

// keep makes the statement ask for the rows that its values are sealed for.
func (u *updated) keep() {
	stmt := u.stmt
	if _, before := stmt.Settings.Load(restrictKey); len(u.where) == 0 && !before {
		return
	}
	stmt.Settings.Store(restrictKey, restriction{u.scope, u.where})
	if _, ok := stmt.Clauses["WHERE"]; !ok && len(u.where) > 0 && stmt.AllowGlobalUpdate {
		stmt.Clauses["WHERE"] = clause.Clause{Name: "WHERE", Expression: clause.Where{}}
	}
}

// restrictions returns what the SET clause of the same statement asks for.
func (sc *scope) restrictions() []clause.Expression {
	v, ok := sc.stmt.Settings.Load(restrictKey)
	if !ok {
		return nil
	}
	if r := v.(restriction); r.scope.stmt == sc.stmt && len(sc.stmt.BuildClauses) > 0 && sc.stmt.BuildClauses[0] == "UPDATE" {
		return r.conds
	}
	return nil
}
