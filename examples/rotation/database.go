package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fieldcrypt/go/internal/pgtest"
)

// database is a Postgres and, in it, a schema of this run's own.
type database struct {
	name   string // for people
	url    string
	schema string
	stop   func() // of the server, if it is ours
}

func openDatabase(ctx context.Context, cfg config) (*database, error) {
	d := &database{url: cfg.database, stop: func() {}, schema: "fieldcrypt_rotation_" + strings.ToLower(rand.Text()[:10])}
	if d.url == "" {
		var err error
		if d.url, d.stop, err = pgtest.Run(); err != nil {
			return nil, fmt.Errorf("a Postgres of its own: %w; or name one with -database", err)
		}
	}
	if err := d.exec(ctx, "CREATE SCHEMA "+d.schema); err != nil {
		d.stop()
		return nil, fmt.Errorf("the database: %w", err)
	}
	d.name = "Postgres, schema " + d.schema
	return d, nil
}

// pool opens a pool of connections that see the schema alone.
func (d *database) pool(ctx context.Context) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(d.url)
	if err != nil {
		return nil, fmt.Errorf("%w: -database: %w", errUsage, err) // pgx leaves out the password
	}
	cfg.ConnConfig.RuntimeParams["search_path"] = d.schema
	cfg.MaxConns = 8
	return pgxpool.NewWithConfig(ctx, cfg)
}

func (d *database) exec(ctx context.Context, sql string) error {
	conn, err := pgx.Connect(ctx, d.url)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, sql)
	return errors.Join(err, conn.Close(ctx))
}

// close drops the schema, although the context of the run may be over.
func (d *database) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := d.exec(ctx, "DROP SCHEMA "+d.schema+" CASCADE")
	d.stop()
	return err
}
