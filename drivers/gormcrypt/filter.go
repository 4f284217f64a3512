package gormcrypt

import (
	"math"
	"reflect"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/fieldcrypt/go/fieldcrypt"
)

const narrowingKey = "fieldcrypt:narrowing"

// narrowing is what a query by a truncated index has still to do: of the rows it
// reads only those that match all filters are its result.
type narrowing struct {
	stmt    *gorm.Statement
	index   *index   // for errors
	columns []string // that SELECT brings, lower case; nil for all
	filters []filter

	want  int // rows that the caller asked for; -1 for all
	asked int // rows that the database is asked for; -1 for all
	limit clause.Clause

	dest  any           // the caller's struct, while the rows are read into a slice
	value reflect.Value // the zero Value for a slice
}

// filter says which rows match one condition.
type filter struct {
	fields   []*fieldcrypt.Field // of the destination
	matchers []*fieldcrypt.Matcher
}

func narrowingOf(stmt *gorm.Statement) *narrowing {
	if v, ok := stmt.Settings.Load(narrowingKey); ok {
		if n := v.(*narrowing); n.stmt == stmt {
			return n
		}
	}
	return nil
}

// narrow adds a filter to the query that is being built, and lets it read more
// rows than its caller wants.
func (sc *scope) narrow(ix *index, f filter) error {
	stmt := sc.stmt
	if n := narrowingOf(stmt); n != nil {
		n.filters = append(n.filters, f)
		return nil
	}
	n := &narrowing{stmt: stmt, index: ix, filters: []filter{f}, want: -1, limit: stmt.Clauses["LIMIT"]}
	n.columns, _ = sc.selected()
	if limit, ok := n.limit.Expression.(clause.Limit); ok && limit.Limit != nil && *limit.Limit >= 0 {
		n.want = *limit.Limit
	}
	if stmt.ReflectValue.Kind() == reflect.Struct {
		if n.want != 0 {
			n.want = 1 // as GORM reads one row for a struct
		}
		n.dest, n.value = stmt.Dest, stmt.ReflectValue
		list := reflect.New(reflect.SliceOf(n.value.Type()))
		stmt.Dest, stmt.ReflectValue = list.Interface(), list.Elem()
	}
	n.ask(n.want)
	stmt.Settings.Store(narrowingKey, n)
	return nil
}

// ask sets the statement's LIMIT to something more than n; -1 for none.
func (n *narrowing) ask(rows int) {
	n.asked = rows
	if rows > 0 && rows < math.MaxInt32 {
		n.asked = 2*rows + 14
	} else if rows > 0 {
		n.asked = -1
	}
	c := n.limit
	if c.Expression == nil && n.asked < 0 {
		delete(n.stmt.Clauses, "LIMIT")
		return
	}
	asked := n.asked
	c.Expression = clause.Limit{Limit: &asked}
	n.stmt.Clauses["LIMIT"] = c
}

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
		if err := n.tampered(); db.Error == nil && err != nil {
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

// again asks for more rows.
func (n *narrowing) again(db *gorm.DB) {
	n.filters = nil
	n.ask(2 * n.asked)
	n.stmt.SQL.Reset()
	n.stmt.Vars = nil
	n.stmt.Build(n.stmt.BuildClauses...)
	if query := db.Callback().Query().Get("gorm:query"); db.Error == nil {
		query(db)
	}
}

// done gives the statement back what it had.
func (n *narrowing) done() {
	n.stmt.Settings.Delete(narrowingKey)
	if n.limit.Expression == nil {
		delete(n.stmt.Clauses, "LIMIT")
	} else {
		n.stmt.Clauses["LIMIT"] = n.limit
	}
	if n.value.IsValid() {
		n.stmt.Dest, n.stmt.ReflectValue = n.dest, n.value
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

// tampered refuses a statement whose text limits or combines rows in a way that
// its clauses do not say: the false positives would have counted.
func (n *narrowing) tampered() error {
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
