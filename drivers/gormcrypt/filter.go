package gormcrypt

import (
	"reflect"
	"strings"

	"gorm.io/gorm"
)

// filter takes the false positives out of what a query has read. It asks again,
// for more, while there are too few rows left and there may be more: the result
// is always that of one statement.
func (b *binding) filter(db *gorm.DB) {
	n := narrowingOf(db.Statement)
	if n == nil {
		return
	}
	defer n.done()
	for {
		if err := n.checkText(); db.Error == nil && err != nil {
			db.AddError(err)
		}
		if db.Error != nil {
			forget(n.stmt.ReflectValue, 0) // they may not match
			db.RowsAffected = 0
			return
		}
		read := n.stmt.ReflectValue.Len()
		if err := n.keep(); err != nil {
			db.AddError(err)
			continue
		}
		if kept := n.stmt.ReflectValue.Len(); n.asked < 0 || read < n.asked || kept >= n.want {
			break
		}
		n.again(db)
	}
	rows := n.stmt.ReflectValue
	if n.want >= 0 && rows.Len() > n.want {
		forget(rows, n.want)
	}
	db.RowsAffected = int64(rows.Len())
	if n.stmt.Result != nil {
		n.stmt.Result.RowsAffected = db.RowsAffected
	}
	switch {
	case rows.Len() == 0 && n.stmt.RaiseErrorOnNotFound:
		db.AddError(gorm.ErrRecordNotFound)
	case rows.Len() > 0 && n.value.IsValid():
		db.AddError(n.fill(rows.Index(0)))
	}
}

// keep leaves the rows that match.
func (n *narrowing) keep() error {
	rows := n.stmt.ReflectValue
	kept := 0
	for i := range rows.Len() {
		ok, err := n.matches(reflect.Indirect(rows.Index(i)))
		if err != nil {
			return err
		}
		if ok {
			rows.Index(kept).Set(rows.Index(i))
			kept++
		}
	}
	forget(rows, kept)
	return nil
}

// forget drops the rows of a slice from one on.
func forget(rows reflect.Value, from int) {
	for i := from; i < rows.Len(); i++ {
		rows.Index(i).SetZero()
	}
	rows.SetLen(from)
}

// matches reports whether a row matches one value of each filter.
func (n *narrowing) matches(row reflect.Value) (bool, error) {
	for _, f := range n.filters {
		values := make([]reflect.Value, len(f.fields))
		for i, field := range f.fields {
			v, err := row.FieldByIndexErr(field.Index)
			if err != nil {
				return false, nil // in an embedded nil pointer: NULL
			}
			values[i] = v
		}
		found := false
		for _, m := range f.matchers {
			ok, err := m.Matches(values...)
			if err != nil {
				return false, err
			}
			found = found || ok
		}
		if !found {
			return false, nil
		}
	}
	return true, nil
}

// checkText refuses a statement whose text limits or combines rows in a way that
// its clauses do not say: the false positives would have counted.
func (n *narrowing) checkText() error {
	text := placeholder.ReplaceAllString(n.stmt.SQL.String(), "?")
	p := parse(text, strings.Count(text, "?"), nil, false)
	if p.opaque {
		return truncatedHere(n.index, "its text has a comment or an escape")
	}
	limits, depth := 0, 0
	for i, t := range p.tokens {
		switch {
		case t.is("("):
			depth++
		case t.is(")"):
			depth--
		case depth > 0 || p.peek(i-1).is("."):
		case t.is("limit"):
			limits++
		case t.is("offset", "fetch", "group", "having", "union", "except", "intersect", "window"), t.is("on") && p.peek(i-1).is("distinct"):
			return truncatedHere(n.index, "its text has "+strings.ToUpper(t.name))
		}
	}
	if limits > 1 || limits == 1 && n.asked < 0 {
		return truncatedHere(n.index, "its text has a LIMIT of its own")
	}
	return nil
}
