package fieldcrypttest

import (
	"context"
	"database/sql"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/drivers/pgxcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/awskms"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
)

// Env is what an application under test runs on. It ends with the test that
// started it.
type Env struct {
	// URL is that of the database, for programs that connect by themselves.
	URL string
	// Pool is a connection pool of the database, in which pgxcrypt.Register has
	// been called for every connection.
	Pool *pgxpool.Pool
	// GORM is on the same pool, with the plugin.
	GORM *gorm.DB
	// Fieldcrypt holds the keys: Fieldcrypt.Keys() manages them.
	Fieldcrypt *fieldcrypt.Crypter
	// KMS wraps them.
	KMS KMS

	options Options
	models  models
	scopes  []keymgr.Scope // whose keysets are made
	server  *server
	db      *database
	current atomic.Pointer[fieldcrypt.Crypter] // for new connections
	handles []*sql.DB                          // on Pool
	log     logReader
}

// Start returns an environment with a database, keysets and tables, and with the
// keys opened. The test fails where that cannot be had.
func Start(t testing.TB, o Options) *Env {
	t.Helper()
	e := &Env{options: o, models: sortModels(o.Models)}
	e.scopes = e.allScopes()
	if len(e.scopes) == 0 {
		t.Fatal("fieldcrypttest: no key domain: name Models with tags, or Domains")
	}
	e.server = serverFor(t, o.Image)
	e.KMS = startKMS(t, o.KMS, e.server)
	for _, d := range e.domains() {
		e.KMS.CreateKey(kmsAlias(d))
	}
	e.db = newDatabase(t, e.server)
	e.URL = e.db.url
	ctx := context.Background()
	if err := e.setUp(ctx); err != nil {
		t.Fatalf("fieldcrypttest: %v", err)
	}
	pool, err := e.openPool(ctx, e.URL)
	if err != nil {
		t.Fatalf("fieldcrypttest: %v", err)
	}
	e.Pool = pool
	t.Cleanup(func() { e.end(t) })
	e.KMS.ResetCalls()
	if err := e.connect(ctx); err != nil {
		t.Fatalf("fieldcrypttest: %v", err)
	}
	e.log = logReader{server: e.server, database: e.db.name}
	if err := e.log.restart(ctx, e.db.admin); err != nil {
		t.Fatalf("fieldcrypttest: %v", err)
	}
	return e
}

// setUp makes what every environment begins with, in the template, and the
// database as its first copy.
func (e *Env) setUp(ctx context.Context) error {
	if err := e.db.createTemplate(ctx); err != nil {
		return err
	}
	if err := e.fillTemplate(ctx); err != nil {
		return err
	}
	return e.db.copyTemplate(ctx)
}

func (e *Env) openPool(ctx context.Context, url string) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	if e.options.Pool != nil {
		e.options.Pool(cfg)
	}
	own := cfg.AfterConnect
	cfg.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		if fc := e.current.Load(); fc != nil {
			if err := pgxcrypt.AfterConnect(fc)(ctx, conn); err != nil {
				return err
			}
		}
		if own == nil {
			return nil
		}
		return own(ctx, conn)
	}
	return pgxpool.NewWithConfig(ctx, cfg)
}

// connect makes Fieldcrypt and GORM on the pool, and opens all scopes.
func (e *Env) connect(ctx context.Context) error {
	keys, err := e.openKeys(ctx, e.handle())
	if err != nil {
		return err
	}
	e.Fieldcrypt = fieldcrypt.New(keys, e.options.Crypter)
	e.current.Store(e.Fieldcrypt)
	if err := e.openScopes(ctx); err != nil {
		return err
	}
	e.GORM, err = e.openGORM(e.handle(), e.Fieldcrypt)
	return err
}

// handle returns Pool for database/sql, until the end of the test.
func (e *Env) handle() *sql.DB {
	db := stdlib.OpenDBFromPool(e.Pool)
	e.handles = append(e.handles, db)
	return db
}

// storeTimeout is for a machine on which other tests run.
const storeTimeout = 30 * time.Second

// openKeys returns a Manager of the keysets in a database. It is Lazy, for tests
// set its clock and break its database: it does not report as an instance.
func (e *Env) openKeys(ctx context.Context, db *sql.DB) (*keymgr.Manager, error) {
	cfg := keymgr.Config{Domains: map[string]keymgr.Domain{}, StoreTimeout: storeTimeout}
	client := e.KMS.Client()
	for _, d := range e.domains() {
		_, perTenant := e.options.Tenants[d]
		cfg.Domains[d] = keymgr.Domain{KEKs: []keymgr.KEK{awskms.Key(client, kmsAlias(d))}, PerTenant: perTenant}
	}
	if e.options.Keys != nil {
		e.options.Keys(&cfg)
	}
	cfg.Store, cfg.Lazy = sqlstore.New(db), true
	return keymgr.Open(ctx, cfg)
}

// openScopes opens every scope that was made at the start.
func (e *Env) openScopes(ctx context.Context) error {
	for _, s := range e.scopes {
		if _, err := e.Fieldcrypt.Keys().Keys(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func (e *Env) closeKeys() {
	if e.Fieldcrypt != nil {
		e.Fieldcrypt.Keys().Close()
	}
}

func (e *Env) openGORM(conn *sql.DB, fc *fieldcrypt.Crypter) (*gorm.DB, error) {
	cfg := gorm.Config{}
	if e.options.GORM != nil {
		cfg = *e.options.GORM
	}
	if cfg.Logger == nil {
		cfg.Logger = logger.Discard
	}
	db, err := gorm.Open(postgres.New(postgres.Config{Conn: conn}), &cfg)
	if err != nil {
		return nil, err
	}
	return db, db.Use(gormcrypt.New(fc, e.models.marked...))
}

// domains are all key domains, sorted.
func (e *Env) domains() []string {
	var names []string
	for _, s := range e.scopes {
		names = append(names, s.Domain)
	}
	for d := range e.options.Tenants { // one may have no tenants yet
		names = append(names, d)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// allScopes are those whose keysets are made at the start.
func (e *Env) allScopes() (scopes []keymgr.Scope) {
	domains := slices.Concat(e.options.Domains, e.models.domains)
	slices.Sort(domains)
	for _, d := range slices.Compact(domains) {
		if _, perTenant := e.options.Tenants[d]; !perTenant {
			scopes = append(scopes, keymgr.Scope{Domain: d})
		}
	}
	for d, tenants := range e.options.Tenants {
		for _, tenant := range tenants {
			scopes = append(scopes, keymgr.Scope{Domain: d, Tenant: tenant})
		}
	}
	return scopes
}
