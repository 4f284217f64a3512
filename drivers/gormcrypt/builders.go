package gormcrypt

import (
	"errors"
	"reflect"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// rewriters say what takes the place of a clause's expression. GORM builds every
// statement out of these clauses, so they see what is final.
var rewriters = map[string]func(*scope, clause.Expression) (clause.Expression, error){
	"VALUES":      (*scope).insertValues,
	"SET":         (*scope).updateSet,
	"ON CONFLICT": (*scope).onConflict,
	"WHERE":       (*scope).whereClause,
	"FROM":        (*scope).fromClause,
	"SELECT":      (*scope).selectClause,
	"GROUP BY":    (*scope).groupBy,
	"ORDER BY":    (*scope).orderBy,
	"RETURNING":   (*scope).returning,
}

// hookBuilders puts the rewriters before the builders that are there.
func (b *binding) hookBuilders(db *gorm.DB) {
	b.builders = map[string]uintptr{}
	for name, rewrite := range rewriters {
		prev := db.ClauseBuilders[name]
		db.ClauseBuilders[name] = func(c clause.Clause, builder clause.Builder) {
			stmt, ok := builder.(*gorm.Statement)
			if ok && !b.rewrite(stmt, &c, rewrite) {
				return
			}
			if ok && name == "VALUES" { // a map's values would stay in the statement, for others to print
				kept := c
				if bulk, ok := c.Expression.(bulkValues); ok {
					kept.Expression = bulk.Values
				}
				stmt.Clauses[name] = kept
			}
			values := 0
			if ok {
				values = len(stmt.Vars)
			}
			if prev != nil {
				prev(c, builder)
			} else {
				c.Build(builder)
			}
			if ok {
				heed(stmt, values)
			}
		}
		b.builders[name] = reflect.ValueOf(db.ClauseBuilders[name]).Pointer()
	}
}

// heed makes a statement fail, before it is sent, if a sub-query in a clause was
// refused; from says which values are the clause's.
func heed(stmt *gorm.Statement, from int) {
	if err := refusedAmong(stmt.Vars[min(from, len(stmt.Vars)):]); err != nil && !errors.Is(stmt.Error, err) {
		fail(stmt, err)
	}
}

// rewrite changes the copy of a clause that is about to be built. If it cannot,
// the clause is not built, and the statement fails.
func (b *binding) rewrite(stmt *gorm.Statement, c *clause.Clause, rewrite func(*scope, clause.Expression) (clause.Expression, error)) bool {
	name := c.Name
	e, err := c.Expression, error(nil)
	if e != nil {
		from, ok := e.(clause.From)
		if !ok {
			from, _ = stmt.Clauses["FROM"].Expression.(clause.From)
		}
		sc := b.scope(stmt, from)
		if e, err = rewrite(sc, e); err == nil {
			err = sc.hints(c)
		}
	}
	if err != nil {
		refuse(stmt, name, err)
		return false
	}
	c.Expression = e
	return true
}

// hints refuses encrypted columns in what stands around a clause.
func (sc *scope) hints(c *clause.Clause) error {
	for _, e := range []clause.Expression{c.BeforeExpression, c.AfterNameExpression, c.AfterExpression} {
		if e == nil {
			continue
		}
		if _, changed, err := sc.condition(e); err != nil || changed {
			return firstError(err, queryErr("an encrypted column beside the "+c.Name+" clause"))
		}
	}
	return nil
}

// intact reports whether the builders are still ours: a plugin that came later
// and replaced one would let plaintext through.
func (b *binding) intact(db *gorm.DB) bool {
	for name, ours := range b.builders {
		if now := db.ClauseBuilders[name]; now == nil || reflect.ValueOf(now).Pointer() != ours {
			return false
		}
	}
	return true
}

// whereClause rewrites the conditions of a statement, and keeps it to the tenant
// and the bound row that it needs.
func (sc *scope) whereClause(e clause.Expression) (clause.Expression, error) {
	sc.inWhere = true
	out, err := sc.where(e)
	if err != nil {
		return nil, err
	}
	if conds := append(sc.restrictions(), sc.restricted...); len(conds) > 0 {
		return restricting(out, conds), nil
	}
	return out, nil
}

func (sc *scope) where(e clause.Expression) (clause.Expression, error) {
	if w, ok := e.(clause.Where); ok && sc.special() {
		exprs, changed, err := sc.terms(w.Exprs, true)
		if err != nil || !changed {
			return e, err
		}
		return clause.Where{Exprs: exprs}, nil
	}
	e, _, err := sc.condition(e)
	return e, err
}
