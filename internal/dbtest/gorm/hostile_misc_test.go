package gorm_test

import (
	"fmt"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
)

func TestHostileInsertIntoAnotherTable(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, _ := use(t, d(t), &Visit{})
		if err := db.Table("archive").AutoMigrate(&Visit{}); err != nil {
			t.Fatal(err)
		}
		rows := make([]Visit, 20)
		for i := range rows {
			rows[i] = Visit{PatientID: uint64(i), Reason: fmt.Sprint("r", i)}
		}
		must(t, db.Clauses(clause.Insert{Table: clause.Table{Name: "archive"}}).Create(&rows))
		var all []Visit
		must(t, db.Table("archive").Order("id").Find(&all))
		if len(all) != 20 || all[7].Reason != "r7" || all[7].ID != rows[7].ID {
			t.Errorf("%d rows: %+v", len(all), all)
		}
	})
}

func TestHostileSubqueriesOfTenantsAndBound(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, _ := clinics(t, d, gorm.Config{})
		a, _ := twoClinics(t, db)
		must(t, in(db, acme).Create(&Note{ResidentID: a.ID, Text: "n"}))
		for what, tx := range map[string]*gorm.DB{
			"derived":          in(db, acme).Table("(?) AS r", db.Model(&Resident{})).Where("r.mrn = ?", "1"),
			"derived, same":    in(db, acme).Table("(?) AS residents", db.Model(&Resident{})).Where("mrn = ?", "1"),
			"derived, cond":    in(db, acme).Table("(?) AS residents", in(db, acme).Model(&Resident{}).Where("name = ?", "Ann")).Where("mrn = ?", "1"),
			"derived, part":    in(db, acme).Table("(?) AS r", db.Model(&Resident{}).Select("id", "mrn", "mrn_bidx", "clinic", "ward", "name", "head_id")).Where("r.mrn = ?", "1"),
			"derived, text":    in(db, acme).Table("(?) AS r", db.Model(&Resident{}).Select("id, mrn, mrn_bidx, clinic")).Where("r.mrn = ?", "1"),
			"IN":               in(db, acme).Where("id IN (?)", in(db, acme).Model(&Resident{}).Select("id").Where("mrn = ?", "1")),
			"EXISTS":           in(db, acme).Where("EXISTS (?)", in(db, acme).Model(&Note{}).Where("notes.resident_id = residents.id AND text = ?", "n")),
			"generics derived": in(db, acme).Where("id IN (?)", in(db, acme).Table("(?) AS n", db.Model(&Note{})).Select("n.resident_id").Where("n.text = ?", "n")),
		} {
			var got []Resident
			if err := tx.Find(&got).Error; err != nil || len(got) != 1 || got[0].ID != a.ID || got[0].MRN != "1" {
				t.Errorf("%s: %+v, %v", what, got, err)
			}
		}
		rs := reports(t, d, gorm.Config{})
		for what, tx := range map[string]*gorm.DB{
			"derived":       rs.Table("(?) AS r", rs.Model(&Report{})).Where("r.text = ?", "text a"),
			"derived, same": rs.Table("(?) AS reports", rs.Model(&Report{})).Where("text = ?", "text a"),
			"part":          rs.Table("(?) AS r", rs.Model(&Report{}).Select("key", "number", "text", "text_bidx")).Select("r.text").Where("r.text = ?", "text a"),
			"alias":         rs.Table("reports r").Select("r.text, r.page").Where("r.text = ?", "text a"),
			"joined":        rs.Select("reports.text").Joins("JOIN reports o ON o.key = reports.key").Where("reports.text = ?", "text a"),
			"other's":       rs.Select("o.text").Joins("JOIN reports o ON o.number = reports.number").Where("o.text = ?", "text a"),
		} {
			var got []Report
			if err := tx.Find(&got).Error; err != nil || len(got) != 1 || got[0].Text != "text a" {
				t.Errorf("bound %s: %+v, %v", what, got, err)
			}
			var maps []map[string]any
			if err := tx.Session(&gorm.Session{}).Find(&maps).Error; err != nil || len(maps) != 1 || maps[0]["text"] != "text a" {
				t.Errorf("bound %s: %+v, %v", what, maps, err)
			}
		}
	})
}

