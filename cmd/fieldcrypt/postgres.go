package main

import (
	"database/sql"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

func isPostgres(dsn string) bool {
	return strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://")
}

// openPostgres does not connect yet.
func openPostgres(dsn, source string) (*sql.DB, error) {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		cause := errors.Unwrap(err) // without the URL
		if cause == nil {
			cause = errUnescaped
		}
		return nil, usagef("%s is no Postgres URL that can be used: %w", source, cause)
	}
	if strings.Contains(cfg.Database, "@") { // or an error of the server would show it
		return nil, usagef("%s is no Postgres URL that can be used: %w", source, errUnescaped)
	}
	if cfg.DefaultQueryExecMode == pgx.QueryExecModeCacheStatement {
		// The default prepares statements, which fail behind a pooler in
		// transaction mode and gain nothing for the few that are run here.
		cfg.DefaultQueryExecMode = pgx.QueryExecModeExec
	}
	if _, set := cfg.RuntimeParams["application_name"]; !set {
		cfg.RuntimeParams["application_name"] = "fieldcrypt"
	}
	return stdlib.OpenDB(*cfg), nil
}

var errUnescaped = errors.New("percent-encode what is special in the user name and the password")

// hasPassword reports whether a URL holds one, anywhere that pgx would look:
// then what pgx prints of the URL is not the URL.
func hasPassword(dsn string) bool {
	return isPostgres(dsn) && !strings.Contains(pgconn.NewParseConfigError(dsn, "", nil).Error(), dsn)
}
