package gorm_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
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

// Member has indexes so short that most of what they find is something else.
type Member struct {
	gormcrypt.Encrypted
	ID     uint64
	Age    int
	Name   string  `fieldcrypt:"medical,index"`
	Card   string  `fieldcrypt:"finance"`
	City   string  `fieldcrypt:"medical"`
	Street *string `fieldcrypt:"medical"`
	ClubID *uint64
	Club   *Club
	Fees   []Fee
	Note   string `gorm:"-"`
	Found  bool   `gorm:"-"`
}

func (Member) FieldcryptIndexes() []fieldcrypt.Index {
	return []fieldcrypt.Index{
		{Column: "card_bidx", Parts: []fieldcrypt.Part{{Field: "Card", Transform: "digits"}}, Bits: 2},
		{Column: "card_last4_bidx", Parts: []fieldcrypt.Part{{Field: "Card", Transform: "digits|last(4)"}}, Bits: 1},
		{Column: "place_bidx", Parts: []fieldcrypt.Part{{Field: "City", Transform: "fold"}, {Field: "Street"}}, Bits: 4},
		{Column: "city_bidx", Parts: []fieldcrypt.Part{{Field: "City", Transform: "fold"}}, Bits: 3},
	}
}

// AfterFind marks what GORM has seen.
func (m *Member) AfterFind(tx *gorm.DB) error {
	if _, strict := tx.Get("strict"); strict && m.Card == card(0) {
		return errors.New("the hook saw " + m.Card)
	}
	m.Found = true
	return nil
}

type Club struct {
	gormcrypt.Encrypted
	ID   uint64
	Pass string `fieldcrypt:"medical"`
}

func (Club) FieldcryptIndexes() []fieldcrypt.Index {
	return []fieldcrypt.Index{{Column: "pass_bidx", Parts: []fieldcrypt.Part{{Field: "Pass"}}, Bits: 2}}
}

type Fee struct {
	gormcrypt.Encrypted
	ID       uint64
	MemberID uint64
	Bank     string `fieldcrypt:"finance"`
}

func (Fee) FieldcryptIndexes() []fieldcrypt.Index {
	return []fieldcrypt.Index{{Column: "bank_bidx", Parts: []fieldcrypt.Part{{Field: "Bank"}}, Bits: 1}}
}

// MemberCard is a part of Member.
type MemberCard struct {
	gormcrypt.Encrypted
	ID   uint64
	Card string `fieldcrypt:"finance,id=members.card"`
}

const cards = 20 // different ones; member n has card n%cards

func card(n int) string { return fmt.Sprint("7391 ", n) }

// club: members 1 to n, with cards 0 to 19, cities 0 to 6, streets 0 to 2.
func club(t testing.TB, db *gorm.DB, n int) {
	t.Helper()
	must(t, db.Create(&[]Club{{Pass: secret(1)}, {Pass: secret(2)}}))
	var all []Member
	for i := 1; i <= n; i++ {
		street, in := fmt.Sprint("street ", i%3), uint64(1+i%2)
		all = append(all, Member{
			Age: i, Name: secret(i % 5), Card: card(i % cards), City: fmt.Sprint("City ", i%7), Street: &street, ClubID: &in,
			Fees: []Fee{{Bank: fmt.Sprint("bank ", i%4)}, {Bank: fmt.Sprint("bank ", i%9)}},
		})
	}
	must(t, db.CreateInBatches(&all, 200))
}

func clubhouse(t testing.TB, d dialector, n int) (*gorm.DB, *log) {
	t.Helper()
	db, l := use(t, d(t), &Club{}, &Member{}, &Fee{})
	club(t, db, n)
	l.reset()
	return db, l
}

// members are the ids up to n of those that are meant.
func members(n int, meant func(id int) bool) (ids []uint64) {
	for id := 1; id <= n; id++ {
		if meant(id) {
			ids = append(ids, uint64(id))
		}
	}
	return ids
}

func idsOf(list []Member) (ids []uint64) {
	for _, m := range list {
		ids = append(ids, m.ID)
	}
	return ids
}

func hasCard(c int) func(int) bool { return func(id int) bool { return id%cards == c } }