func TestHostileAssociationsOfBound(t *testing.T) {
	type Part struct {
		gormcrypt.Encrypted
		ID      uint64
		OwnerID *string
		Text    string `fieldcrypt:"medical,index,bind=OwnerID"`
	}
	type Owner struct {
		ID    string `gorm:"primaryKey"`
		Parts []Part
	}
	onEach(t, func(t *testing.T, d dialector) {
		db, _ := open(t, d(t), gorm.Config{})
		if err := db.Use(gormcrypt.New(newCrypter(t), &Part{})); err != nil {
			t.Skip(err)
		}
		if err := db.AutoMigrate(&Owner{}, &Part{}); err != nil {
			t.Fatal(err)
		}
		for what, run := range map[string]func(o, p *Owner) error{
			"Append":     func(o, p *Owner) error { return db.Model(o).Association("Parts").Append(&Part{Text: "new"}) },
			"Append old": func(o, p *Owner) error { return db.Model(o).Association("Parts").Append(&p.Parts[0]) },
			"Append id":  func(o, p *Owner) error { return db.Model(o).Association("Parts").Append(&Part{ID: p.Parts[0].ID}) },
			"Append more": func(o, p *Owner) error {
				return db.Model(o).Association("Parts").Append(&Part{ID: p.Parts[0].ID, Text: "z"})
			},
			"Replace": func(o, p *Owner) error { return db.Model(o).Association("Parts").Replace(&Part{Text: "r"}) },
			"Clear":   func(o, p *Owner) error { return db.Model(o).Association("Parts").Clear() },
			"Delete":  func(o, p *Owner) error { return db.Model(o).Association("Parts").Delete(&o.Parts[0]) },
			"Save":    func(o, p *Owner) error { o.Parts = append(o.Parts, p.Parts[0]); return db.Save(o).Error },
			"full Save": func(o, p *Owner) error {
				o.Parts = append(o.Parts, p.Parts[0])
				return db.Session(&gorm.Session{FullSaveAssociations: true}).Save(o).Error
			},
			"NULL": func(o, p *Owner) error { return db.Model(&o.Parts[0]).Update("owner_id", nil).Error },
			"Select": func(o, p *Owner) error {
				o.Parts[0].OwnerID = &p.ID
				return db.Model(&o.Parts[0]).Select("OwnerID").Updates(&o.Parts[0]).Error
			},
			"Updates": func(o, p *Owner) error { return db.Model(&o.Parts[0]).Updates(Part{OwnerID: &p.ID}).Error },
			"Updates text": func(o, p *Owner) error {
				return db.Model(&o.Parts[0]).Updates(Part{OwnerID: &p.ID, Text: "moved"}).Error
			},
			"Omit": func(o, p *Owner) error {
				o.Parts[0].OwnerID = &p.ID
				o.Parts[0].Text = "z"
				return db.Omit("OwnerID").Save(&o.Parts[0]).Error
			},
			"Omit 2": func(o, p *Owner) error { o.Parts[0].OwnerID = &p.ID; return db.Omit("Text").Save(&o.Parts[0]).Error },
			"Save 2": func(o, p *Owner) error { o.Parts[0].OwnerID = &p.ID; return db.Save(&o.Parts[0]).Error },
			"Column": func(o, p *Owner) error {
				return db.Model(&o.Parts[0]).Update("owner_id", clause.Column{Name: "owner_id"}).Error
			},
			"slice": func(o, p *Owner) error { return db.Model(&o.Parts).Update("text", "z").Error },
			"map": func(o, p *Owner) error {
				return db.Model(&Part{ID: o.Parts[0].ID}).Updates(map[string]any{"text": "z"}).Error
			},
			"stale": func(o, p *Owner) error {
				return db.Model(&Part{ID: o.Parts[0].ID, OwnerID: &p.ID}).Updates(map[string]any{"text": "z"}).Error
			},
			"upsert": func(o, p *Owner) error {
				return db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&Part{ID: o.Parts[0].ID, OwnerID: &p.ID, Text: "z"}).Error
			},
			"upsert 2": func(o, p *Owner) error {
				return db.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "id"}}, DoUpdates: clause.AssignmentColumns([]string{"owner_id"})}).Create(&Part{ID: o.Parts[0].ID, OwnerID: &p.ID, Text: "z"}).Error
			},
		} {
			must(t, db.Exec("DELETE FROM parts"))
			must(t, db.Exec("DELETE FROM owners"))
			o, p := &Owner{ID: "o", Parts: []Part{{Text: "o1"}, {Text: "o2"}}}, &Owner{ID: "p", Parts: []Part{{Text: "p1"}}}
			for _, owner := range []*Owner{o, p} {
				must(t, db.Omit("Parts").Create(owner))
				for i := range owner.Parts {
					owner.Parts[i].OwnerID = &owner.ID
				}
				must(t, db.Create(&owner.Parts))
			}
			if err := run(o, p); err != nil {
				isRefused(t, what, err, fieldcrypt.ErrUnsupported)
			}
			var all []Part
			if err := db.Find(&all).Error; err != nil || len(all) < 3 {
				t.Errorf("%s: %d rows, %v", what, len(all), err)
			}
		}
	})
}
