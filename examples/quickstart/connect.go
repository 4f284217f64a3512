package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	_ "modernc.org/sqlite" // SQLite in pure Go: the driver "sqlite"
)

// connection is the database of the run.
type connection struct {
	name      string // for people
	sql       *sql.DB
	dialector func() gorm.Dialector // of GORM, on sql
	close     func(*printer) error
}

func connect(ctx context.Context, o options, dir string) (*connection, error) {
	if o.postgres != "" {
		return connectPostgres(ctx, o)
	}
	path := filepath.Join(dir, "patients.db")
	dsn := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(path), RawQuery: "_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)"}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, err
	}
	return &connection{
		name:      "SQLite",
		sql:       db,
		dialector: func() gorm.Dialector { return sqlite.New(sqlite.Config{DriverName: "sqlite", Conn: db}) },
		close:     func(*printer) error { return db.Close() },
	}, nil
}

// connectPostgres makes a schema for this run alone, so that no table of yours
// is ever touched.
func connectPostgres(ctx context.Context, o options) (*connection, error) {
	cfg, err := pgx.ParseConfig(o.postgres)
	if err != nil {
		return nil, fmt.Errorf("%w: -postgres: %w", errUsage, err) // pgx leaves out the password
	}
	schema := "fieldcrypt_quickstart_" + strings.ToLower(rand.Text()[:10])
	cfg.RuntimeParams["search_path"] = schema
	db := stdlib.OpenDB(*cfg)
	if _, err := db.ExecContext(ctx, "CREATE SCHEMA "+schema); err != nil {
		return nil, errors.Join(fmt.Errorf("-postgres: %w", err), db.Close())
	}
	return &connection{
		name:      "Postgres, schema " + schema,
		sql:       db,
		dialector: func() gorm.Dialector { return postgres.New(postgres.Config{Conn: db}) },
		close: func(out *printer) error {
			if o.keep {
				out.line("kept: schema %s", schema)
				return db.Close()
			}
			// The context of the run may be over: that must not keep the schema.
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			_, err := db.ExecContext(ctx, "DROP SCHEMA "+schema+" CASCADE")
			return errors.Join(err, db.Close())
		},
	}, nil
}
