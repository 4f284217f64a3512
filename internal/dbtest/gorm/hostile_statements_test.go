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

// Mover's hooks give it to another tenant.
type Mover struct {
	gormcrypt.Encrypted
	ID     uint64
	Name   string `fieldcrypt:"tenants,index,id=residents.name"`
	MRN    string `fieldcrypt:"tenants,index,id=residents.mrn" gorm:"column:mrn"`
	Clinic string `fieldcrypt:",tenant"`
	Ward   string
}

func (Mover) TableName() string { return "residents" }

func (m *Mover) BeforeCreate(tx *gorm.DB) error {
	m.Clinic = hill
	return nil
}

func (m *Mover) BeforeUpdate(tx *gorm.DB) error {
	tx.Statement.SetColumn("Clinic", hill)
	return nil
}

func TestHostileStatementsOfOneTenant(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		global := &gorm.Session{AllowGlobalUpdate: true}
		for what, run := range map[string]func(db *gorm.DB, h Resident) *gorm.DB{
			"bulk by OR": func(db *gorm.DB, h Resident) *gorm.DB {
				return db.Model(&Resident{}).Where("ward = ?", "H").Or("1 = 1").Update("name", "x")
			},
			"bulk by a tenant": func(db *gorm.DB, h Resident) *gorm.DB {
				return db.Model(&Resident{}).Where("clinic = ?", hill).Update("name", "x")
			},
			"tenant IN": func(db *gorm.DB, h Resident) *gorm.DB {
				return db.Model(&Resident{}).Where("clinic IN ?", []string{hill, acme}).Updates(map[string]any{"name": "x", "mrn": "y"})
			},
			"everything": func(db *gorm.DB, h Resident) *gorm.DB {
				return db.Session(global).Model(&Resident{}).Update("name", "x")
			},
			"UpdateColumns": func(db *gorm.DB, h Resident) *gorm.DB {
				return db.Session(global).Model(&Resident{}).UpdateColumns(Resident{Name: "x"})
			},
			"Table": func(db *gorm.DB, h Resident) *gorm.DB {
				return db.Table("residents").Where("id = ?", h.ID).Updates(map[string]any{"name": "x"})
			},
			"Table with an alias": func(db *gorm.DB, h Resident) *gorm.DB {
				return db.Table("residents AS r").Where("r.id = ?", h.ID).Updates(map[string]any{"name": "x"})
			},
			"the row": func(db *gorm.DB, h Resident) *gorm.DB { return db.Model(&h).Update("name", "x") },
			"the row, Select": func(db *gorm.DB, h Resident) *gorm.DB {
				return db.Model(&h).Select("*").Updates(Resident{ID: h.ID, Name: "x"})
			},
			"a slice": func(db *gorm.DB, h Resident) *gorm.DB {
				return db.Model(&[]Resident{{ID: h.ID}, {ID: 1}}).Update("name", "x")
			},
			"Save":        func(db *gorm.DB, h Resident) *gorm.DB { h.Clinic = ""; h.Name = "x"; return db.Save(&h) },
			"Save of all": func(db *gorm.DB, h Resident) *gorm.DB { h.Clinic = ""; h.Name = "x"; return db.Save(&[]Resident{h}) },
			"upsert": func(db *gorm.DB, h Resident) *gorm.DB {
				return db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&Resident{ID: h.ID, Name: "x"})
			},
			"upsert of a plain column": func(db *gorm.DB, h Resident) *gorm.DB {
				return db.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "id"}}, DoUpdates: clause.AssignmentColumns([]string{"name", "clinic"})}).Create(&Resident{ID: h.ID, Name: "x"})
			},
			"upsert of the tenant": func(db *gorm.DB, h Resident) *gorm.DB {
				return db.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "id"}}, DoUpdates: clause.AssignmentColumns([]string{"clinic"})}).Create(&Resident{ID: h.ID, Name: "x"})
			},
			"on the index": func(db *gorm.DB, h Resident) *gorm.DB {
				return db.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "mrn"}}, DoUpdates: clause.AssignmentColumns([]string{"name"})}).Create(&Resident{MRN: h.MRN, Name: "x"})
			},
			"delete by a value": func(db *gorm.DB, h Resident) *gorm.DB { return db.Where("mrn = ?", h.MRN).Delete(&Resident{}) },
			"delete by <>":      func(db *gorm.DB, h Resident) *gorm.DB { return db.Where("mrn <> ?", "none").Delete(&Resident{}) },
			"delete by Not":     func(db *gorm.DB, h Resident) *gorm.DB { return db.Not("mrn = ?", "none").Delete(&Resident{}) },
			"delete by IS FALSE": func(db *gorm.DB, h Resident) *gorm.DB {
				return db.Where("(mrn = ?) IS FALSE", "none").Delete(&Resident{})
			},
			"delete by a struct": func(db *gorm.DB, h Resident) *gorm.DB { return db.Where(&Resident{Name: "Ann"}).Delete(&Resident{}) },
			"delete RETURNING": func(db *gorm.DB, h Resident) *gorm.DB {
				return db.Clauses(clause.Returning{}).Where("name = ?", "Ann").Delete(&[]Resident{})
			},
			"FirstOrCreate": func(db *gorm.DB, h Resident) *gorm.DB {
				return db.Where(Resident{MRN: "1"}).Assign(Resident{Name: "x"}).FirstOrCreate(&Resident{})
			},
			"FirstOrCreate by id": func(db *gorm.DB, h Resident) *gorm.DB {
				return db.Where("id = ?", h.ID).Assign(Resident{Name: "x"}).FirstOrCreate(&Resident{})
			},
			"a hook that updates": func(db *gorm.DB, h Resident) *gorm.DB { return db.Model(&Mover{ID: 1}).Update("name", "x") },
			"a hook that creates": func(db *gorm.DB, h Resident) *gorm.DB { return db.Create(&Mover{Name: "x"}) },
			"a computed tenant": func(db *gorm.DB, h Resident) *gorm.DB {
				return db.Model(&Resident{}).Where("id = ?", 1).Update("clinic", gorm.Expr("?", hill))
			},
			"tenant by a column": func(db *gorm.DB, h Resident) *gorm.DB {
				return db.Model(&Resident{}).Where("id = ?", 1).Update("clinic", clause.Column{Name: "ward"})
			},
			"takes the tenant": func(db *gorm.DB, h Resident) *gorm.DB {
				return db.Model(&Resident{}).Where("id = ?", h.ID).Update("clinic", acme)
			},
			"takes the tenant whole": func(db *gorm.DB, h Resident) *gorm.DB {
				return db.Model(&Resident{}).Where("id = ?", h.ID).Updates(map[string]any{"clinic": acme, "name": "x", "mrn": "9"})
			},
			"a generic update": func(db *gorm.DB, h Resident) *gorm.DB {
				_, err := gorm.G[Resident](db).Where("id = ?", h.ID).Update(db.Statement.Context, "name", "x")
				return &gorm.DB{Error: err}
			},
			"a generic set": func(db *gorm.DB, h Resident) *gorm.DB {
				_, err := gorm.G[Resident](db).Where("id = ?", h.ID).Set(clause.Assignment{Column: clause.Column{Name: "name"}, Value: "x"}).Update(db.Statement.Context)
				return &gorm.DB{Error: err}
			},
			"an association": func(db *gorm.DB, h Resident) *gorm.DB {
				return &gorm.DB{Error: db.Model(&Resident{ID: 1}).Association("Head").Replace(&Resident{ID: h.ID, Name: "x"})}
			},
			"notes of another": func(db *gorm.DB, h Resident) *gorm.DB {
				return &gorm.DB{Error: db.Model(&Resident{ID: 1}).Association("Notes").Append(&Note{ID: 1, Text: "x"})}
			},
			"full save": func(db *gorm.DB, h Resident) *gorm.DB {
				return db.Session(&gorm.Session{FullSaveAssociations: true}).Model(&Resident{ID: 1}).Updates(&Resident{Head: &Resident{ID: h.ID, Name: "x"}})
			},
			"CASE in SET": func(db *gorm.DB, h Resident) *gorm.DB {
				return db.Model(&Resident{}).Where("1 = 1").Update("name", gorm.Expr("CASE WHEN id = ? THEN name ELSE name END", h.ID))
			},
		} {
			db, _ := clinics(t, d, gorm.Config{})
			a, h := twoClinics(t, db)
			must(t, in(db, hill).Create(&Note{ResidentID: h.ID, Text: "n"}))
			func() {
				defer func() {
					if r := recover(); r != nil {
						t.Errorf("%s: panic: %v", what, r)
					}
				}()
				err := run(in(db, acme), h).Error
				if e := (*fieldcrypt.Error)(nil); err != nil && !errors.As(err, &e) {
					var pg interface{ SQLState() string } // or the database has refused it
					if !errors.As(err, &pg) && db.Dialector.Name() != "sqlite" {
						t.Errorf("%s: %v", what, err)
					}
				}
			}()
			var all []Resident
			if err := db.Order("id").Find(&all).Error; err != nil {
				t.Errorf("%s: %v", what, err)
			}
			found := 0
			for _, m := range all {
				if m.ID == h.ID && m.Name == h.Name && m.MRN == h.MRN && m.Clinic == hill && m.Ward == "H" && m.HeadID == nil {
					found++
				}
				if m.ID != h.ID && m.Clinic == hill || m.ID == a.ID && m.Clinic != acme {
					t.Errorf("%s: another row came to the tenant", what)
				}
				var n int64
				must(t, in(db, m.Clinic).Model(&Resident{}).Where("id = ? AND mrn = ? AND name = ?", m.ID, m.MRN, m.Name).Count(&n))
				if n != 1 {
					t.Errorf("%s: a row is not found by its values", what)
				}
			}
			var note Note
			if err := db.First(&note, 1).Error; err != nil || note.Text != "n" || note.Clinic != hill {
				t.Errorf("%s: the note is %+v, %v", what, note, err)
			}
			if found != 1 {
				t.Errorf("%s: the other tenant's row is gone: %s", what, fmt.Sprint(all))
			}
		}
	})
}
