package gorm_test

import (
	"errors"
	"fmt"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
)

// Report is bound to a key that its client makes, and to a number that is no key.
type Report struct {
	gormcrypt.Encrypted
	Text  string `fieldcrypt:"medical,index,bind=Key"`
	Page  string `fieldcrypt:"medical,bind=Number"`
	Other string `fieldcrypt:"medical"`
	Key   string `gorm:"primaryKey"`
	// Number is given by the application.
	Number int64
	Ward   string
}

func reports(t testing.TB, d dialector, cfg gorm.Config) *gorm.DB {
	t.Helper()
	db, _ := useWith(t, d(t), cfg, &Report{})
	must(t, db.Create(&[]Report{
		{Key: "a", Number: 1, Text: "text a", Page: "page a", Other: "other a", Ward: "W"},
		{Key: "b", Number: 2, Text: "text b", Page: "page b", Other: "other b", Ward: "W"},
	}))
	return db
}

func TestBoundValuesOpenInTheirRowOnly(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db := reports(t, d, gorm.Config{})
		var all []Report
		must(t, db.Order("key").Find(&all))
		if len(all) != 2 || all[0].Text != "text a" || all[1].Page != "page b" {
			t.Errorf("%+v", all)
		}
		for what, column := range map[string]string{"to the key": "text", "to a number": "page"} {
			must(t, gormcrypt.AllowRaw(db).Exec(fmt.Sprintf("UPDATE reports SET %s = (SELECT c.%s FROM reports c WHERE c.key = 'b') WHERE key = 'a'", column, column)))
			var c Report
			if err := db.First(&c, "key = ?", "a").Error; !errors.Is(err, fieldcrypt.ErrAuthentication) {
				t.Errorf("bound %s, copied from another row: %v", what, err)
			}
			must(t, db.Model(&Report{Key: "a", Number: 1}).Updates(map[string]any{"text": "text a", "page": "page a"}))
		}
		must(t, gormcrypt.AllowRaw(db).Exec("UPDATE reports SET other = (SELECT c.other FROM reports c WHERE c.key = 'b') WHERE key = 'a'"))
		var c Report
		must(t, db.First(&c, "key = ?", "a"))
		if c.Other != "other b" {
			t.Errorf("an unbound value that was copied is %q", c.Other)
		}
	})
}

func TestBoundColumnsAreReadAlong(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db := reports(t, d, gorm.Config{})
		for what, read := range map[string]func(c *Report) *gorm.DB{
			"a part": func(c *Report) *gorm.DB {
				return db.Select("text").Where("ward = ? AND text = ?", "W", "text b").Take(c)
			},
			"as text":  func(c *Report) *gorm.DB { return db.Select("reports.text, ward").Where("text = ?", "text b").Take(c) },
			"omitting": func(c *Report) *gorm.DB { return db.Omit("key", "number").Where("text = ?", "text b").Take(c) },
		} {
			var c Report
			if err := read(&c).Error; err != nil || c.Text != "text b" {
				t.Errorf("%s: %+v, %v", what, c, err)
			}
		}
		var texts []string
		must(t, db.Model(&Report{}).Order("key").Pluck("text", &texts))
		m := map[string]any{}
		must(t, db.Model(&Report{}).Select("page").Where("key = ?", "b").Take(&m))
		if fmt.Sprint(texts) != "[text a text b]" || fmt.Sprint(m) != "map[page:page b]" {
			t.Errorf("%v, %v", texts, m)
		}
		var c Report
		must(t, db.Clauses(clause.Returning{}).Model(&c).Where("key = ?", "b").Update("ward", "V"))
		if c.Text != "text b" || c.Page != "page b" || c.Ward != "V" {
			t.Errorf("RETURNING: %+v", c)
		}
		var deleted []Report
		must(t, db.Clauses(clause.Returning{Columns: []clause.Column{{Name: "text"}}}).Where("ward = ?", "V").Delete(&deleted))
		if len(deleted) != 1 || deleted[0].Text != "text b" {
			t.Errorf("RETURNING of a part: %+v", deleted)
		}
	})
}

