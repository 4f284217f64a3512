package gormcrypt

import (
	"context"
	"database/sql"
	"database/sql/driver"

	"gorm.io/gorm"
)

// rowsKey is the setting by which GORM tells Row (false) and Rows (true) apart.
const rowsKey = "rows"

// afterRow gives the caller of Row, who sees no error but the row's, that of the
// statement: GORM would return nil, or for a prepared statement a row that panics.
func afterRow(db *gorm.DB) {
	explain(db)
	if rows, ok := db.Statement.Settings.Load(rowsKey); ok && rows == false && db.Error != nil && !db.DryRun {
		db.Statement.Dest = failedRow(db.Error)
	}
}

// failedRow is a row whose Scan returns err: one of a database that cannot be
// reached.
func failedRow(err error) *sql.Row {
	pool := sql.OpenDB(unreachable{err})
	defer pool.Close()
	return pool.QueryRowContext(context.Background(), "")
}

type unreachable struct{ err error }

// Connect implements driver.Connector.
func (u unreachable) Connect(context.Context) (driver.Conn, error) { return nil, u.err }

// Driver implements driver.Connector.
func (u unreachable) Driver() driver.Driver { return u }

// Open implements driver.Driver.
func (u unreachable) Open(string) (driver.Conn, error) { return nil, u.err }
