package gormcrypt

import (
	"context"
	"database/sql"
	"database/sql/driver"

	"gorm.io/gorm"
)

// rowsKey is the setting by which GORM tells Row (false) and Rows (true) apart.
const rowsKey = "rows"

// fail gives a statement an error. Who called Row sees none but the row's: GORM
// would return nil, or for a prepared statement a row that panics.
func fail(stmt *gorm.Statement, err error) {
	stmt.AddError(err)
	if rows, ok := stmt.Settings.Load(rowsKey); ok && rows == false && !stmt.DryRun {
		stmt.Dest = failedRow(err)
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
