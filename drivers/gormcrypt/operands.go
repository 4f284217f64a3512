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
	if err := r.run(); err != nil || r.last == nil {
		return err
	}
	return onCiphertext(r.last, "inside a "+reflect.TypeOf(e).String())
}
