package main

import (
	"context"
	"database/sql"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
)

// medical is the domain whose key is rotated.
var medical = keymgr.Scope{Domain: "medical"}

// process is what a process of its own would have: connections, and keys that it
// opens through the KMS. Here all processes are in one, for the show.
type process struct {
	pool *pgxpool.Pool
	sql  *sql.DB // on the pool
	keys *keymgr.Manager
	fc   *fieldcrypt.Crypter
}

// kmsCalls counts the calls of the KMS.
type kmsCalls struct{ atomic.Int64 }

// Observe implements keymgr.Observer.
func (n *kmsCalls) Observe(_ context.Context, o keymgr.Observation) {
	if _, ok := o.(keymgr.KMSCall); ok {
		n.Add(1)
	}
}

// start opens a process: an instance of the service, or, lazy, an operator's tool.
func start(ctx context.Context, d *database, kek keymgr.KEK, calls *kmsCalls, lazy bool) (*process, error) {
	pool, err := d.pool(ctx)
	if err != nil {
		return nil, err
	}
	p := &process{pool: pool, sql: stdlib.OpenDBFromPool(pool)}
	p.keys, err = keymgr.Open(ctx, keymgr.Config{
		Store:     sqlstore.New(p.sql),
		Domains:   map[string]keymgr.Domain{medical.Domain: {KEKs: []keymgr.KEK{kek}}},
		Lazy:      lazy,
		Heartbeat: time.Second, // the least; so that the show does not wait the usual 15 s
		Observer:  calls,
	})
	if err != nil {
		p.close()
		return nil, err
	}
	p.fc = fieldcrypt.New(p.keys, fieldcrypt.Config{})
	return p, nil
}

// gorm opens GORM with fieldcrypt.
func (p *process) gorm() (*gorm.DB, error) {
	db, err := gorm.Open(postgres.New(postgres.Config{Conn: p.sql}), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		return nil, err
	}
	return db, db.Use(gormcrypt.New(p.fc, &Patient{}))
}

func (p *process) close() {
	if p.keys != nil {
		p.keys.Close()
	}
	p.sql.Close()
	p.pool.Close()
}
