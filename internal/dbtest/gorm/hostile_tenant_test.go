package gorm_test

import (
	"database/sql"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
)

func matchMRN(v string) clause.Expression { return gormcrypt.Match("mrn_bidx", v) }

func nullText(s string) sql.NullString { return sql.NullString{String: s, Valid: true} }

// GORM puts no parentheses around text whose OR stands between line breaks, so a
// condition before it does not hold for all rows.
func TestHostileAnOrThatGORMOverlooksWritesNoOtherRow(t *testing.T) {
	const overlooked = "1 = 0\nOR\n1 = 1"
	onEach(t, func(t *testing.T, d dialector) {
		t.Run("tenant", func(t *testing.T) {
			db, _ := clinics(t, d, gorm.Config{})
			a, h := twoClinics(t, db)
			must(t, db.Model(&Resident{}).Where("clinic = ?", acme).Where(overlooked).Update("name", "x"))
			for id, want := range map[uint64]string{a.ID: "x", h.ID: "Ann"} {
				var m Resident
				if err := db.First(&m, id).Error; err != nil || m.Name != want {
					t.Errorf("%+v, %v; want %s", m, err, want)
				}
			}
			tx := db.Model(&Resident{}).Where("clinic = ?", hill).Where(overlooked).Update("clinic", hill)
			var n int64
			must(t, db.Model(&Resident{}).Where("clinic = ?", hill).Count(&n))
			if n != 1 {
				t.Errorf("%d rows belong to the tenant: %v", n, tx.Error)
			}
		})
		t.Run("bound", func(t *testing.T) {
			db := reports(t, d, gorm.Config{})
			must(t, db.Model(&Report{}).Where("key = ?", "a").Where(overlooked).Update("text", "x"))
			var all []Report
			if err := db.Order("key").Find(&all).Error; err != nil || len(all) != 2 || all[0].Text != "x" || all[1].Text != "text b" {
				t.Errorf("%+v, %v", all, err)
			}
			// A number that stays what it is.
			tx := db.Model(&Report{}).Where("number = ?", 2).Where(overlooked).Update("number", 2)
			all = nil
			if err := db.Order("key").Find(&all).Error; err != nil {
				t.Errorf("after %v: %v", tx.Error, err)
			}
		})
	})
}

func TestHostileComparisonsAsValuesStayInTheTenant(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, _ := clinics(t, d, gorm.Config{})
		twoClinics(t, db)
		must(t, in(db, acme).Create(&Resident{MRN: "2", Name: "Bob"}))
		must(t, in(db, hill).Create(&Resident{MRN: "3", Name: "Cyd"}))
		for what, tx := range map[string]*gorm.DB{
			"IS FALSE":          in(db, acme).Where("(mrn = ?) IS FALSE", "1"),
			"IS NOT TRUE":       in(db, acme).Where("(mrn = ?) IS NOT TRUE", "1"),
			"= false":           in(db, acme).Where("(mrn = ?) = false", "1"),
			"<> true":           in(db, acme).Where("(mrn = ?) <> ?", "1", true),
			"COALESCE":          in(db, acme).Where("coalesce(mrn = ?, false) = ?", "1", false),
			"COALESCE twice":    in(db, acme).Where("coalesce((mrn = ?), false) = ?", "1", false),
			"in parentheses":    in(db, acme).Where("((mrn = ?)) IS FALSE", "1"),
			"with an AND":       in(db, acme).Where("(mrn = ? AND id > 0) IS FALSE", "1"),
			"of Match":          in(db, acme).Where("(?) IS FALSE", matchMRN("1")),
			"of a sub-select":   in(db, acme).Where("id IN (SELECT r.id FROM residents r WHERE (r.mrn = ?) IS FALSE)", "1"),
			"an operand":        in(db, acme).Where(clause.Eq{Column: clause.Column{Name: "(1 = 2)", Raw: true}, Value: gorm.Expr("(mrn = ?)", "1")}),
			"NOT of a Match":    in(db, acme).Where("EXISTS (SELECT 1 FROM residents r WHERE r.id = residents.id AND NOT ?)", gormcrypt.Match("r.mrn_bidx", "1")),
			"NOT of an Expr":    in(db, acme).Where("id IN (SELECT residents.id FROM residents WHERE NOT (?))", gorm.Expr("residents.mrn = ?", "1")),
			"an Expr":           in(db, acme).Where("(?) IS FALSE", gorm.Expr("mrn = ?", "1")),
			"an Eq":             in(db, acme).Where("(?) IS FALSE", clause.Eq{Column: "mrn", Value: "1"}),
			"compared with one": in(db, acme).Where("(mrn = ?) = (name = ?)", "9", "nobody"),
			"a sum":             in(db, acme).Where("id IN (SELECT r.id FROM residents r GROUP BY r.id HAVING max(r.id) > 0 AND (max(r.ward) = ? OR min(CASE WHEN r.mrn = ? THEN 1 ELSE 0 END) = 0))", "none", "1"),
			"NOT IN sub-query":  in(db, acme).Where("id NOT IN (?)", in(db, acme).Model(&Resident{}).Select("id").Where("mrn = ?", "1")).Where("clinic = ?", acme),
		} {
			var got []Resident
			err := tx.Order("id").Find(&got).Error
			for _, m := range got {
				if m.Clinic != acme {
					t.Errorf("%s: found %s of %s", what, m.MRN, m.Clinic)
				}
			}
			if err == nil && len(got) == 0 {
				t.Errorf("%s: found nothing", what)
			} else if err != nil {
				isRefused(t, what, err, fieldcrypt.ErrUnsearchable)
			}
		}
	})
}

