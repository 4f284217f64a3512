package gormcrypt

import (
	"slices"
	"strings"

	"gorm.io/gorm/clause"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// onConflict rewrites an upsert: a conflict on an encrypted column is one on its
// index.
func (sc *scope) onConflict(e clause.Expression) (clause.Expression, error) {
	on, ok := e.(clause.OnConflict)
	if !ok || len(sc.reg.tables) == 0 {
		return e, nil
	}
	columns := make([]clause.Column, len(on.Columns))
	for i, col := range on.Columns {
		columns[i] = col
		c := sc.main().column(strings.ToLower(unquote(col.Name)))
		if c == nil {
			continue
		}
		ix := sc.searchIndex(c)
		if ix == nil {
			return nil, sc.unindexed(c)
		}
		columns[i].Name = ix.name
	}
	sc.conflict = columns
	on.Columns = columns
	var err error
	if on.DoUpdates, err = sc.assignments(on.DoUpdates, true); err != nil {
		return nil, err
	}
	if on.Where.Exprs, _, err = sc.conditions(on.Where.Exprs); err != nil {
		return nil, err
	}
	on.TargetWhere.Exprs, _, err = sc.conditions(on.TargetWhere.Exprs)
	return on, err
}

// conflictTenant takes the tenant of an upsert from the rows that it inserts: a
// row that they conflict with is of the same tenant if the conflict says so.
func (u *updated) conflictTenant(t *companion, all []*column, given any, moves bool) error {
	if !u.conflictsOn(t) {
		return fieldErr("write", all[0].field, fieldcrypt.ErrUnsupported,
			"an upsert whose conflict target does not hold the tenant column "+t.name+" might write into another tenant's row; make it a unique index or primary key with "+t.name+", and name both in OnConflict.Columns, or use Create and Updates")
	}
	if col, ok := given.(clause.Column); moves && !(ok && strings.EqualFold(col.Table, "excluded") && strings.EqualFold(col.Name, t.name)) {
		return fieldErrOf(t, "an upsert that gives the row to another tenant; leave the tenant out of DoUpdates")
	}
	values := u.inserted(t)
	if len(values) == 0 {
		return nil
	}
	var err error
	u.row.Tenant, err = u.tenantOf("write", t, values[0])
	for _, v := range values[1:] {
		if err == nil && v != values[0] {
			u.mixed = true
		}
	}
	return err
}

func (u *updated) conflictBound(k *companion, all []*column, given any, moves bool) error {
	if !u.conflictsOn(k) {
		return fieldErr("write", all[0].field, fieldcrypt.ErrUnsupported,
			"an upsert whose conflict target does not hold "+k.name+", which its values are bound to, might leave values of another row; name that column in OnConflict.Columns, or use Create and Updates")
	}
	if col, ok := given.(clause.Column); moves && !(ok && strings.EqualFold(col.Table, "excluded") && strings.EqualFold(col.Name, k.name)) {
		return fieldErrOf(k, "an upsert that changes it, while values are bound to it; leave it out of DoUpdates")
	}
	values := u.inserted(k)
	if len(values) == 0 {
		return nil
	}
	u.mixed = u.mixed || len(values) > 1
	return u.bind(k, values[0])
}

// conflictsOn reports whether rows that conflict agree in a companion: it is in
// the conflict target, or an index is that hashes the tenant.
func (u *updated) conflictsOn(k *companion) bool {
	for _, col := range u.conflict {
		name := strings.ToLower(unquote(col.Name))
		if name == k.key() {
			return true
		}
		if ix := u.main().index(name); ix != nil && ix.blind.PerTenant && u.main().tenant() != nil && u.main().tenant().key() == k.key() {
			return true
		}
	}
	return false
}

// inserted returns a plain column's values in the rows that are inserted.
func (u *updated) inserted(k *companion) (list []any) {
	values, _ := u.stmt.Clauses["VALUES"].Expression.(clause.Values)
	for i, col := range values.Columns {
		if !strings.EqualFold(unquote(col.Name), k.name) {
			continue
		}
		for _, row := range values.Values {
			if i < len(row) {
				list = append(list, row[i])
			}
		}
	}
	return list
}

// inserts reports whether the statement inserts into a column.
func (sc *scope) inserts(name string) bool {
	values, _ := sc.stmt.Clauses["VALUES"].Expression.(clause.Values)
	return slices.ContainsFunc(values.Columns, func(col clause.Column) bool { return col.Name == name })
}
