package gorm_test

import (
	"fmt"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
)

// Worker has a column that the caller's SELECT computes.
type Worker struct {
	gormcrypt.Encrypted
	ID    uint64
	Ward  string
	Name  string `fieldcrypt:"medical,index"`
	Total int    `gorm:"->;-:migration"`
}

// WorkerView is read from visits.
type WorkerView struct {
	gormcrypt.Encrypted
	ID   uint64
	Name string `fieldcrypt:"medical,index,id=visits.reason"`
	More string
}

func TestHostileSelectsOfMarkedModels(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		for _, cfg := range []gorm.Config{{}, {QueryFields: true}, {PrepareStmt: true}} {
			db, _ := useWith(t, d(t), cfg, &Worker{}, &Visit{}, &Doctor{})
			must(t, db.Omit("Total").Create(&[]Worker{{Ward: "A", Name: "one"}, {Ward: "A", Name: "two"}, {Ward: "B", Name: "three"}}))
			must(t, db.Create(&[]Visit{{PatientID: 1, Reason: "r1"}, {PatientID: 1, Reason: "r2"}, {PatientID: 2, Reason: "r3"}}))
			must(t, gormcrypt.AllowRaw(db).Exec("CREATE VIEW few_visits AS SELECT id, reason, reason_bidx FROM visits"))
			visits := func(name string, want int, tx *gorm.DB) {
				t.Helper()
				var got []Visit
				if err := tx.Find(&got).Error; err != nil || len(got) != want {
					t.Errorf("%+v %s: %d rows, %v", cfg.QueryFields, name, len(got), err)
				}
				for _, v := range got {
					if v.ID > 0 && v.Reason != fmt.Sprint("r", v.ID) {
						t.Errorf("%s: %+v", name, v)
					}
				}
			}
			visits("all", 3, db)
			if !cfg.QueryFields { // which asks for all of the model's columns
				visits("sub-query", 3, db.Table("(?) AS v", db.Model(&Visit{}).Select("id", "reason")))
				visits("sub-query, named as the table", 3, db.Table("(?) AS visits", db.Model(&Visit{}).Select("id", "reason")))
				visits("a view", 3, db.Table("few_visits"))
				visits("a view with an alias", 3, db.Table("few_visits AS f"))
			}
			visits("whole sub-query", 3, db.Table("(?) AS v", db.Model(&Visit{})))
			visits("alias", 2, db.Table("visits AS v").Where("v.patient_id = ?", 1))
			visits("alias, searched", 1, db.Table("visits v").Where("v.reason = ?", "r2"))
			visits("distinct", 3, db.Distinct())
			visits("distinct, named", 3, db.Distinct("id", "reason"))
			visits("locked", 3, db.Clauses(clause.Locking{Strength: "UPDATE"}))
			visits("unscoped", 3, db.Unscoped())
			visits("group by key", 3, db.Group("id"))
			visits("joined", 3, db.Joins("LEFT JOIN doctors ON doctors.id = visits.id"))
			visits("joined, star", 3, db.Select("visits.*").Joins("LEFT JOIN doctors ON doctors.id = visits.id"))
			visits("omit", 3, db.Omit("patient_id"))
			visits("omit sealed", 3, db.Omit("reason").Select("*"))
			visits("text", 3, db.Select("id, reason"))
			visits("star and more", 3, db.Select("*, 1 AS more"))

			var n int64
			must(t, db.Model(&Visit{}).Select("patient_id").Distinct().Count(&n))
			if n != 2 {
				t.Errorf("Count: %d", n)
			}
			must(t, db.Table("(?) AS v", db.Model(&Visit{}).Select("id", "reason")).Count(&n))
			if n != 3 {
				t.Errorf("Count of a sub-query: %d", n)
			}
			var ids []uint64
			must(t, db.Model(&Visit{}).Distinct().Order("patient_id").Pluck("patient_id", &ids))
			if len(ids) != 2 {
				t.Errorf("Pluck: %v", ids)
			}
			var reasons []string
			for _, name := range []string{"Reason", "reason", "REASON", "visits.reason"} {
				if err := db.Model(&Visit{}).Order("id").Pluck(name, &reasons).Error; err != nil || len(reasons) != 3 || reasons[2] != "r3" {
					t.Errorf("Pluck %s: %v, %v", name, reasons, err)
				}
			}
			var computed []Worker
			must(t, db.Model(&Worker{}).Select("ward, count(*) AS total").Group("ward").Having("count(*) > ?", 0).Order("ward").Find(&computed))
			if len(computed) != 2 || computed[0].Total != 2 {
				t.Errorf("computed: %+v", computed)
			}
			computed = nil
			must(t, db.Select("*, 5 AS total").Find(&computed))
			if len(computed) != 3 || computed[0].Total != 5 || computed[0].Name != "one" {
				t.Errorf("computed: %+v", computed)
			}
			if !cfg.QueryFields {
				computed = nil
				must(t, db.Find(&computed))
				if len(computed) != 3 || computed[2].Name != "three" {
					t.Errorf("all: %+v", computed)
				}
			}
			var maps []map[string]any
			must(t, db.Model(&Visit{}).Select("patient_id, count(*) AS n").Group("patient_id").Find(&maps))
			if len(maps) != 2 {
				t.Errorf("%v", maps)
			}
			batches := 0
			var batch []Visit
			must(t, db.FindInBatches(&batch, 2, func(tx *gorm.DB, b int) error {
				batches += len(batch)
				for i := range batch {
					batch[i].Reason += "!"
				}
				return nil
			}))
			if batches != 3 {
				t.Errorf("batches: %d", batches)
			}
			type dto struct {
				ID        uint64
				PatientID uint64
			}
			var dtos []dto
			must(t, db.Model(&Visit{}).Find(&dtos))
			if len(dtos) != 3 || dtos[0].PatientID != 1 {
				t.Errorf("%v", dtos)
			}
			var views []WorkerView
			if err := db.Table("visits").Select("id").Find(&views).Error; err != nil || len(views) != 3 {
				t.Errorf("%v, %v", views, err)
			}
		}
	})
}
