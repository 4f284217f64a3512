package gormcrypt

import (
	"database/sql"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// value rewrites what stands in the place of a value.
func (sc *scope) value(v any) (_ any, changed bool, err error) {
	switch v := v.(type) {
	case clause.Column:
		if c, _, err := sc.columnOf(v); c != nil || err != nil {
			return nil, false, firstError(err, onColumn(c, "comparison of columns"))
		}
	case clause.Table:
	case *gorm.DB:
		return v, false, sc.subquery(v)
	case []any:
		return asAny(sc.values(v))
	case pending:
		return asAny(sc.matched(v.match))
	case sql.NamedArg, *plain, unsealed:
	case clause.Clause: // ORDER BY inside a window, of the generics API
		if o, ok := v.Expression.(clause.OrderBy); ok {
			_, err := sc.orderBy(o)
			return v, false, err
		}
		return asAny(sc.condition(v.Expression))
	case clause.Expression:
		return asAny(sc.condition(v))
	case nil, string, []byte, int, int64, uint64, float64, bool, time.Time:
	default:
		return v, false, sc.inList(v)
	}
	return v, false, nil
}

func asAny[T any](v T, changed bool, err error) (any, bool, error) { return v, changed, err }

func (sc *scope) values(list []any) (_ []any, changed bool, err error) {
	out := list
	for i, v := range list {
		next, did, err := sc.value(v)
		if err != nil {
			return nil, false, err
		}
		if did && !changed {
			out, changed = append([]any(nil), list...), true
		}
		if did {
			out[i] = next
		}
	}
	return out, changed, nil
}

// subquery refuses to compare anything with a sub-query's ciphertext.
func (sc *scope) subquery(sub *gorm.DB) error {
	if sub.Statement.SQL.Len() > 0 {
		return sc.rawSubquery(sub)
	}
	stmt := sc.b.parsed(sub)
	s := selection{scope: sc.b.ofStatement(stmt)}
	for _, name := range stmt.Selects {
		if err := s.addColumn(selectedColumn(stmt, name)); err != nil {
			return err
		}
	}
	if e := stmt.Clauses["SELECT"].Expression; e != nil {
		if err := s.add(e); err != nil {
			return err
		}
	}
	if len(s.columns) > 0 && !s.star {
		return onCiphertext(s.columns[0], "comparison with a sub-query that selects it")
	}
	return nil
}

var placeholder = regexp.MustCompile(`\$\d+`)

// foreign looks at the SQL that an expression of another package makes.
func (sc *scope) foreign(e clause.Expression) error {
	if len(sc.reg.tables) == 0 {
		return nil
	}
	stmt := sc.stmt
	scratch := &gorm.Statement{
		DB: stmt.DB.Session(&gorm.Session{NewDB: true}), Table: stmt.Table, TableExpr: stmt.TableExpr,
		Schema: stmt.Schema, Context: stmt.Context, Clauses: map[string]clause.Clause{},
	}
	e.Build(scratch)
	if slices.ContainsFunc(scratch.Vars, func(v any) bool { _, ok := v.(pending); return ok }) {
		return queryErr("gormcrypt.Match inside a " + reflect.TypeOf(e).String() + "; give it to Where itself")
	}
	text := placeholder.ReplaceAllString(scratch.SQL.String(), "?")
	if !sc.concerned(text) {
		return nil
	}
	r := rewriter{scope: sc, vars: make([]any, strings.Count(text, "?"))}
	r.parsed = parse(text, len(r.vars), nil, false)
	r.skipWholeRows(e)
	if err := r.run(); err != nil || r.last == nil {
		return err
	}
	return onCiphertext(r.last, "inside a "+reflect.TypeOf(e).String())
}

// skipWholeRows passes over the columns of a sub-query of the generics API that
// selects all of a table, which QueryFields makes GORM write out: it is SELECT *,
// and the rest was built by our builders.
func (r *rewriter) skipWholeRows(e clause.Expression) {
	from := slices.IndexFunc(r.tokens, func(t token) bool { return t.is("from") })
	if reflect.Indirect(reflect.ValueOf(e)).Type().PkgPath() != queryPath || from < 0 || !r.tokens[0].is("select") {
		return
	}
	selected := map[string]bool{}
	for i := 1; i < from; {
		if !r.tokens[i].ident() {
			return
		}
		end, path := r.path(i)
		if end < from && !r.tokens[end].is(",") {
			return
		}
		_, name := splitPath(path)
		selected[name] = true
		i = end + 1
	}
	whole := len(selected) > 1 // one column can be compared with a value
	for _, ref := range r.levels[0].refs {
		tables := r.reg.find(ref.path)
		whole = whole && len(tables) > 0
		for _, t := range tables {
			for name := range t.columns {
				whole = whole && selected[name]
			}
			for name := range t.indexes {
				whole = whole && selected[name]
			}
		}
	}
	if !whole {
		return
	}
	r.tokens, r.level, r.table = r.tokens[from:], r.level[from:], r.table[from:]
}

// queryPath is the package of GORM's own queries.
var queryPath = reflect.TypeFor[gorm.DB]().PkgPath()