var truncatedSearches = []struct {
	name string
	run  func(db q) q
	want func(id int) bool
}{
	{"text", func(db q) q { return db.Where("card = ?", "7391-3") }, hasCard(3)},
	{"column and value", func(db q) q { return db.Where("card", card(3)) }, hasCard(3)},
	{"struct", func(db q) q { return db.Where(&Member{Card: card(3)}) }, hasCard(3)},
	{"map", func(db q) q { return db.Where(map[string]any{"card": card(3)}) }, hasCard(3)},
	{"Eq", func(db q) q { return db.Where(clause.Eq{Column: "members.card", Value: card(3)}) }, hasCard(3)},
	{"named", func(db q) q { return db.Where("card = @c", map[string]any{"c": card(3)}) }, hasCard(3)},
	{"IN", func(db q) q { return db.Where("card IN ?", []string{card(3), card(5), "7391 999"}) }, func(id int) bool { return id%cards == 3 || id%cards == 5 }},
	{"map with a list", func(db q) q { return db.Where(map[string]any{"card": []string{card(3), card(5)}}) }, func(id int) bool { return id%cards == 3 || id%cards == 5 }},
	{"nobody", func(db q) q { return db.Where("card = ?", "7391 999") }, func(int) bool { return false }},
	{"IN nothing", func(db q) q { return db.Where("card IN ?", []string{}) }, func(int) bool { return false }},
	{"beside a plain column", func(db q) q { return db.Where("age > ? AND card = ?", 50, card(3)) }, func(id int) bool { return id > 50 && id%cards == 3 }},
	{"beside an OR", func(db q) q { return db.Where("age < 20 OR age > 150").Where("card = ?", card(3)) }, func(id int) bool { return (id < 20 || id > 150) && id%cards == 3 }},
	{"beside an OR that GORM overlooks", func(db q) q { return db.Where("age < 20\nOR\nage > 150").Where("card = ?", card(3)) }, func(id int) bool { return (id < 20 || id > 150) && id%cards == 3 }},
	{"beside a group of Or", func(db q) q { return db.Where("card = ?", card(3)).Where(db.Where("age < 20").Or("age > 150")) }, func(id int) bool { return (id < 20 || id > 150) && id%cards == 3 }},
	{"beside a full index", func(db q) q { return db.Where(&Member{Card: card(3), Name: secret(3)}) }, func(id int) bool { return id%cards == 3 && id%5 == 3 }},
	{"two truncated", func(db q) q {
		return db.Where("card = ?", card(3)).Where(gormcrypt.Match("place_bidx", "CITY 4", "street 2"))
	}, func(id int) bool { return id%cards == 3 && id%7 == 4 && id%3 == 2 }},
	{"in a group", func(db q) q { return db.Where(db.Where("card = ?", card(3)).Where("age > ?", 50)) }, func(id int) bool { return id > 50 && id%cards == 3 }},
	{"an Or with nothing before it", func(db q) q { return db.Or("card = ?", card(3)) }, hasCard(3)},
	{"Match", func(db q) q { return db.Where(gormcrypt.Match("card_bidx", card(3))) }, hasCard(3)},
	{"Match, qualified", func(db q) q { return db.Where(gormcrypt.Match("members.card_bidx", card(3))).Where("age > 1") }, hasCard(3)},
	{"Match of a part", func(db q) q { return db.Where(gormcrypt.Match("card_last4_bidx", "9113")) }, func(id int) bool { return id%cards == 13 }},
	{"Match of two fields", func(db q) q { return db.Where(gormcrypt.Match("place_bidx", "CITY 4", "street 2")) }, func(id int) bool { return id%7 == 4 && id%3 == 2 }},
	{"Scopes", func(db q) q { return db.Scopes(func(db q) q { return db.Where("card = ?", card(3)) }) }, hasCard(3)},
	{"Select", func(db q) q { return db.Select("id", "Card").Where("card = ?", card(3)) }, hasCard(3)},
	{"Select text", func(db q) q { return db.Select("members.id, members.card, age").Where("card = ?", card(3)) }, hasCard(3)},
	{"Select all of it", func(db q) q { return db.Select("members.*").Where("card = ?", card(3)) }, hasCard(3)},
	{"Omit", func(db q) q { return db.Omit("name").Where("card = ?", card(3)) }, hasCard(3)},
	{"QueryFields", func(db q) q { return db.Session(&gorm.Session{QueryFields: true}).Where("card = ?", card(3)) }, hasCard(3)},
	{"Distinct", func(db q) q { return db.Distinct("id", "card").Where("card = ?", card(3)) }, hasCard(3)},
	{"Table", func(db q) q { return db.Table("members AS members").Where("members.card = ?", card(3)) }, hasCard(3)},
	{"Joins", func(db q) q { return db.Joins("Club").Where("members.card = ?", card(3)) }, hasCard(3)},
	{"raw join", func(db q) q {
		return db.Joins("JOIN clubs c ON c.id = members.club_id AND c.id = ?", 2).Where("card = ?", card(3))
	}, hasCard(3)},
	{"raw join, Select", func(db q) q {
		return db.Select("members.*").Joins("JOIN clubs c ON c.id = members.club_id").Where("members.card = ?", card(3))
	}, hasCard(3)},
	{"for update", func(db q) q { return db.Clauses(clause.Locking{Strength: "UPDATE"}).Where("card = ?", card(3)) }, hasCard(3)},
}

