package gorm_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/fieldcrypt/go/drivers/drivertest"
	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
)

// Client's columns are being adopted from plaintext ones.
type Client struct {
	gormcrypt.Encrypted
	ID   uint64
	Name string     `fieldcrypt:"medical,index,plain=name,fallback" gorm:"column:name_sealed"`
	Born *time.Time `fieldcrypt:"medical,plain=born,fallback" gorm:"column:born_sealed"`
	Age  int        `fieldcrypt:"medical,index,plain=age,fallback" gorm:"column:age_sealed"`
	Tags []string   `fieldcrypt:"medical,plain=tags,fallback" gorm:"column:tags_sealed"`
	Ward string
}

func (Client) TableName() string { return "clients" }

// Strict is Client without a way back to plaintext.
type Strict struct {
	gormcrypt.Encrypted
	ID   uint64
	Name string `fieldcrypt:"medical,plain=name,id=clients.name_sealed" gorm:"column:name_sealed"`
}

func (Strict) TableName() string { return "clients" }

// unadopted is the table before it was adopted.
type unadopted struct {
	ID   uint64
	Name *string `gorm:"size:64"`
	Born *time.Time
	Age  *int
	Tags string
	Ward string
}

func (unadopted) TableName() string { return "clients" }

type audit struct {
	mu     sync.Mutex
	events []fieldcrypt.PlaintextRead
}

func (a *audit) Observe(_ context.Context, e fieldcrypt.Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.events = append(a.events, e.(fieldcrypt.PlaintextRead))
}

func (a *audit) take() (fields []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range a.events {
		fields = append(fields, e.Field)
	}
	a.events = nil
	slices.Sort(fields)
	return fields
}

// adopting opens a database with one row of before the adoption.
func adopting(t testing.TB, d dialector) (*gorm.DB, *log, *audit) {
	t.Helper()
	dsn := d(t)
	old, _ := open(t, dsn, gorm.Config{})
	if err := old.AutoMigrate(&unadopted{}); err != nil {
		t.Fatal(err)
	}
	name, age := "Old "+drivertest.Canary, 44
	born := time.Date(1980, 2, 3, 0, 0, 0, 0, time.UTC)
	must(t, old.Create(&unadopted{ID: 1, Name: &name, Age: &age, Born: &born, Tags: `["x","y"]`, Ward: "W"}))
	db, l := open(t, dsn, gorm.Config{})
	a := &audit{}
	fc := fieldcrypt.New(keymgrtest.New(t, "medical"), fieldcrypt.Config{AllowPlaintextFallback: true, Observer: a})
	if err := db.Use(gormcrypt.New(fc, &Client{}, &Strict{})); err != nil {
		t.Fatal(err)
	}
	if err := db.AutoMigrate(&Client{}); err != nil {
		t.Fatal(err)
	}
	l.reset()
	return db, l, a
}

func plainRows(t testing.TB, db *gorm.DB) (rows []unadopted) {
	t.Helper()
	must(t, gormcrypt.AllowRaw(db).Raw("SELECT id, name, born, age, tags, ward FROM clients ORDER BY id").Scan(&rows))
	return rows
}

