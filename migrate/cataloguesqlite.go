package migrate

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/fieldcrypt/go/fieldcrypt"
)

const sqliteView = "a view"

func (c *Catalogue) readSQLite(ctx context.Context, mt *fieldcrypt.ManifestTable) (*Table, error) {
	t := &Table{Manifest: mt, Schema: mt.Schema}
	schema, text := cmp.Or(mt.Schema, "main"), ""
	err := c.each(ctx, func(scan func(...any) error) error {
		var kind string
		err := scan(&kind, &t.Name, &text)
		t.Kind = sqliteTable
		if kind == "view" {
			t.Kind = sqliteView
		}
		return err
	}, "SELECT type, name, coalesce(sql, '') FROM "+quoteSQLite(schema)+".sqlite_master WHERE type IN ('table', 'view') AND name = ? COLLATE NOCASE", mt.Table)
	if err != nil || t.Kind != sqliteTable {
		return t, err
	}
	checks := bareSQLite(text)
	keys := map[int]TableColumn{}
	err = c.each(ctx, func(scan func(...any) error) error {
		var col TableColumn
		var def bool
		var key, hidden int
		if err := scan(&col.Name, &col.Type, &col.NotNull, &def, &key, &hidden); err != nil {
			return err
		}
		col.Type = strings.ToLower(col.Type)
		switch {
		case hidden > 1:
			col.Made = "a GENERATED clause"
		case def:
			col.Made = "a DEFAULT"
		}
		col.Checked = strings.Contains(checks, bareSQLite("CHECK ("+sqliteCheck(col.Name)+")"))
		t.Columns = append(t.Columns, col)
		if key > 0 {
			keys[key] = col
		}
		return nil
	}, `SELECT name, type, "notnull", dflt_value IS NOT NULL, pk, hidden FROM pragma_table_xinfo(?, ?)`, t.Name, schema)
	if err != nil {
		return nil, err
	}
	if err := c.sqliteIndexes(ctx, t, schema); err != nil {
		return nil, err
	}
	if err := c.sqliteKey(ctx, t, schema, keys); err != nil {
		return nil, err
	}
	err = c.each(ctx, func(scan func(...any) error) error {
		var name string
		err := scan(&name)
		t.Triggers = append(t.Triggers, name)
		return err
	}, "SELECT name FROM "+quoteSQLite(schema)+".sqlite_master WHERE type = 'trigger' AND tbl_name = ? COLLATE NOCASE AND sql LIKE '%update%' ORDER BY 1", t.Name)
	if err != nil {
		return nil, err
	}
	err = c.each(ctx, func(scan func(...any) error) error { return scan(&t.Rows) },
		fmt.Sprintf("SELECT count(*) FROM %s.%s", quoteSQLite(schema), quoteSQLite(t.Name)))
	if err != nil {
		return nil, err
	}
	return t, c.sqliteForeign(ctx, t, schema)
}

func (c *Catalogue) sqliteIndexes(ctx context.Context, t *Table, schema string) error {
	return c.each(ctx, func(scan func(...any) error) error {
		ix := TableIndex{Valid: true}
		var origin string
		var column *string
		if err := scan(&ix.Name, &ix.Unique, &ix.Partial, &origin, &column); err != nil {
			return err
		}
		name := ""
		if column != nil {
			name = *column
		}
		if last := len(t.Indexes) - 1; last >= 0 && t.Indexes[last].Name == ix.Name {
			t.Indexes[last].Columns = append(t.Indexes[last].Columns, name)
			return nil
		}
		ix.Columns, ix.Primary = []string{name}, origin == "pk"
		t.Indexes = append(t.Indexes, ix)
		return nil
	}, `SELECT l.name, l."unique", l.partial, l.origin, x.name FROM pragma_index_list(?1, ?2) l JOIN pragma_index_xinfo(l.name, ?2) x
		WHERE x.key = 1 ORDER BY l.name, x.seqno`, t.Name, schema)
}

