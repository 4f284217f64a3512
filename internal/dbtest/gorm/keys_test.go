package gorm_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
)

// oneConnection opens a database whose pool has one connection, with the keys in
// its own tables.
func oneConnection(t *testing.T, d dialector, cfg gorm.Config) (*gorm.DB, *keymgr.Manager, *keymgrtest.KEK) {
	db, _ := open(t, d(t), cfg)
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	pool.SetMaxOpenConns(1)
	if err := sqlstore.Migrate(t.Context(), pool); err != nil {
		t.Fatal(err)
	}
	kek := keymgrtest.NewKEK("k")
	domain := keymgr.Domain{KEKs: []keymgr.KEK{kek}, AutoCreate: true}
	keys, err := keymgr.Open(t.Context(), keymgr.Config{
		Store: sqlstore.New(pool), StoreTimeout: time.Second,
		Domains: map[string]keymgr.Domain{"medical": domain, "finance": domain},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { keys.Close() })
	models := []any{&Doctor{}, &Patient{}, &Visit{}}
	if err := db.Use(gormcrypt.New(fieldcrypt.New(keys, fieldcrypt.Config{}), models...)); err != nil {
		t.Fatal(err)
	}
	if err := db.AutoMigrate(append(models, &Label{})...); err != nil {
		t.Fatal(err)
	}
	return db, keys, kek
}

func evict(keys *keymgr.Manager) {
	keys.Evict(keymgr.Scope{Domain: "medical"})
	keys.Evict(keymgr.Scope{Domain: "finance"})
}

// TestOneConnection: cold keys are opened before the one connection is taken.
func TestOneConnection(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		for mode, cfg := range map[string]gorm.Config{"default": {}, "prepared": {PrepareStmt: true}, "without transactions": {SkipDefaultTransaction: true}} {
			db, keys, _ := oneConnection(t, d, cfg)
			p := patient(1)
			p.Doctor = &Doctor{Email: "who"}
			p.Visits = []Visit{{Reason: "r"}}
			for _, step := range []struct {
				name string
				run  func() error
			}{
				{"Create with associations", func() error { return db.Create(&p).Error }},
				{"First", func() error { return db.First(&Patient{}, "mrn = ?", p.MRN).Error }},
				{"Update", func() error { return db.Model(&p).Update("name", "x").Error }},
				{"Updates", func() error { return db.Model(&p).Updates(map[string]any{"card": "1"}).Error }},
				{"Save", func() error { return db.Save(&p).Error }},
				{"Preload", func() error { return db.Preload("Visits").Preload("Doctor").Find(&[]Patient{}).Error }},
				{"Joins", func() error { return db.Joins("Doctor").Find(&[]Patient{}).Error }},
				{"Scan", func() error { return db.Model(&Patient{}).Scan(&[]Patient{}).Error }},
				{"Pluck", func() error { return db.Model(&Patient{}).Pluck("mrn", &[]string{}).Error }},
				{"Association", func() error { return db.Model(&p).Association("Visits").Append(&Visit{Reason: "s"}) }},
				{"FirstOrCreate", func() error { return db.Where(Patient{MRN: "new"}).FirstOrCreate(&Patient{}).Error }},
				{"upsert", func() error { return db.Save([]Patient{p}).Error }},
				{"Delete", func() error { return db.Delete(&Patient{}, "mrn = ?", p.MRN).Error }},
			} {
				evict(keys)
				if err := step.run(); err != nil {
					t.Errorf("%s: %s with cold keys: %v", mode, step.name, err)
				}
			}
			// A transaction holds the connection already: with warm keys all goes on.
			err := db.Transaction(func(tx *gorm.DB) error {
				q := patient(2)
				return errors.Join(tx.Create(&q).Error, tx.First(&Patient{}, "mrn = ?", q.MRN).Error, tx.Model(&q).Update("name", "y").Error)
			})
			if err != nil {
				t.Errorf("%s: in a transaction: %v", mode, err)
			}
			// With cold keys the store cannot answer: an error, not a hang.
			err = db.Transaction(func(tx *gorm.DB) error {
				evict(keys)
				q := patient(3)
				return tx.Create(&q).Error
			})
			if !errors.Is(err, fieldcrypt.ErrStoreUnavailable) {
				t.Errorf("%s: in a transaction with cold keys: %v", mode, err)
			}
			if err := db.First(&Patient{}).Error; err != nil {
				t.Errorf("%s: afterwards: %v", mode, err)
			}
		}
	})
}

// TestColdStartMakesOneCall: many goroutines, one KMS call per domain.
func TestColdStartMakesOneCall(t *testing.T) {
	db, keys, kek := oneConnection(t, sqliteFile, gorm.Config{})
	p := patient(1)
	must(t, db.Create(&p))
	evict(keys)
	before := kek.Calls().Total()
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if err := db.First(&Patient{}, "mrn = ?", p.MRN).Error; err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := kek.Calls().Total() - before; n != 2 {
		t.Errorf("%d KMS calls, want one for each of 2 domains", n)
	}
	for range 3 {
		must(t, db.Find(&[]Patient{}))
	}
	if n := kek.Calls().Total() - before; n != 2 {
		t.Errorf("reading with warm keys made %d KMS calls", n-2)
	}
}

