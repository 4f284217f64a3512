package mainjob_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
)

// TestOneConnection: keysets and rows share a pool of one connection, and the
// keys are cold. Nothing may wait for the connection that it holds itself.
func TestOneConnection(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, e *env) { oneConnection(t, e, e.pool(t)) })
	t.Run("sqlite in memory", func(t *testing.T) {
		db := openGORM(t, sqlite.New(sqlite.Config{DriverName: "sqlite", DSN: ":memory:"}), &log{})
		s, err := db.DB()
		if err != nil {
			t.Fatal(err)
		}
		s.SetMaxOpenConns(1)
		e := newEnv(t, sqlite.New(sqlite.Config{Conn: s}))
		oneConnection(t, e, db)
	})
}

func oneConnection(t *testing.T, e *env, db *gorm.DB) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	s.SetMaxOpenConns(1)
	cfg := e.config()
	cfg.Store = sqlstore.New(s)
	cfg.StoreTimeout = time.Second
	keys, err := keymgr.Open(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { keys.Close() })
	if err := db.Use(gormcrypt.New(fieldcrypt.New(keys, fieldcrypt.Config{}), &patient{})); err != nil {
		t.Fatal(err)
	}
	if err := db.AutoMigrate(&patient{}); err != nil {
		t.Fatal(err)
	}
	db = db.WithContext(ctx)
	cold := func() {
		for _, d := range domains {
			keys.Evict(keymgr.Scope{Domain: d})
		}
	}
	for op, run := range operations {
		cold()
		p := newPatient(op)
		err := run(db, &p)
		if op == "create in a transaction" {
			// Cold keys cannot be read through the one connection, which the
			// transaction holds: an error in time, which heals itself.
			if !errors.Is(err, fieldcrypt.ErrStoreUnavailable) {
				t.Errorf("%s: got %v; want ErrStoreUnavailable", op, err)
			}
			eventually(t, func() error { return run(db, &p) })
			continue
		}
		if err != nil && err != gorm.ErrRecordNotFound {
			t.Errorf("%s: %v", op, err)
		}
	}
	// The same where they go cold in the middle of a transaction.
	err = db.Transaction(func(tx *gorm.DB) error {
		p := newPatient("warm in a transaction")
		if err := tx.Create(&p).Error; err != nil {
			t.Errorf("warm: %v", err)
		}
		cold()
		p = newPatient("cold in a transaction")
		return tx.Create(&p).Error
	})
	if !errors.Is(err, fieldcrypt.ErrStoreUnavailable) {
		t.Errorf("cold in a transaction: got %v; want ErrStoreUnavailable", err)
	}
	if ctx.Err() != nil {
		t.Fatal("deadlock")
	}
	p := newPatient("afterwards")
	if err := db.Create(&p).Error; err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