func TestTruncated(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		const n = 200
		db, l := clubhouse(t, d, n)
		for _, s := range truncatedSearches {
			t.Run(s.name, func(t *testing.T) {
				want := members(n, s.want)
				search := func() q { return s.run(fresh(db)).Order("members.id") }
				l.reset()
				var got []Member
				tx := search().Find(&got)
				must(t, tx)
				if !slices.Equal(idsOf(got), want) || tx.RowsAffected != int64(len(want)) {
					t.Errorf("found %v, RowsAffected %d, want %v\n%s", idsOf(got), tx.RowsAffected, want, l)
				}
				for _, m := range got {
					if m.Card != card(int(m.ID)%cards) || !m.Found {
						t.Errorf("%d came back with the card %q, its hook has run: %v", m.ID, m.Card, m.Found)
					}
				}
				for _, m := range got[:cap(got)][len(got):] {
					if m.ID != 0 || m.Card != "" {
						t.Errorf("member %d is left behind the slice", m.ID)
					}
				}
				for _, limit := range []int{0, 1, 2, 7, 1000} {
					var some []*Member
					tx := search().Limit(limit).Find(&some)
					must(t, tx)
					var ids []uint64
					for _, m := range some {
						ids = append(ids, m.ID)
					}
					if first := want[:min(limit, len(want))]; !slices.Equal(ids, first) || tx.RowsAffected != int64(len(first)) {
						t.Errorf("LIMIT %d found %v, RowsAffected %d, want %v", limit, ids, tx.RowsAffected, first)
					}
				}
				one := Member{Note: "mine"}
				tx = search().Take(&one)
				if len(want) == 0 {
					if !errors.Is(tx.Error, gorm.ErrRecordNotFound) || tx.RowsAffected != 0 || !reflect.DeepEqual(one, Member{Note: "mine"}) {
						t.Errorf("Take found %+v: %v", one, tx.Error)
					}
				} else if tx.Error != nil || tx.RowsAffected != 1 || one.ID != want[0] || one.Card != card(int(one.ID)%cards) || one.Note != "mine" || !one.Found {
					t.Errorf("Take found %+v: %v, want %d", one, tx.Error, want[0])
				}
				noCanary(t, "query", nil, l)
			})
		}
	})
}

// TestTruncatedInEveryRead: the ways to read whole rows, with relations and hooks.
func TestTruncatedInEveryRead(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		const n = 120
		db, l := clubhouse(t, d, n)
		want := members(n, hasCard(7))
		search := db.Where("card = ?", card(7)).Session(&gorm.Session{})

		var m Member
		must(t, search.First(&m))
		if m.ID != want[0] {
			t.Errorf("First found %d", m.ID)
		}
		m = Member{}
		must(t, search.Last(&m))
		if m.ID != want[len(want)-1] {
			t.Errorf("Last found %d", m.ID)
		}
		m = Member{}
		if tx := db.Find(&m, "card = ?", card(7)); tx.Error != nil || tx.RowsAffected != 1 || int(m.ID)%cards != 7 {
			t.Errorf("Find of a struct: %d, %d, %v", m.ID, tx.RowsAffected, tx.Error)
		}
		m = Member{ID: want[2]}
		must(t, search.First(&m))
		if m.ID != want[2] {
			t.Errorf("First with a primary key found %d", m.ID)
		}
		m = Member{ID: want[2] + 1}
		if err := search.First(&m).Error; !errors.Is(err, gorm.ErrRecordNotFound) {
			t.Errorf("First with another's primary key: %v", err)
		}
		var p *Member
		must(t, search.First(&p))
		if p.ID != want[0] {
			t.Errorf("First of a pointer found %d", p.ID)
		}
		var few []Member
		must(t, search.First(&few))
		if !slices.Equal(idsOf(few), want[:1]) {
			t.Errorf("First of a slice found %v", idsOf(few))
		}
		few = make([]Member, 3, 50)
		must(t, search.Order("id").Find(&few))
		if !slices.Equal(idsOf(few), want) {
			t.Errorf("Find into a slice with room found %v", idsOf(few))
		}

		one, err := gorm.G[Member](db).Where("card = ?", card(7)).First(ctx)
		if err != nil || one.ID != want[0] {
			t.Errorf("generics First: %d, %v", one.ID, err)
		}
		some, err := gorm.G[Member](db).Where(gormcrypt.Match("card_bidx", card(7))).Order("id").Limit(2).Find(ctx)
		if err != nil || !slices.Equal(idsOf(some), want[:2]) {
			t.Errorf("generics Find: %v, %v", idsOf(some), err)
		}
		if _, err := gorm.G[Member](db).Where("card = ?", "7391 999").Take(ctx); !errors.Is(err, gorm.ErrRecordNotFound) {
			t.Errorf("generics Take: %v", err)
		}

		var dto []MemberCard
		must(t, search.Model(&Member{}).Order("id").Limit(3).Find(&dto))
		if len(dto) != 3 || dto[0].ID != want[0] || dto[0].Card != card(7) {
			t.Errorf("into another marked struct: %+v", dto)
		}
		var part MemberCard
		must(t, search.Model(&Member{}).Last(&part))
		if part.ID != want[len(want)-1] || part.Card != card(7) {
			t.Errorf("into another marked struct: %+v", part)
		}

		// Relations: of the rows that match alone, and searched themselves.
		var preloaded []Member
		l.reset()
		must(t, search.Preload("Fees", "bank = ?", "bank 3").Preload("Club").Order("id").Find(&preloaded))
		if !slices.Equal(idsOf(preloaded), want) {
			t.Errorf("with Preload: %v", idsOf(preloaded))
		}
		for _, m := range preloaded {
			fees := 0
			for _, bank := range []int{int(m.ID) % 4, int(m.ID) % 9} {
				if bank == 3 {
					fees++
				}
			}
			if len(m.Fees) != fees || m.Club == nil || m.Club.Pass != secret(1+int(m.ID)%2) {
				t.Errorf("member %d has %d fees, want %d", m.ID, len(m.Fees), fees)
			}
		}
		m = Member{Note: "mine"}
		must(t, db.Joins("Club").Where("card = ?", card(7)).First(&m))
		if m.ID != want[0] || m.Club == nil || m.Club.Pass != secret(1+int(m.ID)%2) || m.Note != "mine" {
			t.Errorf("Joins brought %+v", m)
		}
		m = Member{Name: "kept", Age: -1}
		must(t, db.Select("id", "card").Where("card = ?", card(7)).First(&m))
		if m.ID != want[0] || m.Card != card(7) || m.Name != "kept" || m.Age != -1 {
			t.Errorf("Select of columns changed others: %+v", m)
		}
		m = Member{Age: -1}
		must(t, db.Select("card", "id").MapColumns(map[string]string{"id": "age"}).Where("card = ?", card(7)).Limit(1).Order("id").Find(&m))
		if m.ID != 0 || m.Card != card(7) || m.Age != int(want[0]) {
			t.Errorf("MapColumns brought %+v", m)
		}
		var fees []Fee
		if err := db.Model(&Member{ID: 3}).Association("Fees").Find(&fees, "bank = ?", "bank 3"); err != nil || len(fees) != 2 {
			t.Errorf("Association found %d: %v", len(fees), err)
		}

		// FirstOrInit and FirstOrCreate read first.
		m = Member{}
		must(t, db.Where(Member{Card: card(7)}).FirstOrInit(&m))
		if m.ID != want[0] {
			t.Errorf("FirstOrInit found %d", m.ID)
		}
		m = Member{}
		must(t, db.Where(Member{Card: "7391 555"}).FirstOrCreate(&m))
		if m.ID != n+1 || m.Card != "7391 555" {
			t.Errorf("FirstOrCreate made %d", m.ID)
		}
		m = Member{}
		must(t, db.Where(Member{Card: "7391 555"}).FirstOrCreate(&m))
		if m.ID != n+1 {
			t.Errorf("FirstOrCreate found %d", m.ID)
		}

		// A statement that is used again, also for something else.
		again := db.Model(&Member{}).Where("card = ?", card(7)).Limit(2).Order("id").Session(&gorm.Session{})
		for range 2 {
			must(t, again.Find(&few))
			if !slices.Equal(idsOf(few), want[:2]) {
				t.Errorf("used again it found %v", idsOf(few))
			}
		}
		same := db.Where("card = ?", card(7)).Limit(2).Order("id")
		must(t, same.Find(&few))
		must(t, same.Find(&few))
		if !slices.Equal(idsOf(few), want[:2]) {
			t.Errorf("the same statement found %v", idsOf(few))
		}
		err = db.Transaction(func(tx *gorm.DB) error {
			return tx.Where("card = ?", card(7)).Order("id").Limit(4).Find(&few).Error
		})
		if err != nil || !slices.Equal(idsOf(few), want[:4]) {
			t.Errorf("in a transaction: %v, %v", idsOf(few), err)
		}
		noCanary(t, "reads", nil, l)
	})
}

