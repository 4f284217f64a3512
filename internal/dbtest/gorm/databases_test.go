// Package gorm_test runs gormcrypt on real databases.
package gorm_test

import (
	"context"
	"path/filepath"
	"testing"

	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/schema"
	_ "modernc.org/sqlite"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/internal/pgtest"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
)

// dialector opens a new, empty database.
type dialector func(t testing.TB) gorm.Dialector

func sqliteFile(t testing.TB) gorm.Dialector {
	dsn := "file:" + filepath.Join(t.TempDir(), "test.db") + "?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)"
	return sqlite.New(sqlite.Config{DriverName: "sqlite", DSN: dsn})
}

func postgresServer(t testing.TB) gorm.Dialector { return postgres.Open(pgtest.DB(t)) }

// onEach runs a test on every database.
func onEach(t *testing.T, test func(t *testing.T, d dialector)) {
	t.Run("SQLite", func(t *testing.T) { test(t, sqliteFile) })
	t.Run("Postgres", func(t *testing.T) { test(t, postgresServer) })
}

// open opens a database as it is, with a log of all SQL.
func open(t testing.TB, d gorm.Dialector, cfg gorm.Config) (*gorm.DB, *log) {
	t.Helper()
	l := &log{}
	cfg.Logger = l.logger()
	db, err := gorm.Open(d, &cfg)
	if err != nil {
		t.Fatal(err)
	}
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pool.Close() })
	if err := l.trace(db); err != nil {
		t.Fatal(err)
	}
	return db, l
}

// use opens a database with the plugin and the tables of the models.
func use(t testing.TB, d gorm.Dialector, models ...any) (*gorm.DB, *log) {
	t.Helper()
	return useWith(t, d, gorm.Config{}, models...)
}

func useWith(t testing.TB, d gorm.Dialector, cfg gorm.Config, models ...any) (*gorm.DB, *log) {
	t.Helper()
	db, l := open(t, d, cfg)
	if err := db.Use(gormcrypt.New(newCrypter(t), tagged(models)...)); err != nil {
		t.Fatal(err)
	}
	if err := db.AutoMigrate(models...); err != nil {
		t.Fatal(err)
	}
	l.reset()
	return db, l
}

func newCrypter(t testing.TB) *fieldcrypt.Crypter {
	return fieldcrypt.New(keymgrtest.New(t, "medical", "finance"), fieldcrypt.Config{})
}

// tagged are the models that name a domain.
func tagged(models []any) (out []any) {
	for _, m := range models {
		if _, ok := m.(interface{ plain() }); !ok {
			out = append(out, m)
		}
	}
	return out
}

func must(t testing.TB, tx *gorm.DB) {
	t.Helper()
	if tx.Error != nil {
		t.Fatal(tx.Error)
	}
}

var ctx = context.Background()

func configNamed(n schema.Namer) gorm.Config { return gorm.Config{NamingStrategy: n} }
