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
	columns := make([]*column, len(set))
	known := false
	for i, a := range set {
		c, err := sc.target(a.Column.Name)
		if err != nil {
			return nil, err
		}
		for _, other := range columns[:i] {
			if c != nil && other != nil && other.key() == c.key() {
				return nil, twice(c)
			}
		}
		columns[i] = c
		known = known || c != nil
	}
	u, err := sc.rowOfUpdate(set, columns, upsert)
	if err != nil {
		return nil, err
	}
	if !upsert {
		u.keep()
	}
	if known {
		if err := sc.keysReady(columns...); err != nil {
			return nil, err
		}
	}
	sealer := sc.b.crypter.Sealer(sc.stmt.Context, u.row) // one for all: the columns of a row share a salt
	out := slices.Clone(set)
	var done []assignment
	for i, a := range set {
		c := columns[i]
		if c == nil {
			if out[i].Value, _, err = sc.value(a.Value); err != nil {
				return nil, err
			}
			if t := sc.main().tenant(); u.tenant != nil && t != nil && strings.EqualFold(unquote(a.Column.Name), t.name) {
				out[i].Value = u.tenant
			}
			continue
		}
		if upsert && isExcluded(a.Value, c) {
			done = append(done, assignment{column: c, excluded: true})
			if c.plain != "" {
				out = append(out, clause.Assignment{Column: clause.Column{Name: c.plain}, Value: clause.Column{Table: "excluded", Name: c.plain}})
			}
			continue
		}
		if u.mixed && len(c.companions()) > 0 {
			return nil, fieldErr("write", c.field, fieldcrypt.ErrUnsupported,
				"one value for rows that are bound or belong to different tenants; upsert row by row, or take the inserted value (clause.AssignmentColumns)")
		}
		stored, input, err := sc.b.seal(sealer, c, a.Value)
		if err != nil {
			return nil, err
		}
		out[i].Value = stored
		done = append(done, assignment{column: c, input: input, null: stored == nil})
		if c.plain != "" {
			plain, err := adoptedOf(c, input)
			if err != nil {
				return nil, err
			}
			out = append(out, clause.Assignment{Column: clause.Column{Name: c.plain}, Value: plain})
		}
	}
	if len(done) == 0 {
		return out, nil
	}
	for _, ix := range sc.main().indexes() {
		more, err := indexAssignments(sealer, ix, done, upsert && sc.inserts(ix.next()))
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, nil
}

func isExcluded(v any, c *column) bool {
	col, ok := v.(clause.Column)
	return ok && strings.EqualFold(col.Table, "excluded") && strings.EqualFold(col.Name, c.name)
}

// indexAssignments returns what an index becomes when some of its columns do, in
// its second column too while it is moved to another key: inserted says that the
// rows which were to be inserted have that, those of another tenant perhaps.
func indexAssignments(sealer *fieldcrypt.Sealer, ix *index, done []assignment, inserted bool) ([]clause.Assignment, error) {
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
	if len(inputs) == 0 {
		return nil, nil
	}
	whole := len(inputs) == len(ix.columns)
	if !null && (excluded > 0 && excluded < len(ix.columns) || !whole) {
		return nil, fieldErr("write", ix.columns[0].field, fieldcrypt.ErrUnsupported,
			"the index "+ix.name+" is over several fields and would no longer fit; write all its fields in one statement")
	}
	computed := !null && excluded == 0
	if !computed {
		inputs = make([]reflect.Value, len(ix.columns)) // NULL: one makes the index NULL, whatever the others are
	}
	first, err := sealer.Index(ix.blind, inputs...)
	if err != nil {
		return nil, err
	}
	next, moving, err := sealer.NextIndex(ix.blind, inputs...)
	if err != nil {
		return nil, err
	}
	assign := func(name string, b []byte) clause.Assignment {
		a := clause.Assignment{Column: clause.Column{Name: name}, Value: term(b)}
		if excluded > 0 && !null {
			a.Value = clause.Column{Table: "excluded", Name: name}
		}
		return a
	}
	out := []clause.Assignment{assign(ix.name, first)}
	if moving || inserted && excluded > 0 && !null {
		out = append(out, assign(ix.next(), next))
	}
	return out, nil
}