func TestAdoptionWritesBothColumns(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, l, a := adopting(t, d)
		born := time.Date(1990, 5, 6, 0, 0, 0, 0, time.UTC)
		c := Client{ID: 2, Name: "New " + drivertest.Canary, Born: &born, Age: 7, Tags: []string{"z"}}
		must(t, db.Create(&c))
		must(t, db.Model(&Client{}).Create(&[]map[string]any{{"id": 3, "name_sealed": "Map " + drivertest.Canary, "age_sealed": 8}}))
		rows := plainRows(t, db)
		if len(rows) != 3 || *rows[1].Name != c.Name || *rows[1].Age != 7 || !rows[1].Born.Equal(born) || rows[1].Tags != `["z"]` || *rows[2].Age != 8 {
			t.Errorf("after Create: %+v", rows)
		}
		must(t, db.Model(&c).Updates(map[string]any{"Name": "Changed " + drivertest.Canary, "Born": nil}))
		must(t, db.Model(&Client{ID: 3}).Update("age_sealed", 9))
		must(t, db.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "id"}}, DoUpdates: clause.AssignmentColumns([]string{"name_sealed"})}).
			Create(&Client{ID: 3, Name: "Upserted " + drivertest.Canary}))
		rows = plainRows(t, db)
		if *rows[1].Name != "Changed "+drivertest.Canary || rows[1].Born != nil || *rows[2].Age != 9 || *rows[2].Name != "Upserted "+drivertest.Canary {
			t.Errorf("after updates: %+v", rows)
		}
		var got []Client
		must(t, db.Where("id > 1").Order("id").Find(&got))
		if len(got) != 2 || got[0].Name != *rows[1].Name || got[0].Age != 7 || got[1].Age != 9 || got[0].Born != nil {
			t.Errorf("read: %+v", got)
		}
		if read := a.take(); len(read) > 0 {
			t.Errorf("plaintext was read of %v", read)
		}
		if leak(l.String()) != "" {
			t.Errorf("plaintext was logged")
		}
		sql := db.ToSQL(func(tx *gorm.DB) *gorm.DB { return tx.Create(&Client{Name: drivertest.Canary}) })
		st := db.Session(&gorm.Session{DryRun: true}).Model(&Client{ID: 2}).Update("name_sealed", drivertest.Canary).Statement
		if printed := sql + fmt.Sprintf("%v %+v %#v %s", st.Vars, st.Vars, st.Vars, st.Dialector.Explain(st.SQL.String(), st.Vars...)); leak(printed) != "" {
			t.Errorf("plaintext is printed: %s", printed)
		}
	})
}

func TestAdoptionFallsBackToPlaintextAudited(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, l, a := adopting(t, d)
		all := []string{"Age", "Born", "Name", "Tags"}
		want := "Old " + drivertest.Canary
		check := func(what string, c Client, err error, read ...string) {
			t.Helper()
			if err != nil || c.Name != want {
				t.Errorf("%s: %+v, %v", what, c, err)
			}
			if got := a.take(); !slices.Equal(got, read) {
				t.Errorf("%s: audited %v, want %v", what, got, read)
			}
		}
		var c Client
		err := db.First(&c, 1).Error
		check("First", c, err, all...)
		if c.Age != 44 || c.Born == nil || c.Born.Year() != 1980 || len(c.Tags) != 2 {
			t.Errorf("%+v", c)
		}
		c = Client{}
		check("a part", c, errors.Join(db.Select("name_sealed").First(&c, 1).Error, func() error { want = c.Name; return nil }()), "Name")
		want = "Old " + drivertest.Canary
		var names []string
		must(t, db.Model(&Client{}).Pluck("name_sealed", &names))
		m := map[string]any{}
		must(t, db.Model(&Client{}).Take(&m))
		if len(names) != 1 || names[0] != want || m["name_sealed"] != want || m["age_sealed"] != 44 {
			t.Errorf("%v, %v", names, m)
		}
		for key := range m {
			if strings.HasPrefix(key, "fieldcrypt") {
				t.Errorf("the map has a key %s", key)
			}
		}
		a.take()
		// Searches ask the plaintext where the index is not there yet.
		must(t, db.Create(&Client{ID: 2, Name: "New", Age: 50}))
		for what, tx := range map[string]*gorm.DB{
			"=":       db.Where("name_sealed = ?", want),
			"IN":      db.Where("name_sealed IN ?", []string{want, "x"}),
			"struct":  db.Where(&Client{Age: 44}),
			"<>":      db.Where("name_sealed <> ?", "New"),
			"NOT":     db.Where("NOT (name_sealed = ?)", "New"),
			"NOT IN":  db.Where("name_sealed NOT IN ?", []string{"New"}),
			"AND, OR": db.Where("age_sealed = ? AND (name_sealed = ? OR name_sealed = ?)", 44, want, "x"),
		} {
			var got []Client
			if err := tx.Find(&got).Error; err != nil || len(got) != 1 || got[0].ID != 1 {
				t.Errorf("%s: %+v, %v", what, got, err)
			}
			if !slices.Contains(a.take(), "Name") {
				t.Errorf("%s is not audited", what)
			}
		}
		var both []Client
		must(t, db.Where("name_sealed IN ?", []string{want, "New"}).Find(&both))
		if len(both) != 2 {
			t.Errorf("%+v", both)
		}
		if leak(l.String()) != "" {
			t.Error("plaintext was logged")
		}
		// Saved, the row is sealed.
		c = Client{}
		must(t, db.First(&c, 1))
		must(t, db.Save(&c))
		a.take()
		var again Client
		err = db.First(&again, 1).Error
		check("after Save", again, err)
	})
}