func TestBoundValuesAreWrittenForTheirRow(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db := reports(t, d, gorm.Config{})
		read := func(key string) (c Report) {
			t.Helper()
			must(t, db.First(&c, "key = ?", key))
			return c
		}
		a := read("a")
		a.Text, a.Page = "saved", "saved"
		must(t, db.Save(&a))
		must(t, db.Model(&Report{}).Where("key = ?", "b").Update("text", "by key"))
		must(t, db.Model(&Report{}).Where(&Report{Number: 2}).Update("page", "by number"))
		must(t, db.Model(&Report{}).Where(map[string]any{"number": 2, "ward": "W"}).Update("page", "by map"))
		if a, b := read("a"), read("b"); a.Text != "saved" || a.Page != "saved" || b.Text != "by key" || b.Page != "by map" {
			t.Errorf("%+v, %+v", a, b)
		}
		// The model's number may be of long ago: only its row is written.
		stale := Report{Key: "b", Number: 1}
		if tx := db.Model(&stale).Update("page", "x"); tx.Error != nil || tx.RowsAffected != 0 {
			t.Errorf("an update by a stale model: %d rows, %v", tx.RowsAffected, tx.Error)
		}
		for what, tx := range map[string]*gorm.DB{
			"a bulk update":              db.Model(&Report{}).Where("ward = ?", "W").Update("text", "x"),
			"an update of two keys":      db.Model(&Report{}).Where("key IN ?", []string{"a", "b"}).Update("text", "x"),
			"an update by OR":            db.Model(&Report{}).Where("key = ?", "a").Or("key = ?", "b").Update("text", "x"),
			"by text with more":          db.Model(&Report{}).Where("key = ? OR 1 = 1", "a").Update("text", "x"),
			"of a key by a number":       db.Model(&Report{}).Where("number = ?", 1).Update("text", "x"),
			"of the bound column":        db.Model(&Report{}).Where("key = ?", "a").Update("number", 7),
			"of the bound column, moved": db.Model(&Report{}).Where("key = ?", "a").Updates(map[string]any{"number": 7, "text": "x"}),
			"a computed number":          db.Model(&Report{}).Where("key = ?", "a").Updates(map[string]any{"number": gorm.Expr("number + 1"), "page": "x"}),
			"an insert without":          db.Model(&Report{}).Create(map[string]any{"key": "c", "page": "x"}),
			"an insert of NULL":          db.Model(&Report{}).Create(map[string]any{"key": "c", "number": nil, "page": "x"}),
			"an insert, computed":        db.Model(&Report{}).Create(map[string]any{"key": "c", "number": gorm.Expr("1"), "page": "x"}),
		} {
			isRefused(t, what, tx.Error, fieldcrypt.ErrUnsupported)
		}
		must(t, db.Model(&Report{}).Where("key = ?", "a").Updates(map[string]any{"number": 7, "page": "renumbered"}))
		must(t, db.Model(&Report{}).Where("ward = ?", "W").Update("other", "all"))
		if a := read("a"); a.Number != 7 || a.Page != "renumbered" || a.Text != "saved" || a.Other != "all" {
			t.Errorf("%+v", a)
		}
	})
}

func TestUpsertsOfBoundValues(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db := reports(t, d, gorm.Config{})
		onKey := clause.OnConflict{Columns: []clause.Column{{Name: "key"}}, DoUpdates: clause.AssignmentColumns([]string{"text", "other"})}
		must(t, db.Clauses(onKey).Create(&[]Report{{Key: "a", Number: 9, Text: "new", Other: "new"}, {Key: "c", Number: 3, Text: "text c"}}))
		onKey.DoUpdates = clause.Assignments(map[string]any{"text": "assigned"})
		must(t, db.Clauses(onKey).Create(&Report{Key: "b", Number: 9}))
		var all []Report
		must(t, db.Order("key").Find(&all))
		if len(all) != 3 || all[0].Text != "new" || all[0].Page != "page a" || all[1].Text != "assigned" || all[2].Text != "text c" {
			t.Errorf("%+v", all)
		}
		isRefused(t, "one value for two rows", db.Clauses(onKey).Create(&[]Report{{Key: "a"}, {Key: "b"}}).Error, fieldcrypt.ErrUnsupported)
		onKey.DoUpdates = clause.AssignmentColumns([]string{"page"})
		isRefused(t, "a target without the bound column", db.Clauses(onKey).Create(&Report{Key: "a", Number: 5, Page: "x"}).Error, fieldcrypt.ErrUnsupported)
		isRefused(t, "an upsert of everything", db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&Report{Key: "a", Number: 5, Page: "x"}).Error, fieldcrypt.ErrUnsupported)
		var a Report
		must(t, db.First(&a, "key = ?", "a"))
	})
}

func TestAKeyOfTheDatabaseCannotBind(t *testing.T) {
	type Serial struct {
		gormcrypt.Encrypted
		ID   uint64
		Text string `fieldcrypt:"medical,bind=ID"`
	}
	db, _ := open(t, sqliteFile(t), gorm.Config{})
	err := db.Use(gormcrypt.New(newCrypter(t), &Serial{}))
	isRefused(t, "bind to a key that the database makes", err, fieldcrypt.ErrModel)
}