// sqliteKey finds the primary key, or else the narrowest unique index over columns
// that are NOT NULL. A primary key of SQLite may hold NULL unless it is the rowid or
// says otherwise: then it serves while no row has one.
func (c *Catalogue) sqliteKey(ctx context.Context, t *Table, schema string, keys map[int]TableColumn) error {
	var nullable []string
	for i := 1; i <= len(keys); i++ {
		col := keys[i]
		if !col.NotNull && !(len(keys) == 1 && col.Type == "integer") {
			nullable = append(nullable, quoteSQLite(col.Name)+" IS NULL")
		}
		t.Key = append(t.Key, col)
	}
	none := false
	if nullable != nil {
		err := c.each(ctx, func(scan func(...any) error) error { return scan(&none) },
			fmt.Sprintf("SELECT EXISTS (SELECT 1 FROM %s.%s WHERE %s)", quoteSQLite(schema), quoteSQLite(t.Name), strings.Join(nullable, " OR ")))
		if err != nil {
			return err
		}
	}
	if len(keys) > 0 && !none {
		t.KeyIndex = "the primary key"
		return nil
	}
	t.Key = nil
	for _, ix := range t.Indexes {
		if !ix.Unique || ix.Partial || t.Key != nil && len(t.Key) <= len(ix.Columns) {
			continue
		}
		var columns []TableColumn
		for _, name := range ix.Columns {
			if col := t.Column(name); name != "" && col != nil && col.NotNull {
				columns = append(columns, *col)
			}
		}
		if len(columns) == len(ix.Columns) {
			t.Key, t.KeyIndex = columns, ix.Name
		}
	}
	return nil
}

func (c *Catalogue) sqliteForeign(ctx context.Context, t *Table, schema string) error {
	encrypted := map[string]bool{}
	for _, m := range t.Manifest.Columns {
		encrypted[strings.ToLower(m.Column)] = true
	}
	return c.each(ctx, func(scan func(...any) error) error {
		var from string
		var column *string
		if err := scan(&from, &column); err != nil {
			return err
		}
		if column != nil && encrypted[strings.ToLower(*column)] {
			t.Foreign = append(t.Foreign, "of table "+from)
		}
		return nil
	}, `SELECT ?1, f."from" FROM pragma_foreign_key_list(?1, ?2) f
		UNION ALL SELECT m.name, f."to" FROM `+quoteSQLite(schema)+`.sqlite_master m, pragma_foreign_key_list(m.name, ?2) f
		WHERE m.type = 'table' AND f."table" = ?1 COLLATE NOCASE ORDER BY 1`, t.Name, schema)
}

// sqliteStrays looks for columns that look encrypted and are not in the manifest.
func (c *Catalogue) sqliteStrays(ctx context.Context, m *fieldcrypt.Manifest) (found Problems, err error) {
	known := map[string]bool{}
	for _, t := range m.Tables {
		for _, col := range t.Columns {
			known[strings.ToLower(t.Table+"\x00"+col.Column)] = true
		}
		for _, ix := range t.Indexes {
			known[strings.ToLower(t.Table+"\x00"+ix.Column)] = true
			known[strings.ToLower(t.Table+"\x00"+ix.Column+fieldcrypt.NextSuffix)] = true
		}
	}
	err = c.each(ctx, func(scan func(...any) error) error {
		var table, text, column string
		if err := scan(&table, &text, &column); err != nil {
			return err
		}
		why := ""
		switch name := strings.ToLower(column); {
		case known[strings.ToLower(table+"\x00"+column)]:
		case strings.HasSuffix(name, indexSuffix) || strings.HasSuffix(name, indexSuffix+fieldcrypt.NextSuffix):
			why = "has the name of a blind index"
		case strings.Contains(bareSQLite(text), bareSQLite("CHECK ("+sqliteCheck(column)+")")):
			why = "has the CHECK of an encrypted column"
		}
		if why != "" {
			found = append(found, Problem{Refuse, ColumnUnknown, table, column, why + ", and is not in the manifest", strayWay})
		}
		return nil
	}, `SELECT m.name, coalesce(m.sql, ''), x.name FROM sqlite_master m, pragma_table_xinfo(m.name) x
		WHERE m.type = 'table' AND m.name NOT LIKE 'fieldcrypt\_%' ESCAPE '\' AND m.name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY 1, x.cid`)
	return found, err
}

// sqliteCheck is the CHECK that drivers give an encrypted column on SQLite, whose
// columns take values of any type.
func sqliteCheck(column string) string {
	return fmt.Sprintf("%s IS NULL OR (typeof(%s) = 'blob' AND length(%s) >= %d AND substr(%s, 1, 2) = x'fc01')",
		column, column, column, fieldcrypt.MinSize, column)
}

var sqliteComments = regexp.MustCompile(`'(?:[^']|'')*'|--[^\n]*|(?s:/\*.*?\*/)`)

// bareSQLite takes from a statement what does not count: comments, space, quotes
// of names, case. Literals stay.
func bareSQLite(s string) string {
	s = sqliteComments.ReplaceAllStringFunc(s, func(m string) string {
		if m[0] == '\'' {
			return m
		}
		return " "
	})
	return strings.ToLower(strings.NewReplacer(" ", "", "\n", "", "\t", "", "\r", "", "`", "", `"`, "", "[", "", "]", "").Replace(s))
}

func quoteSQLite(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
