package gorm_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/fieldcrypt/go/drivers/drivertest"
	"github.com/fieldcrypt/go/fieldcrypt"
)

// statements are built and not run; each says by what it is refused, if it is.
var statements = []struct {
	name string
	run  func(db q) q
	want error
}{
	{"Create", func(db q) q { return db.Create(&Clinic{Name: canary}) }, nil},
	{"Create a slice", func(db q) q { return db.Create(&[]Room{{Name: canary}, {Name: canary}}) }, nil},
	{"Create a map", func(db q) q { return db.Model(&Room{}).Create(map[string]any{"name": canary}) }, nil},
	{"Create in a Table", func(db q) q { return db.Table("rooms").Create(map[string]any{"name": canary}) }, nil},
	{"Save", func(db q) q { return db.Save(&Room{ID: 1, Name: canary}) }, nil},
	{"Update", func(db q) q { return db.Model(&Room{ID: 1}).Update("name", canary) }, nil},
	{"Updates by a struct", func(db q) q { return db.Model(&Room{ID: 1}).Updates(Room{Name: canary}) }, nil},
	{"Updates by a map", func(db q) q { return db.Model(&Room{ID: 1}).Updates(map[string]any{"name": canary}) }, nil},
	{"UpdateColumn", func(db q) q { return db.Model(&Room{ID: 1}).UpdateColumn("name", canary) }, nil},
	{"upsert", func(db q) q {
		return db.Clauses(clause.OnConflict{Columns: byID, DoUpdates: clause.Assignments(map[string]any{"name": canary})}).Create(&Room{ID: 1, Name: canary})
	}, nil},
	{"First by a struct", func(db q) q { return db.Where(&Room{Name: canary}).First(&Room{}) }, nil},
	{"Find by a map", func(db q) q { return db.Where(map[string]any{"name": []string{canary, canary}}).Find(&[]Room{}) }, nil},
	{"Find by text", func(db q) q { return db.Where("name = ? OR name IN ?", canary, []string{canary}).Find(&[]Room{}) }, nil},
	{"Find by a named value", func(db q) q {
		return db.Where("name = @n", map[string]any{"n": canary}).Find(&[]Room{})
	}, nil},
	{"Find in a sub-query", func(db q) q {
		return db.Where("clinic_id IN (?)", fresh(db).Model(&Clinic{}).Select("id").Where("name = ?", canary)).Find(&[]Room{})
	}, nil},
	{"Find by a join", func(db q) q {
		return db.Joins("Parent", fresh(db).Where(&Clinic{Name: canary})).Find(&[]Clinic{})
	}, nil},
	{"Count", func(db q) q { return db.Model(&Room{}).Where("name = ?", canary).Count(new(int64)) }, nil},
	{"Pluck", func(db q) q { return db.Model(&Room{}).Where("name = ?", canary).Pluck("name", &[]string{}) }, nil},
	{"Delete", func(db q) q { return db.Where("name = ?", canary).Delete(&Room{}) }, nil},
	{"soft Delete", func(db q) q { return db.Where(Clinic{Name: canary}).Delete(&Clinic{}) }, nil},

	{"LIKE", func(db q) q { return db.Where("name LIKE ?", canary).Find(&[]Room{}) }, fieldcrypt.ErrQueryOnCiphertext},
	{"LIKE in a sub-query", func(db q) q {
		return db.Where("clinic_id IN (?)", fresh(db).Model(&Clinic{}).Select("id").Where("name LIKE ?", canary)).Find(&[]Room{})
	}, fieldcrypt.ErrQueryOnCiphertext},
	{"Update to an expression", func(db q) q {
		return db.Model(&Room{ID: 1}).Update("name", gorm.Expr("lower(?)", canary))
	}, fieldcrypt.ErrUnsupported},
	{"Raw", func(db q) q { return db.Raw("SELECT * FROM rooms WHERE name = ?", canary).Find(&[]Room{}) }, fieldcrypt.ErrQueryOnCiphertext},
	{"Exec", func(db q) q { return db.Exec("UPDATE rooms SET name = ?", canary) }, fieldcrypt.ErrQueryOnCiphertext},
}

// TestDryRun: statements that are not run hold nothing that may not be printed.
func TestDryRun(t *testing.T) {
	inModes(t, modes[:3], func(t *testing.T, m mode, d dialector) {
		db, l := m.clinics(t, d)
		for _, s := range statements {
			t.Run(s.name, func(t *testing.T) {
				l.reset()
				tx := s.run(db.Session(&gorm.Session{DryRun: true, NewDB: true}))
				if !errors.Is(tx.Error, s.want) {
					t.Errorf("%v, want %v", tx.Error, s.want)
				}
				text, vars := tx.Statement.SQL.String(), tx.Statement.Vars
				said := fmt.Sprintf("%s %v %+v %#v %q", text, vars, vars, vars, vars)
				for _, v := range vars {
					said += fmt.Sprintf("%v %+v %#v %s", v, v, v, v)
				}
				said += db.Dialector.Explain(text, vars...)
				sql := db.ToSQL(s.run)
				for what, said := range map[string]string{"statement": said, "SQL": sql} {
					if form := drivertest.FindCanary([]byte(said)); form != "" {
						t.Errorf("the canary is in the %s: %s: %s", what, form, said)
					}
				}
				if s.want == nil && !strings.Contains(sql, "<encrypted>") {
					t.Errorf("the value is not in %s", sql)
				}
				noCanary(t, s.name, tx.Error, l)
			})
		}
		leaked := false
		checkClinics(t, db, &leaked)
		if got := state(t, db); got != seeded {
			t.Errorf("the rows are %s", got)
		}
	})
}
