package gorm_test

import (
	"fmt"
	"testing"

	"gorm.io/gorm"

	"github.com/fieldcrypt/go/drivers/drivertest"
	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
)

// Walker is searched by a plaintext column that is being adopted and by a truncated
// index, which asks again.
type Walker struct {
	gormcrypt.Encrypted
	ID   uint64
	Name string `fieldcrypt:"medical,index,plain=name,fallback" gorm:"column:name_sealed"`
	Card string `fieldcrypt:"finance"`
}

func (Walker) FieldcryptIndexes() []fieldcrypt.Index {
	return []fieldcrypt.Index{{Column: "card_bidx", Parts: []fieldcrypt.Part{{Field: "Card"}}, Bits: 1}}
}

func TestHostileAskingAgainPrintsNoPlaintext(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, l := open(t, d(t), gorm.Config{})
		fc := fieldcrypt.New(keymgrtest.New(t, "medical", "finance"), fieldcrypt.Config{AllowPlaintextFallback: true, Observer: &audit{}})
		if err := db.Use(gormcrypt.New(fc, &Walker{})); err != nil {
			t.Fatal(err)
		}
		if err := db.AutoMigrate(&Walker{}); err != nil {
			t.Fatal(err)
		}
		name := drivertest.Canary
		all := make([]Walker, 300)
		for i := range all {
			all[i] = Walker{Name: name, Card: fmt.Sprint("card ", i/100)}
		}
		must(t, db.CreateInBatches(&all, 50))
		l.reset()
		for _, c := range []int{0, 1, 2} {
			var got []Walker
			tx := db.Where("name_sealed = ? AND card = ?", name, fmt.Sprint("card ", c)).Order("id").Limit(20).Find(&got)
			if tx.Error != nil || len(got) != 20 || tx.RowsAffected != 20 || got[19].Card != fmt.Sprint("card ", c) {
				t.Errorf("%d rows, %v", len(got), tx.Error)
			}
			if printed := fmt.Sprintf("%v %+v %#v", tx.Statement.Vars, tx.Statement.Vars, tx.Statement.Vars) + tx.Dialector.Explain(tx.Statement.SQL.String(), tx.Statement.Vars...); leak(printed) != "" {
				t.Error("the statement holds plaintext")
			}
		}
		if leak(l.sql.String()+l.slog.String()) != "" {
			t.Error("plaintext was logged")
		}
	})
}

// What a truncated index did not find is created with what was searched for, and
// what it found is not created again.
func TestHostileFirstOrCreateByATruncatedIndex(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, _ := clubhouse(t, d, 60)
		var n int64
		for what, c := range map[string]struct {
			tx   func(m *Member) *gorm.DB
			want int64
			card string
		}{
			"there":        {func(m *Member) *gorm.DB { return db.FirstOrCreate(m, Member{Card: card(3)}) }, 60, card(3)},
			"there, a map": {func(m *Member) *gorm.DB { return db.FirstOrCreate(m, map[string]any{"card": card(4)}) }, 60, card(4)},
			"init":         {func(m *Member) *gorm.DB { return db.FirstOrInit(m, Member{Card: "7391 777"}) }, 60, "7391 777"},
		} {
			var m Member
			err := c.tx(&m).Error
			must(t, db.Model(&Member{}).Count(&n))
			if err != nil || n != c.want || m.Card != c.card {
				t.Errorf("%s: %+v, %d rows, %v", what, m, n, err)
			}
		}
		isRefused(t, "an update of what was found", db.Where(Member{Card: card(5)}).Assign(Member{Age: 99}).FirstOrCreate(&Member{}).Error, fieldcrypt.ErrUnsearchable)
		var m Member
		must(t, db.FirstOrCreate(&m, Member{Card: "7391 888"}))
		var again []Member
		must(t, db.Where("card = ?", "7391888").Find(&again))
		if len(again) != 1 || again[0].ID != m.ID || m.ID == 0 {
			t.Errorf("created %+v, found %+v", m, again)
		}
		batch, seen := []Member{}, 0
		must(t, db.Where("card = ?", card(5)).FindInBatches(&batch, 1, func(tx *gorm.DB, _ int) error {
			seen += len(batch)
			return tx.Model(&Member{}).Where("id = ?", batch[0].ID).Update("age", 1).Error
		}))
		if seen != 3 {
			t.Errorf("%d rows in batches", seen)
		}
	})
}
