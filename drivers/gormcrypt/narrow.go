package gormcrypt

import (
	"math"
	"reflect"
	"slices"
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
	columns []string // what SELECT brings, as MapColumns calls it; nil for all
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
func (sc *scope) narrow(ix *index, f filter) {
	stmt := sc.stmt
	if n := narrowingOf(stmt); n != nil {
		n.filters = append(n.filters, f)
		return
	}
	n := &narrowing{stmt: stmt, index: ix, filters: []filter{f}, want: -1, limit: stmt.Clauses["LIMIT"]}
	n.columns, _ = sc.selected()
	for _, name := range n.columns { // and what the SELECT builder adds
		if c := sc.main().column(name); c != nil {
			for _, k := range c.companions() {
				n.columns = append(n.columns, strings.ToLower(k.name))
			}
		}
	}
	for i, name := range n.columns {
		if to, ok := stmt.ColumnMapping[name]; ok {
			n.columns[i] = to
		}
	}
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

// again asks for more rows.
func (n *narrowing) again(db *gorm.DB) {
	filters := len(n.filters)
	n.filters = nil
	n.ask(2 * n.asked)
	n.stmt.SQL.Reset()
	n.stmt.Vars = nil
	n.stmt.Build(n.stmt.BuildClauses...)
	if db.Error == nil && len(n.filters) != filters {
		db.AddError(truncatedHere(n.index, "its conditions have changed meanwhile"))
	}
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

// fill gives the caller's struct what was read: as GORM does, the selected
// columns and the relations that were joined, and nothing else.
func (n *narrowing) fill(row reflect.Value) error {
	own := &gorm.Statement{DB: n.stmt.DB}
	if err := own.Parse(n.dest); err != nil {
		return err
	}
	ctx := n.stmt.Context
	for _, sf := range own.Schema.Fields {
		read := n.columns == nil || slices.ContainsFunc(n.columns, func(name string) bool { return name == sf.Name || strings.EqualFold(name, sf.DBName) })
		if sf.DBName == "" || !sf.Readable || !read {
			continue
		}
		if v, _ := sf.ValueOf(ctx, row); v == nil && len(sf.StructField.Index) > 1 {
			continue // in an embedded nil pointer, which stays nil
		}
		sf.ReflectValueOf(ctx, n.value).Set(sf.ReflectValueOf(ctx, row))
	}
	for _, j := range n.stmt.Joins {
		name, _, _ := strings.Cut(j.Name, ".")
		rel := relation(own.Schema, name)
		if rel == nil || rel.Field == nil || relation(own.Schema, j.Name) == nil {
			continue
		}
		from := rel.Field.ReflectValueOf(ctx, row)
		if from.Kind() == reflect.Pointer && from.IsNil() {
			continue
		}
		rel.Field.ReflectValueOf(ctx, n.value).Set(from)
	}
	return nil
}
