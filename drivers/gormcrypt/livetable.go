package gormcrypt

import (
	"context"
	"database/sql"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"
)

// liveTable is a table as the database describes it.
type liveTable struct {
	kind    string // "table", "" for none, or what has that name and is no table, in words
	columns map[string]*liveColumn
	indexes []liveIndex // those of constraints and of the primary key too
	foreign []liveForeignKey
	ddl     *ddl // on SQLite: what made it
	folds   bool // names of columns are the same in upper and lower case
}

// liveColumn is a column as the database describes it.
type liveColumn struct {
	typ     string // declared type, lower case; on Postgres as it prints it
	domain  string // on Postgres: what is wrong with the definition of its domain fieldcrypt_value; "" for nothing
	isValue bool   // on Postgres: the type is a domain of that name
	check   place  // on SQLite: where the CHECK of an encrypted column stands
	notNull bool
	made    string // how the database makes values for it: "a DEFAULT", "a GENERATED clause"; "" for not
}

// place is where a CHECK stands.
type place uint8

const (
	nowhere  place = iota
	atTable        // among the constraints of the table
	atColumn       // in the column's own definition, which goes where the column goes
)

// liveIndex is an index as the database describes it.
type liveIndex struct {
	name    string
	columns []string // of the key, in order; "" for an expression
	unique  bool
	partial bool // has a WHERE
	valid   bool
	primary bool
}

// liveForeignKey is a foreign key to or from the table.
type liveForeignKey struct {
	name    string
	columns []string // of this table
}

func (t *liveTable) column(name string) *liveColumn { return t.columns[t.fold(name)] }

func (t *liveTable) fold(name string) string {
	if t.folds {
		return strings.ToLower(name)
	}
	return name
}

// tablePath names a table of a database.
type tablePath struct {
	schema, name string
	current      bool // without a schema it is looked for in the current one alone, as GORM's migrator does
}

// String is the path as a person writes it.
func (p tablePath) String() string {
	if p.schema == "" {
		return p.name
	}
	return p.schema + "." + p.name
}

// pathOf returns the table of a schema, or the one that Table() put in its place.
func pathOf(s *schema.Schema, stmt *gorm.Statement) tablePath {
	path := s.Table
	if stmt != nil && stmt.TableExpr != nil {
		path = strings.NewReplacer(`"`, "", "`", "").Replace(stmt.TableExpr.SQL)
	}
	qualifier, name := splitPath(path)
	return tablePath{schema: qualifier, name: name}
}

// catalog reads what a database says of its tables. It runs one query at a time
// and only reads.
type catalog struct {
	ctx  context.Context
	pool gorm.ConnPool
	gorm.Dialector
}

func catalogOf(ctx context.Context, db *gorm.DB) *catalog {
	return &catalog{ctx, db.Statement.ConnPool, db.Dialector}
}

// columns returns a table with its columns alone.
func (c *catalog) columns(path tablePath) (*liveTable, error) {
	if c.Name() == "sqlite" {
		return c.sqliteColumns(path)
	}
	t, _, err := c.postgresColumns(path)
	return t, err
}

// table returns a table with all that is known of it.
func (c *catalog) table(path tablePath) (*liveTable, error) {
	if c.Name() == "sqlite" {
		return c.sqliteTable(path)
	}
	return c.postgresTable(path)
}

// each runs a query and calls read for every row of it.
func (c *catalog) each(read func(scan func(...any) error) error, query string, args ...any) error {
	rows, err := c.pool.QueryContext(c.ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := read(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// exists reports whether a query returns true.
func (c *catalog) exists(query string, args ...any) (found bool, err error) {
	err = c.each(func(scan func(...any) error) error { return scan(&found) }, query, args...)
	return found, err
}

// quote quotes the parts of a name.
func (c *catalog) quote(names ...string) string {
	var parts []string
	for _, name := range names {
		if name != "" {
			var b strings.Builder
			c.QuoteTo(&b, name)
			parts = append(parts, b.String())
		}
	}
	return strings.Join(parts, ".")
}

// list reads names that a query joined by newlines.
func list(s sql.NullString) []string {
	if !s.Valid {
		return nil
	}
	return strings.Split(s.String, "\n")
}