// A column that is given twice is refused: databases take one or the other.
func TestHostileCompanionsGivenTwice(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, _ := clinics(t, d, gorm.Config{})
		a, h := twoClinics(t, db)
		for what, tx := range map[string]*gorm.DB{
			"insert":  db.Model(&Resident{}).Create(map[string]any{"mrn": "7", "name": "x", "CLINIC": hill, "clinic": acme}),
			"insert2": db.Model(&Resident{}).Create(map[string]any{"mrn": "8", "name": "x", "CLINIC": acme, "clinic": hill}),
			"update":  db.Model(&Resident{}).Where("id = ?", a.ID).Updates(map[string]any{"mrn": "7", "name": "x", "CLINIC": hill, "clinic": acme}),
			"update2": db.Model(&Resident{}).Where("id = ?", h.ID).Updates(map[string]any{"mrn": "7", "name": "x", "CLINIC": acme, "clinic": hill}),
		} {
			isRefused(t, what, tx.Error, fieldcrypt.ErrUnsupported)
			var all []Resident
			if err := db.Find(&all).Error; err != nil {
				t.Errorf("after %s: %v", what, err)
			}
		}
		rs := reports(t, d, gorm.Config{})
		for what, tx := range map[string]*gorm.DB{
			"insert":  rs.Model(&Report{}).Create(map[string]any{"key": "c", "text": "x", "page": "x", "NUMBER": 8, "number": 9}),
			"update":  rs.Model(&Report{}).Where("key = ?", "a").Updates(map[string]any{"page": "x", "NUMBER": 8, "number": 9}),
			"update2": rs.Model(&Report{}).Where("key = ?", "a").Updates(map[string]any{"text": "x", "KEY": "a", "key": "z"}),
		} {
			isRefused(t, what, tx.Error, fieldcrypt.ErrUnsupported)
			var all []Report
			if err := rs.Find(&all).Error; err != nil {
				t.Errorf("after %s: %v", what, err)
			}
		}
	})
}

func TestHostileTenantsGivenInOtherTypes(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, _ := clinics(t, d, gorm.Config{})
		a, h := twoClinics(t, db)
		other := hill
		for what, v := range map[string]any{"*string": &other, "Valuer": nullText(hill), "bytes": []byte(hill), "Expr": gorm.Expr("?", hill), "sub-query": db.Model(&Resident{}).Select("clinic").Where("id = ?", h.ID)} {
			if err := in(db, acme).Model(&Resident{}).Create(map[string]any{"mrn": "9", "Clinic": v}).Error; err == nil {
				t.Errorf("Create with a %s", what)
			}
			if err := in(db, acme).Model(&Resident{}).Where("id = ?", a.ID).Updates(map[string]any{"clinic": v, "name": "x", "mrn": "9"}).Error; err == nil {
				t.Errorf("Updates with a %s", what)
			}
			if err := in(db, acme).Model(&Resident{}).Where("id = ?", a.ID).Update("CLINIC", v).Error; err == nil {
				t.Errorf("Update with a %s", what)
			}
		}
		var all []Resident
		must(t, db.Order("id").Find(&all))
		if len(all) != 2 || all[0].Name != "Ann" || all[0].Clinic != acme || all[1].Clinic != hill {
			t.Errorf("%+v", all)
		}
	})
}