// TestTruncatedFiltersBeforeHooks: a hook that fails for a row that does not
// match is not run for it, nor is anything preloaded for such a row.
func TestTruncatedFiltersBeforeHooks(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, l := clubhouse(t, d, 60)
		db = db.Set("strict", true).Session(&gorm.Session{})
		if err := db.Where("card = ?", card(0)).Find(&[]Member{}).Error; err == nil || !strings.Contains(err.Error(), "the hook saw") {
			t.Fatalf("the hook did not fail: %v", err)
		}
		for c := 1; c < cards; c++ { // some of them share their index with card 0
			l.reset()
			var got []Member
			must(t, db.Preload("Fees").Order("id").Find(&got, "card = ?", card(c)))
			want := members(60, hasCard(c))
			if !slices.Equal(idsOf(got), want) {
				t.Errorf("card %d found %v", c, idsOf(got))
			}
			if list := "(" + strings.Trim(strings.ReplaceAll(fmt.Sprint(want), " ", ","), "[]") + ")"; !strings.Contains(l.String(), list) {
				t.Errorf("preloaded for others than %s\n%s", list, l)
			}
		}
	})
}

// TestTruncatedPages: a thousand rows, of which a quarter shares each index.
func TestTruncatedPages(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		const n = 1000
		db, l := clubhouse(t, d, n)
		want := members(n, hasCard(7))
		for _, size := range []int{1, 7, 50, 51} {
			var ids []uint64
			var batch []Member
			tx := db.Where("card = ?", card(7)).FindInBatches(&batch, size, func(tx *gorm.DB, number int) error {
				if tx.RowsAffected != int64(len(batch)) || len(batch) > size {
					return fmt.Errorf("batch %d has %d rows, RowsAffected %d", number, len(batch), tx.RowsAffected)
				}
				ids = append(ids, idsOf(batch)...)
				return nil
			})
			if tx.Error != nil || !slices.Equal(ids, want) || tx.RowsAffected != int64(len(want)) {
				t.Errorf("FindInBatches of %d found %v: %v", size, ids, tx.Error)
			}
			// By hand, backwards.
			ids = nil
			for last := uint64(n + 1); ; last = ids[len(ids)-1] {
				var page []Member
				must(t, db.Where("id < ?", last).Where("card = ?", card(7)).Order("id DESC").Limit(size).Find(&page))
				if ids = append(ids, idsOf(page)...); len(page) < size {
					break
				}
			}
			slices.Reverse(ids)
			if !slices.Equal(ids, want) {
				t.Errorf("pages of %d found %v", size, ids)
			}
		}
		generic := 0
		err := gorm.G[Member](db).Where("card = ?", card(7)).FindInBatches(ctx, 20, func(data []Member, _ int) error {
			generic += len(data)
			return nil
		})
		if err != nil || generic != len(want) {
			t.Errorf("generics FindInBatches found %d: %v", generic, err)
		}
		// The rarest: one row of a thousand, asked with LIMIT 1.
		must(t, db.Model(&Member{ID: n}).Update("card", "7391 4711"))
		l.reset()
		var m Member
		must(t, db.Order("id").Take(&m, "card = ?", "7391-4711"))
		if m.ID != n {
			t.Errorf("Take found %d", m.ID)
		}
	})
}

