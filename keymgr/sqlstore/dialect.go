package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// Dialect is a kind of database.
type Dialect int

// The databases that a [Store] can live in.
const (
	Postgres Dialect = iota + 1
	SQLite
)

// String returns "postgres" or "sqlite".
func (d Dialect) String() string {
	switch d {
	case Postgres:
		return "postgres"
	case SQLite:
		return "sqlite"
	}
	return fmt.Sprintf("Dialect(%d)", int(d))
}

// txOptions pins the isolation level that the statements are written for. The
// drivers of SQLite, which is always serializable, know the default alone.
func (d Dialect) txOptions() *sql.TxOptions {
	if d == Postgres {
		return &sql.TxOptions{Isolation: sql.LevelReadCommitted}
	}
	return nil
}

var errUnsupported = errors.New("this database is neither PostgreSQL nor SQLite")

// detect asks the database what it is: the driver's type says nothing once it
// is wrapped for tracing.
func detect(ctx context.Context, db *sql.DB) (Dialect, error) {
	var version string
	pgErr := db.QueryRowContext(ctx, "SELECT version()").Scan(&version)
	if pgErr == nil {
		if strings.HasPrefix(version, "PostgreSQL ") {
			return Postgres, nil
		}
		return 0, fmt.Errorf("%w: version() says %.40q", errUnsupported, version)
	}
	// SQLite has no version().
	if err := db.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&version); err == nil {
		return SQLite, nil
	}
	if err := db.PingContext(ctx); err != nil {
		return 0, err
	}
	return 0, fmt.Errorf("%w: SELECT version(): %w", errUnsupported, pgErr)
}
