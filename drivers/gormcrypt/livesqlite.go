package gormcrypt

import (
	"cmp"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// sqliteCheck is the CHECK of an encrypted column on SQLite, whose columns take
// values of any type.
func sqliteCheck(column string) string {
	name := "`" + column + "`"
	return fmt.Sprintf("%s IS NULL OR (typeof(%s) = 'blob' AND length(%s) >= %d AND substr(%s, 1, 2) = x'fc01')",
		name, name, name, fieldcrypt.MinSize, name)
}

// sqliteColumns returns a table with its columns.
func (c *catalog) sqliteColumns(path tablePath) (*liveTable, error) {
	path.schema = cmp.Or(path.schema, "main")
	t := &liveTable{columns: map[string]*liveColumn{}, folds: true}
	var text sql.NullString
	err := c.each(func(scan func(...any) error) error { return scan(&t.kind, &text) },
		"SELECT type, sql FROM "+c.quote(path.schema)+".sqlite_master WHERE type IN ('table', 'view') AND name = ? COLLATE NOCASE", path.name)
	if t.kind == "view" {
		t.kind = "a view"
	}
	if err != nil || t.kind == "" {
		return t, err
	}
	t.ddl = parseDDL(text.String)
	primary := liveIndex{name: "the primary key", unique: true, valid: true, primary: true}
	err = c.each(func(scan func(...any) error) error {
		var name string
		var def, key bool
		var hidden int
		col := &liveColumn{}
		if err := scan(&name, &col.typ, &col.notNull, &def, &key, &hidden); err != nil {
			return err
		}
		col.typ = strings.ToLower(col.typ)
		switch {
		case hidden > 1:
			col.made = "a GENERATED clause"
		case def:
			col.made = "a DEFAULT"
		}
		col.check = t.ddl.check(name)
		if key {
			primary.columns = append(primary.columns, name)
		}
		t.columns[strings.ToLower(name)] = col
		return nil
	}, `SELECT name, type, "notnull", dflt_value IS NOT NULL, pk > 0, hidden FROM pragma_table_xinfo(?, ?)`, path.name, path.schema)
	if primary.columns != nil {
		t.indexes = append(t.indexes, primary)
	}
	return t, err
}

// sqliteTable returns all that is known of a table.
func (c *catalog) sqliteTable(path tablePath) (*liveTable, error) {
	t, err := c.sqliteColumns(path)
	if err != nil || t.kind != "table" {
		return t, err
	}
	path.schema = cmp.Or(path.schema, "main")
	err = c.each(func(scan func(...any) error) error {
		ix := liveIndex{valid: true}
		var origin string
		var column sql.NullString
		if err := scan(&ix.name, &ix.unique, &ix.partial, &origin, &column); err != nil || origin == "pk" {
			return err
		}
		if last := len(t.indexes) - 1; last >= 0 && t.indexes[last].name == ix.name {
			t.indexes[last].columns = append(t.indexes[last].columns, column.String)
			return nil
		}
		ix.columns = []string{column.String}
		t.indexes = append(t.indexes, ix)
		return nil
	}, `SELECT l.name, l."unique", l.partial, l.origin, x.name FROM pragma_index_list(?1, ?2) l JOIN pragma_index_xinfo(l.name, ?2) x
		WHERE x.key = 1 ORDER BY l.name, x.seqno`, path.name, path.schema)
	if err != nil {
		return nil, err
	}
	err = c.each(func(scan func(...any) error) error {
		var from string
		var column sql.NullString
		err := scan(&from, &column)
		t.foreign = append(t.foreign, liveForeignKey{"of table " + from, []string{column.String}})
		return err
	}, `SELECT ?1, f."from" FROM pragma_foreign_key_list(?1, ?2) f
		UNION ALL SELECT m.name, f."to" FROM `+c.quote(path.schema)+`.sqlite_master m, pragma_foreign_key_list(m.name, ?2) f
		WHERE m.type = 'table' AND f."table" = ?1 COLLATE NOCASE ORDER BY 1`, path.name, path.schema)
	return t, err
}

// sqliteReferrers returns the tables with rows that refer to a table by a foreign
// key that SQLite enforces now: dropping the table deletes them, or fails.
func (c *catalog) sqliteReferrers(path tablePath) (names []string, err error) {
	if on, err := c.exists("SELECT foreign_keys FROM pragma_foreign_keys"); err != nil || !on {
		return nil, err
	}
	err = c.each(func(scan func(...any) error) error {
		var name string
		err := scan(&name)
		names = append(names, name)
		return err
	}, `SELECT DISTINCT m.name FROM sqlite_master m, pragma_foreign_key_list(m.name) f
		WHERE m.type = 'table' AND f."table" = ? COLLATE NOCASE ORDER BY 1`, path.name)
	if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(names, func(name string) bool {
		some, e := c.exists("SELECT EXISTS (SELECT 1 FROM " + c.quote(name) + ")")
		err = firstError(err, e)
		return !some
	})
	return names, err
}