// TestTruncatedRefused: where what matches could not be told from the rest, and
// the error names the index and the way out.
func TestTruncatedRefused(t *testing.T) {
	type stranger struct {
		ID   uint64
		Card []byte
	}
	type nothing struct {
		ID  uint64
		Age int
	}
	onEach(t, func(t *testing.T, d dialector) {
		db, l := clubhouse(t, d, 60)
		find := func(c func(db q) q) func(db q) q { return func(db q) q { return c(db).Find(&[]Member{}) } }
		by := func(db q) q { return db.Where("card = ?", canary+"7") }
		match := gormcrypt.Match("card_bidx", canary+"7")
		for name, run := range map[string]func(db q) q{
			"Update":                        func(db q) q { return by(db.Model(&Member{})).Update("age", 0) },
			"UpdateColumn":                  func(db q) q { return db.Model(&Member{}).Where(match).UpdateColumn("age", 0) },
			"Delete":                        func(db q) q { return by(db).Delete(&Member{}) },
			"Delete Match":                  func(db q) q { return db.Delete(&Member{}, match) },
			"Count":                         func(db q) q { return by(db.Model(&Member{})).Count(new(int64)) },
			"Pluck":                         func(db q) q { return by(db.Model(&Member{})).Pluck("id", &[]uint64{}) },
			"Pluck of it":                   func(db q) q { return by(db.Model(&Member{})).Pluck("card", &[]string{}) },
			"a map":                         func(db q) q { return by(db.Model(&Member{})).Find(&[]map[string]any{}) },
			"Take a map":                    func(db q) q { return by(db.Model(&Member{})).Take(&map[string]any{}) },
			"an unmarked struct without it": func(db q) q { return by(db.Model(&Member{})).Find(&[]nothing{}) },
			"an array":                      func(db q) q { return by(db).Find(&[4]Member{}) },
			"Scan":                          func(db q) q { return by(db.Model(&Member{})).Scan(&[]Member{}) },
			"Rows":                          func(db q) q { _, err := by(db.Model(&Member{})).Rows(); return &gorm.DB{Error: err} },
			"DryRun":                        func(db q) q { return by(db.Session(&gorm.Session{DryRun: true})).Find(&[]Member{}) },
			"Offset":                        find(func(db q) q { return by(db).Limit(3).Offset(2) }),
			"Offset alone":                  find(func(db q) q { return by(db).Offset(2) }),
			"Or":                            find(func(db q) q { return db.Where("age = 1").Or("card = ?", canary+"7") }),
			"Or, the other way":             find(func(db q) q { return by(db).Or("age = 1") }),
			"OR in text":                    find(func(db q) q { return db.Where("card = ? OR age = 1", canary+"7") }),
			"Or of two":                     find(func(db q) q { return db.Where(clause.Or(match, clause.Eq{Column: "age", Value: 1})) }),
			"Not":                           find(func(db q) q { return db.Not("card = ?", canary+"7") }),
			"Not Match":                     find(func(db q) q { return db.Not(match) }),
			"<>":                            find(func(db q) q { return db.Where("card <> ?", canary+"7") }),
			"NOT IN":                        find(func(db q) q { return db.Where("card NOT IN ?", []string{canary + "7"}) }),
			"Neq":                           find(func(db q) q { return db.Where(clause.Neq{Column: "card", Value: canary + "7"}) }),
			"NOT in text":                   find(func(db q) q { return db.Where("NOT (card = ?)", canary+"7") }),
			"CASE":                          find(func(db q) q { return db.Where("CASE WHEN card = ? THEN 1 ELSE 0 END = 1", canary+"7") }),
			"Match in text":                 find(func(db q) q { return db.Where("age > 1 AND ?", match) }),
			"a sub-query":                   find(func(db q) q { return db.Where("id IN (SELECT m.id FROM members m WHERE m.card = ?)", canary+"7") }),
			"Joins, its own":                find(func(db q) q { return db.Joins("Club").Where(`"Club".pass = ?`, canary) }),
			"Joins, Match":                  find(func(db q) q { return db.Joins("Club").Where(gormcrypt.Match("Club.pass_bidx", canary)) }),
			"Joins ON":                      find(func(db q) q { return db.Joins("Club", fresh(db).Where("pass = ?", canary)) }),
			"Joins ON Match":                find(func(db q) q { return db.Joins("Club", fresh(db).Where(gormcrypt.Match("pass_bidx", canary))) }),
			"raw join":                      find(func(db q) q { return db.Joins("JOIN clubs c ON c.id = members.club_id AND c.pass = ?", canary) }),
			"self join": find(func(db q) q {
				return db.Select("members.*").Joins("JOIN members o ON o.id = members.id + 1").Where("o.card = ?", canary+"7")
			}),
			"self join, its columns": find(func(db q) q {
				return db.Select("o.card, members.id, members.card").Joins("JOIN members o ON o.id = members.id + 1").Where("members.card = ?", canary+"7")
			}),
			"Select *, join":         find(func(db q) q { return by(db.Select("*").Joins("JOIN clubs c ON c.id = members.club_id")) }),
			"Select without it":      find(func(db q) q { return by(db.Select("id", "age")) }),
			"Omit":                   find(func(db q) q { return by(db.Omit("card")) }),
			"Select of a part":       find(func(db q) q { return db.Select("id", "city").Where(gormcrypt.Match("place_bidx", canary, canary)) }),
			"Select computes":        find(func(db q) q { return by(db.Select("id", "card", "age + 1 AS age")) }),
			"Select with a function": find(func(db q) q { return by(db.Select("id, card, count(*) OVER () AS age")) }),
			"Select of values":       find(func(db q) q { return by(db.Select("id, card, ? AS age", 1)) }),
			"Group":                  find(func(db q) q { return by(db.Group("id")) }),
			"Having":                 find(func(db q) q { return db.Group("id").Having("card = ?", canary+"7") }),
			"a derived table":        find(func(db q) q { return by(db.Table("(?) AS members", fresh(db).Model(&Member{}))) }),
			"LIMIT in text":          find(func(db q) q { return by(db).Order("id LIMIT 3") }),
			"two LIMITs":             find(func(db q) q { return by(db).Order("id LIMIT 9").Limit(3) }),
			"OFFSET in text":         find(func(db q) q { return by(db).Where("1 = 1 ORDER BY id LIMIT 3 OFFSET 2") }),
			"UNION":                  find(func(db q) q { return by(db.Table("clubs UNION SELECT * FROM members").Model(&Member{})) }),
			"a hint": find(func(db q) q {
				tx := by(db)
				tx.Statement.Clauses["WHERE"] = clause.Clause{Name: "WHERE", Expression: tx.Statement.Clauses["WHERE"].Expression, AfterExpression: gorm.Expr("LIMIT 2")}
				return tx
			}),
			"NULL":         find(func(db q) q { return db.Where(gormcrypt.Match("place_bidx", canary, nil)) }),
			"a few values": find(func(db q) q { return db.Where(gormcrypt.Match("place_bidx", canary)) }),
			"nothing left": find(func(db q) q { return db.Where("card = ?", "n/a") }),
			"LimitPerRecord": func(db q) q {
				_, err := gorm.G[Member](db).Preload("Fees", func(b gorm.PreloadBuilder) error {
					b.Where("bank = ?", canary).LimitPerRecord(1)
					return nil
				}).Find(ctx)
				return &gorm.DB{Error: err}
			},
		} {
			t.Run(name, func(t *testing.T) {
				l.reset()
				err := run(fresh(db)).Error
				onlyPoison := name == "LimitPerRecord" || name == "UNION" || name == "two LIMITs" || name == "OFFSET in text" // the database refuses these
				if err == nil || !onlyPoison && !errors.Is(err, fieldcrypt.ErrUnsearchable) && !errors.Is(err, fieldcrypt.ErrQueryOnCiphertext) {
					t.Errorf("%v\n%s", err, l)
				}
				noCanary(t, name, err, l)
			})
		}
		// A struct that would be given ciphertext is refused as always.
		if err := by(fresh(db).Model(&Member{})).Find(&[]stranger{}).Error; err == nil {
			t.Error("an unmarked struct was not refused")
		}
		err := by(fresh(db).Model(&Member{})).Update("age", 0).Error
		for _, want := range []string{"members.card_bidx", "2 bits", "no SELECT", "primary keys", "given Card"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("the error does not say %q: %v", want, err)
			}
		}
		var n int64
		must(t, fresh(db).Model(&Member{}).Where("age > 0").Count(&n))
		if n != 60 {
			t.Errorf("%d members are as they were", n)
		}
	})
}