// TestPlainColumnsNeedNoKeys: what touches no encrypted column goes on without
// the KMS.
func TestPlainColumnsNeedNoKeys(t *testing.T) {
	db, keys, kek := oneConnection(t, sqliteFile, gorm.Config{})
	p := patient(1)
	must(t, db.Create(&p))
	kek.Deny()
	evict(keys)
	for name, tx := range map[string]*gorm.DB{
		"Update": db.Model(&p).Update("age", 7),
		"Find":   db.Select("id", "age").Find(&[]Patient{}),
		"Count":  db.Model(&Patient{}).Where("age = ?", 7).Count(new(int64)),
		"label":  db.Create(&Label{Name: "x"}),
		"Delete": db.Delete(&Patient{}, 1),
	} {
		if tx.Error != nil {
			t.Errorf("%s: %v", name, tx.Error)
		}
	}
	if err := db.Unscoped().First(&Patient{}).Error; !errors.Is(err, fieldcrypt.ErrKMSDenied) {
		t.Errorf("First: %v", err)
	}
	kek.Recover()
	must(t, db.Unscoped().First(&Patient{}))
}

// TestManyDatabases: one process, two databases with keys of their own and the
// same models, all of it at first use.
func TestManyDatabases(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		a, _ := practice(t, d, gorm.Config{})
		b, _ := practice(t, d, gorm.Config{PrepareStmt: true})
		plugin := gormcrypt.New(newCrypter(t)) // one for two
		c, _ := open(t, d(t), gorm.Config{})
		e, _ := open(t, sqliteFile(t), gorm.Config{})
		for _, db := range []*gorm.DB{c, e} {
			if err := db.Use(plugin); err != nil {
				t.Fatal(err)
			}
			if err := db.AutoMigrate(&Doctor{}); err != nil {
				t.Fatal(err)
			}
		}
		var wg sync.WaitGroup
		for i := range 8 {
			for n, db := range []*gorm.DB{a, b, c, e} {
				wg.Go(func() {
					email := fmt.Sprint(n, i)
					if err := db.Create(&Doctor{Email: email}).Error; err != nil {
						t.Error(err)
						return
					}
					var got Doctor
					if err := db.Where(&Doctor{Email: email}).First(&got).Error; err != nil || got.Email != email {
						t.Errorf("%q, %v", got.Email, err)
					}
				})
			}
		}
		wg.Wait()
		// A row of one does not open in the other.
		var stored []byte
		pa, _ := a.DB()
		pb, _ := b.DB()
		if err := pa.QueryRow("SELECT email FROM doctors LIMIT 1").Scan(&stored); err != nil {
			t.Fatal(err)
		}
		if _, err := pb.Exec("UPDATE doctors SET email = $1", stored); err != nil {
			t.Fatal(err)
		}
		if err := b.First(&Doctor{}).Error; !errors.Is(err, fieldcrypt.ErrUnknownKey) {
			t.Errorf("%v", err)
		}
	})
}

// TestFirstUseIsConcurrent: a cold schema cache and many goroutines.
func TestFirstUseIsConcurrent(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		dial := d(t)
		fc := newCrypter(t)
		setup, _ := open(t, dial, gorm.Config{})
		if err := setup.Use(gormcrypt.New(fc)); err != nil {
			t.Fatal(err)
		}
		if err := setup.AutoMigrate(&Doctor{}, &Patient{}, &Visit{}, &Label{}); err != nil {
			t.Fatal(err)
		}
		db, _ := open(t, dial, gorm.Config{})
		if err := db.Use(gormcrypt.New(fc)); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		start := make(chan struct{})
		for i := range 8 {
			wg.Go(func() {
				<-start
				p := patient(i)
				p.Doctor = &Doctor{Email: fmt.Sprint(i)}
				p.Visits = []Visit{{Reason: "r"}}
				if i%2 == 0 {
					db.Where(&Visit{Reason: "r"}).Find(&[]Visit{})
				}
				if err := db.Create(&p).Error; err != nil {
					t.Error(err)
				}
				var got Patient
				if err := db.Joins("Doctor").Preload("Visits").Where(&Patient{MRN: p.MRN}).First(&got).Error; err != nil || got.Doctor.Email != p.Doctor.Email {
					t.Errorf("%v", err)
				}
			})
		}
		close(start)
		wg.Wait()
	})
}

// TestContextReachesTheKeys: the KMS sees the caller's deadline and values.
func TestContextReachesTheKeys(t *testing.T) {
	db, keys, kek := oneConnection(t, sqliteFile, gorm.Config{})
	p := patient(1)
	must(t, db.Create(&p))
	release := kek.Block()
	defer release()
	evict(keys)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := db.WithContext(ctx).First(&Patient{}).Error
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
