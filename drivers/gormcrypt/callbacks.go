package gormcrypt

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"
)

// hookCallbacks makes GORM ask before every statement, before it takes a
// connection, and after queries.
func (b *binding) hookCallbacks(db *gorm.DB) error {
	const name, redact = "fieldcrypt:before", "fieldcrypt:redact"
	cb := db.Callback()
	return errors.Join(
		cb.Create().After("gorm:create").Register(redact, redactPlain),
		cb.Query().After("gorm:query").Register(redact, redactPlain),
		cb.Query().Before("gorm:query").Register("fieldcrypt:open", b.beginOpening),
		cb.Update().After("gorm:update").Register(redact, redactPlain),
		cb.Delete().After("gorm:delete").Register(redact, redactPlain),
		cb.Row().After("gorm:row").Register(redact, redactPlain),
		cb.Create().Before("*").Register(name, b.before),
		cb.Query().Before("*").Register(name, b.beforeQuery),
		cb.Update().Before("*").Register(name, b.before),
		cb.Delete().Before("*").Register(name, b.before),
		cb.Row().Before("*").Register(name, b.before),
		cb.Raw().Before("*").Register(name, b.before),
		cb.Create().Before("gorm:create").Register("fieldcrypt:tenant", b.fillTenants),
		cb.Query().Before("gorm:preload").Register("fieldcrypt:after", b.afterQuery),
		cb.Create().Before("gorm:save_after_associations").Register("fieldcrypt:after", b.after),
		cb.Update().Before("gorm:save_after_associations").Register("fieldcrypt:after", b.after),
		cb.Delete().Before("gorm:after_delete").Register("fieldcrypt:after", b.after),
	)
}

// afterQuery does what is left to do with the rows of a query.
func (b *binding) afterQuery(db *gorm.DB) {
	b.endOpening(db)
	b.filter(db)
	b.after(db)
}

// before refuses statements that must not run and opens the keys of those that
// may.
func (b *binding) before(db *gorm.DB) {
	if db.Error != nil {
		withoutValues(db)
		return
	}
	if err := b.admit(db.Statement); err != nil {
		stop(db.Statement, err)
	}
}

// withoutValues takes the values out of GORM's error about a map that is written
// or read without a Model: it prints the whole map, and nobody knows of what.
func withoutValues(db *gorm.DB) {
	if t := elem(db.Statement.Model); errors.Is(db.Error, schema.ErrUnsupportedDataType) && t != nil && t.Kind() != reflect.Struct {
		db.Error = fmt.Errorf("%w: %T without a table: say which, by db.Model(&user) or db.Table(\"users\")", schema.ErrUnsupportedDataType, db.Statement.Model)
	}
}

// stop makes a statement fail that was not built yet, or whose text was given.
func stop(stmt *gorm.Statement, err error) {
	if stmt.SQL.Len() > 0 { // given, with values in the clear; others are of the statement around
		stmt.SQL.Reset()
		stmt.Vars = nil
	}
	refuse(stmt, "", err)
}

func (b *binding) admit(stmt *gorm.Statement) error {
	if stmt.Schema != nil {
		if g := guardOf(stmt.Schema); g != nil && g.err != nil {
			return g.err
		}
		if v := b.verdict(stmt.Schema); v.err != nil {
			return v.err
		}
	}
	if stmt.SQL.Len() > 0 {
		if err := firstError(refusedAmong(stmt.Vars), b.checkRaw(stmt)); err != nil {
			return err
		}
	}
	if err := b.ownColumns(stmt); err != nil {
		return err
	}
	sc := b.ofStatement(stmt)
	if stmt.TableExpr != nil {
		c, err := sc.mention(stmt.TableExpr.SQL, true)
		if err = firstError(err, onColumn(c, "text in Table"), sc.tableValues(stmt.TableExpr.Vars),
			sc.understood(parse(stmt.TableExpr.SQL, len(stmt.TableExpr.Vars), nil, true))); err != nil {
			return err
		}
	}
	for _, j := range stmt.Joins {
		if relation(stmt.Schema, j.Name) != nil {
			continue
		}
		if err := firstError(sc.understood(parse(j.Name, len(j.Conds), nil, false)), sc.inList(withoutMatches(j.Conds))); err != nil {
			return err
		}
	}
	if sc.encrypted() && !b.intact(stmt.DB) {
		return pluginErr("another plugin has replaced a clause builder of gormcrypt; register that plugin before gormcrypt")
	}
	if stmt.SQL.Len() > 0 {
		sc.addRaw(stmt.SQL.String())
		if err := b.rawRows(sc, stmt); err != nil {
			return err
		}
	}
	b.warm(sc)
	return nil
}

// ownColumns refuses maps that name columns which this package alone writes: GORM
// would pass them over.
func (b *binding) ownColumns(stmt *gorm.Statement) error {
	tables := b.tablesOf(stmt.Schema)
	if len(tables) == 0 || len(stmt.BuildClauses) == 0 || stmt.BuildClauses[0] == "SELECT" {
		return nil
	}
	main := &source{tables: tables}
	check := func(m map[string]any) error {
		for name := range m {
			if sf := stmt.Schema.LookUpField(name); isEncrypted(sf) {
				continue // by its Go name
			}
			_, name = splitPath(strings.ToLower(unquote(name)))
			if c := main.plainColumn(name); c != nil {
				return onPlain(c)
			}
		}
		return nil
	}
	switch dest := stmt.Dest.(type) {
	case map[string]any:
		return check(dest)
	case *map[string]any:
		return check(*dest)
	case []map[string]any:
		for _, m := range dest {
			if err := check(m); err != nil {
				return err
			}
		}
	case *[]map[string]any:
		for _, m := range *dest {
			if err := check(m); err != nil {
				return err
			}
		}
	}
	return nil
}