// Short is Triple with indexes that find half of all rows.
type Short struct {
	gormcrypt.Encrypted
	ID   uint64
	Age  int
	Name *string `fieldcrypt:"medical"`
	MRN  *string `fieldcrypt:"medical"`
	Code *string `fieldcrypt:"medical,index"`
}

func (Short) FieldcryptIndexes() []fieldcrypt.Index {
	name, m, code := fieldcrypt.Part{Field: "Name"}, fieldcrypt.Part{Field: "MRN"}, fieldcrypt.Part{Field: "Code"}
	return []fieldcrypt.Index{
		{Column: "name_bidx", Parts: []fieldcrypt.Part{name}, Bits: 1},
		{Column: "mrn_bidx", Parts: []fieldcrypt.Part{m}, Bits: 1},
		{Column: "mrn_code_bidx", Parts: []fieldcrypt.Part{m, code}},
	}
}

// TestTruncatedFindsWhatPlainColumnsDo: random conditions find what they do on
// columns in the clear, or are refused.
func TestTruncatedFindsWhatPlainColumnsDo(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, l := use(t, d(t), &Short{}, Untagged{})
		rng := rand.New(rand.NewPCG(3, 5))
		for i := range 60 {
			var values [3]*string
			for j := range values {
				if rng.IntN(6) > 0 {
					s := string(rune('a' + rng.IntN(3)))
					values[j] = &s
				}
			}
			u := Untagged{Age: i % 4, Name: values[0], MRN: values[1], Code: values[2]}
			must(t, db.Create(&u))
			must(t, db.Create(&Short{ID: u.ID, Age: u.Age, Name: u.Name, MRN: u.MRN, Code: u.Code}))
		}
		answered, found := 0, 0
		for range 500 {
			cond, limit := randomCondition(rng, 2), rng.IntN(12)
			var want []uint64
			must(t, cond(fresh(db).Model(&Untagged{})).Order("id").Limit(limit).Pluck("id", &want))
			l.reset()
			var got []Short
			if err := cond(fresh(db)).Order("id").Limit(limit).Find(&got).Error; err != nil {
				if !errors.Is(err, fieldcrypt.ErrUnsearchable) {
					t.Fatal(err)
				}
				continue
			}
			if answered++; strings.Contains(l.String(), "name_bidx") || strings.Contains(l.String(), "mrn_bidx") {
				found += len(got)
			}
			var ids []uint64
			for _, s := range got {
				ids = append(ids, s.ID)
			}
			if !slices.Equal(ids, want) {
				t.Errorf("found %v, want %v\n%s", ids, want, l)
			}
		}
		if answered < 100 || found < 100 {
			t.Errorf("%d conditions were answered, truncated indexes found %d rows: too few to say anything", answered, found)
		}
	})
}

