package gorm_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
)

// Lodger has every kind of index under keys per tenant.
type Lodger struct {
	gormcrypt.Encrypted
	ID     uint64
	Age    int
	Name   string `fieldcrypt:"tenants"`
	MRN    string `fieldcrypt:"tenants,index"`
	Card   string `fieldcrypt:"tenants"`
	Clinic string `fieldcrypt:",tenant"`
}

func (Lodger) FieldcryptIndexes() []fieldcrypt.Index {
	return []fieldcrypt.Index{
		{Column: "name_mrn_bidx", Parts: []fieldcrypt.Part{{Field: "Name", Transform: "fold"}, {Field: "MRN"}}},
		{Column: "card_bidx", Parts: []fieldcrypt.Part{{Field: "Card", Transform: "digits"}}, Bits: 1},
		{Column: "card_last4_bidx", Parts: []fieldcrypt.Part{{Field: "Card", Transform: "digits|last(4)"}}},
	}
}

// lodgings: in each of two clinics 60 lodgers of the same names, with odd ids in
// acme and even ones in hill.
func lodgings(t *testing.T, d dialector) (*gorm.DB, *log) {
	t.Helper()
	keys := keymgrtest.NewPerTenant(t, "tenants")
	db, l := open(t, d(t), gorm.Config{})
	if err := db.Use(gormcrypt.New(fieldcrypt.New(keys, fieldcrypt.Config{}), &Lodger{})); err != nil {
		t.Fatal(err)
	}
	if err := db.AutoMigrate(&Lodger{}); err != nil {
		t.Fatal(err)
	}
	for _, tenant := range []string{acme, hill} {
		if err := keys.Ensure(ctx, keymgr.Scope{Domain: "tenants", Tenant: tenant}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 60 {
		for _, tenant := range []string{acme, hill} {
			must(t, in(db, tenant).Create(&Lodger{Age: i, Name: fmt.Sprint("Ann ", i%5), MRN: fmt.Sprint(i % 3), Card: card(i % cards)}))
		}
	}
	l.reset()
	return db, l
}

// TestSearchStaysInItsTenant: each kind of index finds the rows of the context's
// tenant, or of the one that WHERE names, and none without.
func TestSearchStaysInItsTenant(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, _ := lodgings(t, d)
		byCard := func(c int) func(i int) bool { return func(i int) bool { return i%cards == c } }
		for name, c := range map[string]struct {
			run  func(db q) q
			want func(i int) bool
		}{
			"Match":              {func(db q) q { return db.Where(gormcrypt.Match("card_last4_bidx", "9113")) }, byCard(13)},
			"Match of two":       {func(db q) q { return db.Where(gormcrypt.Match("name_mrn_bidx", "ANN 2", "1")) }, func(i int) bool { return i%5 == 2 && i%3 == 1 }},
			"Not Match":          {func(db q) q { return db.Not(gormcrypt.Match("mrn_bidx", "1")) }, func(i int) bool { return i%3 != 1 }},
			"compound":           {func(db q) q { return db.Where(&Lodger{Name: "ANN 2", MRN: "1"}) }, func(i int) bool { return i%5 == 2 && i%3 == 1 }},
			"compound in text":   {func(db q) q { return db.Where("name = ? AND age > ? AND mrn = ?", "ANN 2", 20, "1") }, func(i int) bool { return i > 20 && i%5 == 2 && i%3 == 1 }},
			"truncated":          {func(db q) q { return db.Where("card = ?", card(7)) }, byCard(7)},
			"truncated, Match":   {func(db q) q { return db.Where(gormcrypt.Match("card_bidx", card(7))) }, byCard(7)},
			"truncated, columns": {func(db q) q { return db.Select("id", "card").Where("card = ?", card(7)) }, byCard(7)},
			"truncated, IN":      {func(db q) q { return db.Where("card IN ?", []string{card(7), card(8)}) }, func(i int) bool { return i%cards == 7 || i%cards == 8 }},
			"truncated and more": {func(db q) q { return db.Where(&Lodger{Card: card(7), Name: "ANN 2", MRN: "1"}) }, func(i int) bool { return i%cards == 7 && i%5 == 2 && i%3 == 1 }},
		} {
			t.Run(name, func(t *testing.T) {
				for offset, tenant := range []string{acme, hill} {
					var want []uint64
					for i := range 60 {
						if c.want(i) {
							want = append(want, uint64(2*i+1+offset))
						}
					}
					for how, db := range map[string]q{"context": in(db, tenant), "WHERE": db.Where("clinic = ?", tenant).Session(&gorm.Session{})} {
						var got []Lodger
						must(t, c.run(db).Order("id").Find(&got))
						var ids []uint64
						for _, m := range got {
							ids = append(ids, m.ID)
						}
						if !slices.Equal(ids, want) {
							t.Errorf("%s by %s: found %v, want %v", tenant, how, ids, want)
						}
						var one Lodger
						tx := c.run(db).First(&one)
						if len(want) == 0 && !errors.Is(tx.Error, gorm.ErrRecordNotFound) || len(want) > 0 && (tx.Error != nil || one.ID != want[0] || one.Clinic != tenant) {
							t.Errorf("%s by %s: First found %d of %q: %v", tenant, how, one.ID, one.Clinic, tx.Error)
						}
					}
				}
				if err := c.run(fresh(db)).Find(&[]Lodger{}).Error; !errors.Is(err, fieldcrypt.ErrNoTenant) {
					t.Errorf("without a tenant: %v", err)
				}
				var both []Lodger
				if must(t, c.run(in(db, acme)).Where("clinic = ?", hill).Find(&both)); len(both) > 0 {
					t.Errorf("with two tenants it found %d", len(both))
				}
			})
		}
		var n int64
		must(t, in(db, acme).Model(&Lodger{}).Where(clause.Or(gormcrypt.Match("card_last4_bidx", "9113"), gormcrypt.Match("card_last4_bidx", "9114"))).Count(&n))
		if n != 6 {
			t.Errorf("Match OR Match counted %d", n)
		}
	})
}

func TestTermsOfATenant(t *testing.T) {
	db, _ := lodgings(t, sqliteFile)
	a, err := gormcrypt.Terms(in(db, acme), &Lodger{}, "mrn", "1")
	if err != nil {
		t.Fatal(err)
	}
	h, err := gormcrypt.Terms(in(db, hill), &Lodger{}, "mrn", "1")
	if err != nil || slices.Equal(a[0], h[0]) {
		t.Errorf("the tenants share a term: %v", err)
	}
	if _, err := gormcrypt.Terms(db, &Lodger{}, "mrn", "1"); !errors.Is(err, fieldcrypt.ErrNoTenant) {
		t.Errorf("without a tenant: %v", err)
	}
	var got []Lodger
	must(t, gormcrypt.AllowRaw(in(db, hill)).Raw("SELECT * FROM lodgers WHERE mrn_bidx IN ?", h).Scan(&got))
	if len(got) != 20 || got[0].Clinic != hill {
		t.Errorf("found %d", len(got))
	}
}
