package gormcrypt

import (
	"reflect"
	"slices"
	"strings"

	"gorm.io/gorm/clause"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// updateSet seals what an UPDATE sets, with one salt, and sets the indexes.
func (sc *scope) updateSet(e clause.Expression) (clause.Expression, error) {
	set, ok := e.(clause.Set)
	if !ok {
		return e, nil
	}
	return sc.assignments(set, false)
}

// assignment is what a SET gives to an encrypted column.
type assignment struct {
	column   *column
	input    reflect.Value // of the field's Go type
	null     bool
	excluded bool // the value of the row that was to be inserted
}

// assignments seals a list of assignments; upsert says that it may take over
// values of the row that was to be inserted.
func (sc *scope) assignments(set clause.Set, upsert bool) (clause.Set, error) {
	var sealer *fieldcrypt.Sealer // one for all: the columns of a row share a salt
	out := slices.Clone(set)
	var done []assignment
	for i, a := range set {
		c, err := sc.target(a.Column.Name)
		if err != nil {
			return nil, err
		}
		if c == nil {
			if out[i].Value, _, err = sc.value(a.Value); err != nil {
				return nil, err
			}
			continue
		}
		if slices.ContainsFunc(done, func(d assignment) bool { return d.column.key() == c.key() }) {
			return nil, twice(c)
		}
		if upsert && isExcluded(a.Value, c) {
			done = append(done, assignment{column: c, excluded: true})
			continue
		}
		if err := sc.keysReady(); err != nil {
			return nil, err
		}
		if sealer == nil {
			sealer = sc.b.crypter.Sealer(sc.stmt.Context, fieldcrypt.Row{})
		}
		stored, input, err := sc.b.seal(sealer, c, a.Value)
		if err != nil {
			return nil, err
		}
		out[i].Value = stored
		done = append(done, assignment{column: c, input: input, null: stored == nil})
	}
	if len(done) == 0 {
		return out, nil
	}
	for _, ix := range sc.main().indexes() {
		a, ok, err := indexAssignment(sealer, ix, done)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, a)
		}
	}
	return out, nil
}

func isExcluded(v any, c *column) bool {
	col, ok := v.(clause.Column)
	return ok && strings.EqualFold(col.Table, "excluded") && strings.EqualFold(col.Name, c.name)
}

// indexAssignment returns what an index becomes when some of its columns do.
func indexAssignment(sealer *fieldcrypt.Sealer, ix *index, done []assignment) (clause.Assignment, bool, error) {
	out := clause.Assignment{Column: clause.Column{Name: ix.name}}
	var inputs []reflect.Value
	excluded, null := 0, false
	for _, c := range ix.columns {
		at := slices.IndexFunc(done, func(a assignment) bool { return a.column.key() == c.key() })
		if at < 0 {
			continue
		}
		if done[at].excluded {
			excluded++
		}
		null = null || done[at].null
		inputs = append(inputs, done[at].input)
	}
	switch {
	case len(inputs) == 0:
		return out, false, nil
	case null:
		return out, true, nil // one NULL makes the index NULL, whatever the others are
	case excluded == len(ix.columns):
		out.Value = clause.Column{Table: "excluded", Name: ix.name}
		return out, true, nil
	case excluded > 0 || len(inputs) < len(ix.columns):
		return out, false, fieldErr("write", ix.columns[0].field, fieldcrypt.ErrUnsupported,
			"the index "+ix.name+" is over several fields and would no longer fit; write all its fields in one statement")
	}
	computed, err := sealer.Index(ix.blind, inputs...)
	out.Value = term(computed)
	return out, true, err
}

// onConflict rewrites an upsert: a conflict on an encrypted column is one on its
// index.
func (sc *scope) onConflict(e clause.Expression) (clause.Expression, error) {
	on, ok := e.(clause.OnConflict)
	if !ok || len(sc.reg.tables) == 0 {
		return e, nil
	}
	on.Columns = slices.Clone(on.Columns)
	for i, col := range on.Columns {
		c := sc.main().column(strings.ToLower(unquote(col.Name)))
		if c == nil {
			continue
		}
		ix := sc.searchIndex(c)
		if ix == nil {
			return nil, sc.unindexed(c)
		}
		on.Columns[i].Name = ix.name
	}
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