// Nested holds what is searched in a struct that may not be there.
type Nested struct {
	gormcrypt.Encrypted
	ID   uint64
	Home *Home `gorm:"embedded;embeddedPrefix:home_"`
	Work *Home `gorm:"embedded;embeddedPrefix:work_"`
}

type Home struct {
	Phone string `fieldcrypt:"medical"`
	City  string
}

func (Nested) FieldcryptIndexes() []fieldcrypt.Index {
	return []fieldcrypt.Index{{Column: "home_phone_bidx", Parts: []fieldcrypt.Part{{Field: "Home.Phone", Transform: "digits"}}, Bits: 1}}
}

func TestTruncatedInEmbeddedPointers(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, _ := use(t, d(t), &Nested{})
		for i := range 20 {
			n := Nested{Home: &Home{Phone: fmt.Sprint("+7391 ", i), City: "Bern"}}
			if i%5 == 0 {
				n.Home = nil
			}
			must(t, db.Create(&n))
		}
		var got []Nested
		must(t, db.Find(&got, "home_phone = ?", "7391-7"))
		if len(got) != 1 || got[0].Home.Phone != "+7391 7" || got[0].Work != nil {
			t.Errorf("found %+v", got)
		}
		var one Nested
		must(t, db.First(&one, "home_phone = ?", "7391-7"))
		if one.ID != 8 || one.Home == nil || one.Home.Phone != "+7391 7" || one.Home.City != "Bern" || one.Work != nil {
			t.Errorf("found %+v", one)
		}
	})
}

// Mute is written and not read.
type Mute struct {
	gormcrypt.Encrypted
	ID   uint64
	Word string `fieldcrypt:"medical" gorm:"->:false;<-"`
}

func (Mute) FieldcryptIndexes() []fieldcrypt.Index {
	return []fieldcrypt.Index{{Column: "word_bidx", Parts: []fieldcrypt.Part{{Field: "Word"}}, Bits: 2}}
}

// TestTruncatedOfAFieldThatIsNotRead would find nothing; it is refused.
func TestTruncatedOfAFieldThatIsNotRead(t *testing.T) {
	db, _ := use(t, sqliteFile(t), &Mute{})
	must(t, db.Create(&Mute{Word: "x"}))
	var got []Mute
	if err := db.Find(&got, "word = ?", "x").Error; !errors.Is(err, fieldcrypt.ErrUnsearchable) {
		t.Errorf("%d rows, %v", len(got), err)
	}
}

// TestTruncatedForged: an index that was copied from another row does not make a
// row match.
func TestTruncatedForged(t *testing.T) {
	db, _ := clubhouse(t, sqliteFile, 60)
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec("UPDATE members SET card_bidx = (SELECT o.card_bidx FROM members o WHERE o.id = 7)"); err != nil {
		t.Fatal(err)
	}
	var got []Member
	must(t, db.Order("id").Find(&got, "card = ?", card(7)))
	if want := members(60, hasCard(7)); !slices.Equal(idsOf(got), want) {
		t.Errorf("found %v, want %v", idsOf(got), want)
	}
}