func TestAdoptionWithoutFallbackReadsNoPlaintext(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, _, a := adopting(t, d)
		var s Strict
		err := db.First(&s, 1).Error
		isRefused(t, "a row that is not backfilled", err, fieldcrypt.ErrNotSealed)
		if s.Name != "" || leak(fmt.Sprint(err)) != "" {
			t.Errorf("%+v, %v", s, err)
		}
		must(t, db.Model(&Strict{ID: 1}).Update("Name", "sealed"))
		must(t, db.First(&s, 1))
		if s.Name != "sealed" || *plainRows(t, db)[0].Name != "sealed" {
			t.Errorf("%+v", s)
		}
		if read := a.take(); len(read) > 0 {
			t.Errorf("audited %v", read)
		}
	})
}

func TestPlaintextColumnsAreNotTouchedByName(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, l, _ := adopting(t, d)
		value := "x" + drivertest.Canary
		for what, tx := range map[string]*gorm.DB{
			"Update":      db.Model(&Client{ID: 1}).Update("name", value),
			"Updates":     db.Model(&Client{ID: 1}).Updates(map[string]any{"name": value}),
			"Create":      db.Model(&Client{}).Create(map[string]any{"id": 9, "name": value}),
			"Where":       db.Where("name = ?", value).Find(&[]Client{}),
			"Where map":   db.Where(map[string]any{"name": value}).Find(&[]Client{}),
			"Select":      db.Select("id", "name").Find(&[]Client{}),
			"Pluck":       db.Model(&Client{}).Pluck("name", &[]string{}),
			"Order":       db.Order("name").Find(&[]Client{}),
			"Exec":        db.Exec("UPDATE clients SET name = ?", value),
			"Raw":         db.Raw("SELECT name FROM clients").Find(&[]Client{}),
			"Assignments": db.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "id"}}, DoUpdates: clause.Assignments(map[string]any{"name": value})}).Create(&Client{ID: 1}),
		} {
			if tx.Error == nil || leak(tx.Error.Error()) != "" {
				t.Errorf("%s: %v", what, tx.Error)
			}
		}
		if rows := plainRows(t, db); len(rows) != 1 || *rows[0].Name != "Old "+drivertest.Canary {
			t.Errorf("%+v", rows)
		}
		if leak(strings.ReplaceAll(l.String(), value, "")) != "" {
			t.Error("a stored value was logged")
		}
	})
}

func TestAutoMigrateLeavesPlaintextColumnsAlone(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, l, _ := adopting(t, d)
		if err := db.AutoMigrate(&Client{}); err != nil {
			t.Fatal(err)
		}
		for _, ddl := range []string{"ALTER", "CREATE", "DROP"} {
			if strings.Contains(l.String(), ddl) {
				t.Errorf("a second AutoMigrate changes the table: %s", l)
			}
		}
		// A new database gets all columns.
		fresh, _ := open(t, d(t), gorm.Config{})
		fc := fieldcrypt.New(keymgrtest.New(t, "medical"), fieldcrypt.Config{AllowPlaintextFallback: true, Observer: &audit{}})
		if err := fresh.Use(gormcrypt.New(fc, &Client{})); err != nil {
			t.Fatal(err)
		}
		if err := fresh.AutoMigrate(&Client{}); err != nil {
			t.Fatal(err)
		}
		must(t, fresh.Create(&Client{ID: 5, Name: "n", Age: 3}))
		if rows := plainRows(t, fresh); len(rows) != 1 || *rows[0].Name != "n" || *rows[0].Age != 3 {
			t.Errorf("%+v", rows)
		}
	})
}
