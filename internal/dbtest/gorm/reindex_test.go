package gorm_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
	"github.com/fieldcrypt/go/keymgr/memstore"
)

// Holder has a unique index that moves to another key.
type Holder struct {
	gormcrypt.Encrypted
	ID   uint64
	MRN  string  `fieldcrypt:"medical,index" gorm:"uniqueIndex"`
	Name *string `fieldcrypt:"medical,index"`
}

// moving opens a database in which the index of Holder.MRN moves to a new key,
// and the second column is there with a unique index of its own.
func moving(t testing.TB, d dialector) (*gorm.DB, *keymgr.Manager, *keymgrtest.Clock) {
	t.Helper()
	clock := keymgrtest.NewClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	keys, err := keymgr.Open(ctx, keymgr.Config{Store: memstore.New(), Now: clock.Now,
		Domains: map[string]keymgr.Domain{"medical": {KEKs: []keymgr.KEK{keymgrtest.NewKEK("k")}, AutoCreate: true}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { keys.Close() })
	db, _ := open(t, d(t), gorm.Config{})
	if err := db.Use(gormcrypt.New(fieldcrypt.New(keys, fieldcrypt.Config{}), &Holder{})); err != nil {
		t.Fatal(err)
	}
	if err := db.AutoMigrate(&Holder{}); err != nil {
		t.Fatal(err)
	}
	must(t, db.Create(&Holder{ID: 1, MRN: "old"}))
	bytesType := map[string]string{"sqlite": "blob", "postgres": "bytea"}[db.Dialector.Name()]
	must(t, db.Exec("ALTER TABLE holders ADD COLUMN mrn_bidx_next "+bytesType))
	must(t, db.Exec("CREATE UNIQUE INDEX holders_next ON holders (mrn_bidx_next)"))
	scope := keymgr.Scope{Domain: "medical"}
	id, err := keys.AddKey(ctx, scope, keymgr.Index)
	if err == nil {
		err = keys.BeginReindex(ctx, scope, "holders.mrn_bidx", id)
	}
	if err != nil {
		t.Fatal(err)
	}
	return db, keys, clock
}

type bothColumns struct{ MrnBidx, MrnBidxNext []byte }

func indexesOf(t testing.TB, db *gorm.DB, id uint64) (b bothColumns) {
	t.Helper()
	must(t, gormcrypt.AllowRaw(db).Raw("SELECT mrn_bidx, mrn_bidx_next FROM holders WHERE id = ?", id).Scan(&b))
	return b
}

func TestAnIndexThatMovesIsWrittenTwice(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, keys, clock := moving(t, d)
		holds := func(what string, id uint64, mrn string) {
			t.Helper()
			terms, err := gormcrypt.Terms(db, &Holder{}, "mrn", mrn)
			if err != nil || len(terms) != 2 {
				t.Fatalf("Terms: %d, %v", len(terms), err)
			}
			if b := indexesOf(t, db, id); !bytes.Equal(b.MrnBidx, terms[0]) || !bytes.Equal(b.MrnBidxNext, terms[1]) {
				t.Errorf("%s: the columns hold %x and %x, want %x", what, b.MrnBidx, b.MrnBidxNext, terms)
			}
			var h Holder
			if err := db.First(&h, "mrn = ?", mrn).Error; err != nil || h.ID != id {
				t.Errorf("%s: found %d, %v", what, h.ID, err)
			}
		}
		must(t, db.Create(&[]Holder{{ID: 2, MRN: "two"}, {ID: 3, MRN: "three"}}))
		holds("Create", 2, "two")
		holds("Create", 3, "three")
		must(t, db.Model(&Holder{}).Create(map[string]any{"id": 4, "mrn": "four"}))
		holds("Create of a map", 4, "four")
		must(t, db.Model(&Holder{ID: 2}).Update("mrn", "deux"))
		holds("Update", 2, "deux")
		h := Holder{ID: 3, MRN: "trois"}
		must(t, db.Save(&h))
		holds("Save", 3, "trois")
		must(t, db.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "id"}}, DoUpdates: clause.AssignmentColumns([]string{"mrn"})}).Create(&Holder{ID: 4, MRN: "quatre"}))
		holds("an upsert", 4, "quatre")
		must(t, db.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "id"}}, DoUpdates: clause.Assignments(map[string]any{"mrn": "vier"})}).Create(&Holder{ID: 4, MRN: "x"}))
		holds("an upsert with a value", 4, "vier")
		must(t, db.Model(&Holder{ID: 2}).Update("name", "n")) // another index is not moved

		var old Holder
		must(t, db.First(&old, "mrn = ?", "old")) // not yet moved, and found
		if b := indexesOf(t, db, 1); b.MrnBidxNext != nil {
			t.Error("the old row has a second term")
		}
		must(t, db.Save(&old)) // what the migrator will do to all
		holds("the old row, saved", 1, "old")

		// Unique all the while: also when the new key has become the one that writes.
		if err := db.Create(&Holder{MRN: "old"}).Error; err == nil {
			t.Error("a duplicate was stored before the switch")
		}
		clock.Advance(24 * time.Hour)
		terms, err := gormcrypt.Terms(db, &Holder{}, "mrn", "x")
		if err != nil {
			t.Fatal(err)
		}
		id := uint32(terms[1][0])<<24 | uint32(terms[1][1])<<16 | uint32(terms[1][2])<<8 | uint32(terms[1][3])
		if err := keys.PromoteKey(ctx, keymgr.Scope{Domain: "medical"}, keymgr.Index, id); err != nil {
			t.Fatal(err)
		}
		if err := db.Create(&Holder{MRN: "old"}).Error; err == nil {
			t.Error("a duplicate was stored after the switch")
		}
		if err := keys.EndReindex(ctx, keymgr.Scope{Domain: "medical"}, "holders.mrn_bidx"); err != nil {
			t.Fatal(err)
		}
		must(t, db.Exec("ALTER TABLE holders RENAME COLUMN mrn_bidx_next TO mrn_bidx_moved"))
		must(t, db.Create(&Holder{ID: 9, MRN: "after"}))
		var ids []uint64
		must(t, db.Model(&Holder{}).Where("mrn = ?", "after").Pluck("id", &ids))
		if len(ids) != 1 || ids[0] != 9 {
			t.Errorf("found %v", ids)
		}
	})
}

func TestAMissingSecondColumnIsAnError(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, _, _ := moving(t, d)
		must(t, db.Exec("DROP INDEX holders_next"))
		must(t, db.Exec("ALTER TABLE holders RENAME COLUMN mrn_bidx_next TO gone"))
		if err := db.Create(&Holder{ID: 2, MRN: "two"}).Error; err == nil {
			t.Error("a row was stored without its second term")
		}
		if err := db.First(&Holder{}, 2).Error; !errors.Is(err, gorm.ErrRecordNotFound) {
			t.Error(err)
		}
	})
}
