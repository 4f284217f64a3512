package migrate

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// Catalogue reads what a database says of its tables: one query at a time, and
// it only reads. Make one with [PostgresCatalogue] or [SQLiteCatalogue].
type Catalogue struct {
	postgres bool
	each     func(ctx context.Context, read func(scan func(...any) error) error, query string, args ...any) error
}

// PostgresCatalogue reads the catalogue of Postgres 12 or later through a pool, a
// connection or a transaction of pgx.
func PostgresCatalogue(on interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}) *Catalogue {
	return &Catalogue{true, func(ctx context.Context, read func(func(...any) error) error, query string, args ...any) error {
		rows, err := on.Query(ctx, query, args...)
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
	}}
}

// SQLiteCatalogue reads the schema of SQLite through a pool, a connection or a
// transaction of database/sql.
func SQLiteCatalogue(on interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}) *Catalogue {
	return &Catalogue{false, func(ctx context.Context, read func(func(...any) error) error, query string, args ...any) error {
		rows, err := on.QueryContext(ctx, query, args...)
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
	}}
}

// Table is a table of a manifest as the database has it.
type Table struct {
	Manifest *fieldcrypt.ManifestTable
	Schema   string
	Name     string
	Kind     string // "table", "partitioned table"

	Columns    []TableColumn // all of them, in the order of the table
	Key        []TableColumn // by which rows are found, in order
	KeyIndex   string        // that of the primary key, or the unique index that stands in for it
	Partitions []Partition   // that hold the rows, of a table that others inherit from; its own among them
	Indexes    []TableIndex
	Triggers   []string // that fire on UPDATE
	Foreign    []string // foreign keys over an encrypted column
	Secured    bool     // row security hides rows from this role

	Rows       float64 // estimate; below 0: never analyzed
	Pages      int64   // of the heap, of all partitions
	Bytes      int64   // with indexes and TOAST
	FillFactor int     // 100 unless it was set; 0 where there is no such thing
}

// TableColumn is a column as the database has it.
type TableColumn struct {
	Name    string
	Type    string // as the database prints it
	NotNull bool
	Made    string // how the database makes its values: "a DEFAULT", "a GENERATED clause", "an IDENTITY clause"; "" for not
	Checked bool   // plaintext cannot be stored: the domain fieldcrypt_value, or a CHECK that asks the same

	flaw string // of the domain or CHECK; "" for none
}

// Partition is a table that holds rows of the one that it belongs to.
type Partition struct {
	Schema, Name string
	Rows         float64
	Pages        int64
}

// TableIndex is an index as the database has it.
type TableIndex struct {
	Name    string
	Columns []string // of the key, in order; "" for an expression
	Unique  bool
	Primary bool
	Partial bool
	Valid   bool
}

// Column returns a column by its name, or nil. On SQLite case does not count.
func (t *Table) Column(name string) *TableColumn {
	i := slices.IndexFunc(t.Columns, func(c TableColumn) bool {
		return c.Name == name || t.Kind == sqliteTable && strings.EqualFold(c.Name, name)
	})
	if i < 0 {
		return nil
	}
	return &t.Columns[i]
}

// UniqueOver returns the unique indexes that have a column in their key.
func (t *Table) UniqueOver(column string) (list []TableIndex) {
	for _, ix := range t.Indexes {
		if ix.Unique && slices.Contains(ix.Columns, column) {
			list = append(list, ix)
		}
	}
	return list
}

// sqliteTable is the Kind of SQLite's tables, and tells them from Postgres's.
const sqliteTable = "SQLite table"

// CheckOptions say how far [Catalogue.Check] looks. The zero value is right for
// most.
type CheckOptions struct {
	// Sample is how many values it reads of every bytea column in the search path
	// that the manifest does not name and that has no CHECK, to see whether they
	// are sealed values. Postgres only. Defaults to 0: it reads no row.
	Sample int
}

// Check compares a manifest with the database: what a migrator must refuse before
// it writes, and what an operator should know. It returns the tables that are
// there, in the order of the manifest, and what it found; an error only where the
// database does not answer.
//
// Tables without a schema are found by the search_path. Columns that look
// encrypted and are not in the manifest are looked for in all schemas of the
// search_path and of the manifest: such a column would be left on the old key,
// and be lost with it.
func (c *Catalogue) Check(ctx context.Context, m *fieldcrypt.Manifest, o CheckOptions) ([]*Table, Problems, error) {
	var tables []*Table
	var found Problems
	for i := range m.Tables {
		mt := &m.Tables[i]
		t, err := c.read(ctx, mt)
		if err != nil {
			return nil, nil, err
		}
		if t.Kind == "" || t.Kind == sqliteView || notTables[t.Kind] {
			found = append(found, missing(mt, t.Kind))
			continue
		}
		tables = append(tables, t)
		found = append(found, c.compare(t)...)
	}
	strays, err := c.strays(ctx, m, tables, o)
	if err != nil {
		return nil, nil, err
	}
	return tables, append(found, strays...), nil
}

func (c *Catalogue) read(ctx context.Context, mt *fieldcrypt.ManifestTable) (*Table, error) {
	if c.postgres {
		return c.readPostgres(ctx, mt)
	}
	return c.readSQLite(ctx, mt)
}

func (c *Catalogue) strays(ctx context.Context, m *fieldcrypt.Manifest, tables []*Table, o CheckOptions) (Problems, error) {
	if c.postgres {
		return c.postgresStrays(ctx, m, tables, o)
	}
	return c.sqliteStrays(ctx, m)
}

// sqlName is the table's full name, quoted.
func (t *Table) sqlName() string {
	if t.Schema == "" || t.Kind == sqliteTable {
		return quote(t.Name)
	}
	return quote(t.Schema) + "." + quote(t.Name)
}
