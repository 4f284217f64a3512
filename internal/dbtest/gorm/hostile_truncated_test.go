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
