package main

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	_ "modernc.org/sqlite" // SQLite in pure Go: the driver "sqlite"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
)

// database is one pool of connections, which GORM and the keys share.
type database struct {
	name      string // for people
	sql       *sql.DB
	dialector gorm.Dialector
	lock      string // SQL that makes one instance at a time migrate, or ""
}

// openDatabase connects lazily: the first to use it finds out whether it is there.
func openDatabase(_ context.Context, cfg config) (*database, error) {
	if cfg.database == "" {
		return openSQLite(cfg.data)
	}
	pg, err := pgx.ParseConfig(cfg.database)
	if err != nil {
		return nil, fmt.Errorf("%w: -database: %w", errUsage, err) // pgx leaves out the password
	}
	if pg.ConnectTimeout == 0 {
		pg.ConnectTimeout = 5 * time.Second
	}
	db := stdlib.OpenDB(*pg)
	db.SetMaxOpenConns(20)
	db.SetMaxIdleConns(20)
	db.SetConnMaxIdleTime(5 * time.Minute)
	return &database{
		name:      "Postgres, " + pg.Database + " at " + pg.Host,
		sql:       db,
		dialector: postgres.New(postgres.Config{Conn: db}),
		lock:      "SELECT pg_advisory_xact_lock(7163384738)", // any number of the service's own
	}, nil
}

func openSQLite(dir string) (*database, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("-data: %w", err)
	}
	path := filepath.Join(dir, "clinic.db")
	dsn := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(path), RawQuery: "_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)"}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, err
	}
	return &database{
		name:      "SQLite, " + path,
		sql:       db,
		dialector: sqlite.New(sqlite.Config{DriverName: "sqlite", Conn: db}),
	}, nil
}

// openGORM opens GORM with fieldcrypt: one call of Use more than without.
func openGORM(db *database, fc *fieldcrypt.Crypter, log *slog.Logger) (*gorm.DB, error) {
	g, err := gorm.Open(db.dialector, &gorm.Config{
		Logger:         newGORMLog(log),
		TranslateError: true,                                                                    // gorm.ErrDuplicatedKey
		NowFunc:        func() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }, // what Postgres keeps
	})
	if err != nil {
		return nil, err
	}
	if err := g.Use(gormcrypt.New(fc, &Patient{})); err != nil { // a wrong tag is an error here
		return nil, err
	}
	return g, nil
}

// migrate makes the table with its index columns. Instances that start at once
// take turns.
func migrate(ctx context.Context, g *gorm.DB, lock string) error {
	return g.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if lock != "" {
			if err := tx.Exec(lock).Error; err != nil {
				return err
			}
		}
		return tx.AutoMigrate(&Patient{})
	})
}