// TestTruncatedFailureLeavesNothing: where a row cannot be opened, the caller is
// given none, not even those that were read before.
func TestTruncatedFailureLeavesNothing(t *testing.T) {
	db, _ := clubhouse(t, sqliteFile, 60)
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec("UPDATE members SET card_bidx = (SELECT o.card_bidx FROM members o WHERE o.id = 7)"); err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec("UPDATE members SET city = (SELECT o.name FROM members o WHERE o.id = 1) WHERE id = 8"); err != nil {
		t.Fatal(err)
	}
	var got []Member
	tx := db.Order("id").Find(&got, "card = ?", card(7))
	if !errors.Is(tx.Error, fieldcrypt.ErrAuthentication) || len(got) > 0 || tx.RowsAffected != 0 {
		t.Errorf("%d rows, %v", len(got), tx.Error)
	}
	m := Member{Note: "mine"}
	tx = db.Order("id").Limit(1).Find(&m, "card = ?", card(7))
	if !errors.Is(tx.Error, fieldcrypt.ErrAuthentication) || !reflect.DeepEqual(m, Member{Note: "mine"}) {
		t.Errorf("%+v, %v", m, tx.Error)
	}
}

// rotating opens a database whose keys can be exchanged.
func rotating(t *testing.T, d dialector, models ...any) (*gorm.DB, func(promote bool)) {
	t.Helper()
	clock := keymgrtest.NewClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	domain := keymgr.Domain{KEKs: []keymgr.KEK{keymgrtest.NewKEK("k")}, AutoCreate: true}
	keys, err := keymgr.Open(t.Context(), keymgr.Config{
		Store: memstore.New(), Domains: map[string]keymgr.Domain{"medical": domain, "finance": domain},
		CacheTTL: time.Minute, MaxStale: time.Hour, Now: clock.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { keys.Close() })
	db, _ := open(t, d(t), gorm.Config{})
	if err := db.Use(gormcrypt.New(fieldcrypt.New(keys, fieldcrypt.Config{}), models...)); err != nil {
		t.Fatal(err)
	}
	if err := db.AutoMigrate(models...); err != nil {
		t.Fatal(err)
	}
	pending := map[string]uint32{}
	return db, func(promote bool) {
		for name := range map[string]bool{"medical": true, "finance": true} {
			scope := keymgr.Scope{Domain: name}
			if promote {
				clock.Advance(2 * time.Hour)
				err = keys.PromoteKey(t.Context(), scope, keymgr.Index, pending[name])
			} else {
				pending[name], err = keys.AddKey(t.Context(), scope, keymgr.Index)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestSearchWhileIndexKeysRotate: rows under the old and the new key are found by
// every kind of index.
func TestSearchWhileIndexKeysRotate(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, rotate := rotating(t, d, &Club{}, &Member{}, &Fee{}, &Guest{}, &Stay{})
		n := 0
		addAndCheck := func(stage string) {
			club(t, db, 40)
			for i := 1; i <= 40; i++ {
				must(t, db.Create(&Guest{Name: fmt.Sprint("Ada ", i%4), MRN: fmt.Sprint(i % 3), Card: card(i % cards)}))
			}
			n += 40
			var got []Member
			must(t, db.Order("id").Find(&got, "card = ?", card(7)))
			want := members(n, func(id int) bool { return (id-1)%40%cards == 6 })
			if !slices.Equal(idsOf(got), want) {
				t.Errorf("%s: a truncated index found %v, want %v", stage, idsOf(got), want)
			}
			must(t, db.Order("id").Limit(5).Find(&got, gormcrypt.Match("place_bidx", "city 1", "street 1")))
			if len(got) != min(5, 2*n/40) {
				t.Errorf("%s: a truncated Match found %v", stage, idsOf(got))
			}
			for _, m := range got {
				if m.City != "City 1" || *m.Street != "street 1" {
					t.Errorf("%s: a truncated Match found %s, %s", stage, m.City, *m.Street)
				}
			}
			match := func() q { return db.Where(gormcrypt.Match("card_last4_bidx", "9113")) }
			for name, c := range map[string]struct {
				tx   q
				want int
			}{
				"Match":                {match(), 2 * n / 40},
				"Match and =":          {match().Where("card = ?", card(13)), 2 * n / 40},
				"Match of all numbers": {match().Where(gormcrypt.Match("name_mrn_bidx", "ada 1", "1")), n / 40},
				"a chain":              {db.Where("name = ?", "ADA 1").Where("mrn = ?", "1").Where("card = ?", card(13)), n / 40},
				"compound":             {db.Where(&Guest{Name: "ada 1", MRN: "1"}), 4 * n / 40},
				"Not":                  {match().Not(gormcrypt.Match("name_mrn_bidx", "ada 1", "1")), n / 40},
			} {
				var count int64
				must(t, c.tx.Model(&Guest{}).Count(&count))
				if count != int64(c.want) {
					t.Errorf("%s: %s found %d, want %d", stage, name, count, c.want)
				}
			}
			terms, err := gormcrypt.Terms(db, &Guest{}, "name_mrn_bidx", "ada 1", "1")
			var guests []Guest
			must(t, gormcrypt.AllowRaw(db).Raw("SELECT * FROM guests WHERE name_mrn_bidx IN ?", terms).Scan(&guests))
			if err != nil || len(guests) != 4*n/40 {
				t.Errorf("%s: Terms found %d: %v", stage, len(guests), err)
			}
		}
		addAndCheck("one key")
		rotate(false)
		addAndCheck("pending")
		rotate(true)
		addAndCheck("promoted")
	})
}
