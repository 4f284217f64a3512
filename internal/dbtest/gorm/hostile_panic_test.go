package gorm_test

import (
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
)

func TestHostileNothingPanics(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, _ := clinics(t, d, gorm.Config{})
		twoClinics(t, db)
		acmes := in(db, acme).Session(&gorm.Session{})
		rs := reports(t, d, gorm.Config{})
		members, _ := clubhouse(t, d, 5)
		ad, _, _ := adopting(t, d)
		var none *Resident
		for what, run := range map[string]func(){
			"Match of nothing":    func() { acmes.Where(gormcrypt.Match("")).Find(&[]Resident{}) },
			"Match without":       func() { acmes.Where(gormcrypt.Match("mrn_bidx")).Find(&[]Resident{}) },
			"Match of nil":        func() { acmes.Where(gormcrypt.Match("mrn_bidx", nil)).Find(&[]Resident{}) },
			"Match of many":       func() { acmes.Where(gormcrypt.Match("mrn_bidx", 1, 2, 3)).Find(&[]Resident{}) },
			"Match without table": func() { acmes.Where(gormcrypt.Match("mrn_bidx", 1)).Find(&[]map[string]any{}) },
			"Match truncated":     func() { members.Where(gormcrypt.Match("place_bidx", "x")).Find(&[]Member{}) },
			"truncated into nil":  func() { members.Where("card = ?", "1").Find(nil) },
			"truncated into none": func() { members.Where("card = ?", "1").Find((*Member)(nil)) },
			"truncated by value":  func() { members.Where("card = ?", "1").Find(Member{}) },
			"truncated array":     func() { members.Where("card = ?", "1").Find(&[3]Member{}) },
			"truncated -1":        func() { members.Where("card = ?", "1").Limit(-1).Offset(-1).Find(&[]Member{}) },
			"truncated pointers":  func() { members.Where("card = ?", "1").Find(&[]**Member{}) },
			"Terms of nil":        func() { gormcrypt.Terms(db, nil, "x") },
			"Terms of a none":     func() { gormcrypt.Terms(acmes, none, "mrn", nil) },
			"Create none":         func() { acmes.Create(none) },
			"Create no rows":      func() { acmes.Create(&[]Resident{}) },
			"Create nils":         func() { acmes.Create(&[]*Resident{nil, nil}) },
			"Create no maps":      func() { acmes.Model(&Resident{}).Create(&[]map[string]any{}) },
			"Create a nil map":    func() { acmes.Model(&Resident{}).Create(map[string]any(nil)) },
			"Create ragged maps":  func() { acmes.Model(&Resident{}).Create(&[]map[string]any{{"mrn": "7"}, {"name": "x"}, {}}) },
			"Updates nil":         func() { acmes.Model(&Resident{}).Where("id = 1").Updates(map[string]any(nil)) },
			"Updates none":        func() { acmes.Model(&Resident{}).Where("id = 1").Updates(none) },
			"Updates of none":     func() { acmes.Model(none).Where("id = 1").Update("name", "x") },
			"Updates odd":         func() { acmes.Model(&Resident{}).Where("id = 1").Updates(5) },
			"Save none":           func() { acmes.Save(none) },
			"Where nil":           func() { acmes.Where(nil).Where("", nil).Where(none).Find(&[]Resident{}) },
			"Where odd":           func() { acmes.Where("mrn = ?").Where("mrn = ? AND").Find(&[]Resident{}) },
			"Where unbalanced":    func() { acmes.Where("((mrn = ?)", "1").Find(&[]Resident{}) },
			"Where closed":        func() { acmes.Where("mrn = ?) OR (1 = 1", "1").Find(&[]Resident{}) },
			"Where brackets":      func() { acmes.Where("(mrn = ?)]", "1").Find(&[]Resident{}) },
			"Where of nothing":    func() { acmes.Where("? AND (?)", clause.Expr{}, clause.And()).Find(&[]Resident{}) },
			"Where more values":   func() { acmes.Where("mrn = ? AND ?", "1").Find(&[]Resident{}) },
			"Where Expr alone":    func() { acmes.Where("x = @x AND ?", map[string]any{"x": gorm.Expr("mrn = ?", 1)}).Find(&[]Resident{}) },
			"bound IN nothing":    func() { rs.Model(&Report{}).Where("key IN ?", []string{}).Update("text", "x") },
			"bound nil":           func() { rs.Model(&Report{}).Where("key = ?", nil).Update("text", "x") },
			"bound upsert":        func() { rs.Clauses(clause.OnConflict{DoUpdates: clause.Set{{}}}).Create(&Report{Key: "a"}) },
			"RETURNING":           func() { rs.Clauses(clause.Returning{}).Model(&Report{}).Where("key = ?", "a").Update("text", "x") },
			"adopted NULL":        func() { ad.Where("name_sealed IS").Find(&[]Client{}) },
			"adopted IN nil":      func() { ad.Where("name_sealed IN ?", nil).Find(&[]Client{}) },
			"adopted map":         func() { ad.Model(&Client{}).Find(&map[string]any{}) },
			"adopted nil map":     func() { var m map[string]any; ad.Model(&Client{}).Find(&m) },
			"adopted Pluck":       func() { ad.Model(&Client{}).Pluck("tags_sealed", &[][]string{}) },
			"Check":               func() { gormcrypt.Check(ctx, db, nil, none, 5, &[]Resident{}) },
		} {
			func() {
				defer func() {
					if r := recover(); r != nil {
						t.Errorf("%s: panic: %v", what, r)
					}
				}()
				run()
			}()
		}
		var texts []string
		for _, column := range []string{"TEXT", "reports.text", "Text"} {
			must(t, rs.Model(&Report{}).Where("key = ?", "b").Pluck(column, &texts))
			if len(texts) != 1 || texts[0] != "text b" {
				t.Errorf("Pluck %s: %v", column, texts)
			}
		}
	})
}
