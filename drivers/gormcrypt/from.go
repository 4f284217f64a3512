package gormcrypt

import (
	"slices"
	"strings"

	"gorm.io/gorm/clause"
)

// fromClause rewrites the conditions of joins. Those of a relation that is joined
// come here as text, because GORM has built them already.
func (sc *scope) fromClause(e clause.Expression) (clause.Expression, error) {
	from, ok := e.(clause.From)
	if !ok {
		return sc.where(e)
	}
	for _, t := range from.Tables {
		if err := sc.rawTable(t); err != nil {
			return nil, err
		}
	}
	for _, j := range from.Joins {
		if err := sc.rawTable(j.Table); err != nil {
			return nil, err
		}
	}
	if len(from.Joins) == 0 {
		return e, nil
	}
	from.Joins = slices.Clone(from.Joins)
	for i := range from.Joins {
		if err := sc.join(&from.Joins[i]); err != nil {
			return nil, err
		}
	}
	return from, nil
}

func (sc *scope) join(j *clause.Join) error {
	if j.Expression != nil {
		if text, _ := textOf(j.Expression); sc.encrypted() && anyWord(text, func(w string) bool { return w == "natural" }) {
			return queryErr("NATURAL JOIN compares all columns of a name, ciphertext too; join ON what is meant")
		}
		next, changed, err := sc.condition(j.Expression)
		if t, ok := next.(template); ok && changed {
			t.bare = true
			next = t
		}
		if changed {
			j.Expression = next
		}
		return err
	}
	for _, name := range j.Using {
		if c, err := sc.unqualified(strings.ToLower(unquote(name))); c != nil || err != nil {
			return firstError(err, onColumn(c, "JOIN USING"))
		}
	}
	var err error
	j.ON.Exprs, _, err = sc.conditions(j.ON.Exprs)
	return err
}

// rawTable refuses text in the place of a table.
func (sc *scope) rawTable(t clause.Table) error {
	if !t.Raw {
		return nil
	}
	if in := sc.reg.tableIn(t.Name); in != nil {
		return onCiphertext(anyColumn([]*table{in}), "text in FROM that names "+in.name)
	}
	return nil
}
