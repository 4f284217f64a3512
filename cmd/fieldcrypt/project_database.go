package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/migrate"
)

// projectDB is a database as package migrate and package sqlstore take it.
type projectDB struct {
	migrate *migrate.DB
	keys    *sql.DB
	pool    *pgxpool.Pool // nil on SQLite
}

func (db *projectDB) close() {
	db.keys.Close()
	if db.pool != nil {
		db.pool.Close()
	}
}

// openProject connects to the database. On Postgres there is one pool for all.
func (f *databaseFlag) openProject(ctx context.Context) (*projectDB, error) {
	dsn, source, err := f.dsn()
	if err != nil {
		return nil, err
	}
	if !isPostgres(dsn) {
		db, err := f.open(ctx, false)
		if err != nil {
			return nil, err
		}
		return &projectDB{migrate: migrate.SQLite(db), keys: db}, nil
	}
	cfg, err := poolConfig(dsn, source)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	reach, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	if err := pool.Ping(reach); err != nil {
		pool.Close()
		return nil, fmt.Errorf("%w: %w", keymgr.ErrStoreUnavailable, err)
	}
	return &projectDB{migrate: migrate.Postgres(pool), keys: stdlib.OpenDBFromPool(pool), pool: pool}, nil
}

// poolConfig is what a URL says. Statements are prepared, because the same few run
// over and over; behind a pooler that cannot take that, the URL says
// default_query_exec_mode=exec.
func poolConfig(dsn, source string) (*pgxpool.Config, error) {
	if _, err := openPostgres(dsn, source); err != nil { // it does not connect, and its errors hold no URL
		return nil, err
	}
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, usagef("%s is no Postgres URL that can be used: %w", source, errors.Unwrap(err))
	}
	if _, set := cfg.ConnConfig.RuntimeParams["application_name"]; !set {
		cfg.ConnConfig.RuntimeParams["application_name"] = "fieldcrypt"
	}
	return cfg, nil
}
