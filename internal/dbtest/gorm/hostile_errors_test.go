package gorm_test

import (
	"fmt"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
)

// Errors, logs and tracers hold no value that was given for an encrypted field, of
// whatever type it was given.
func TestHostileWrongValuesAreNotPrinted(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, l := practice(t, d, gorm.Config{})
		tenants, tl := clinics(t, d, gorm.Config{})
		must(t, db.Create(&Patient{Base: Base{ID: 1}, MRN: "x"}))
		name := canary
		type weird struct{ S string }
		for i, v := range []any{canary, &name, []string{canary}, []byte(canary), weird{canary}, &weird{canary}, map[string]any{"a": canary}, []any{canary, weird{canary}}, gorm.Expr("?", canary), gorm.Expr("'" + canary + "'"), clause.Column{Name: canary}, func() string { return canary }, time.Now, fmt.Errorf("%s", canary), [2]string{canary, canary}, nullText(canary), any(&name)} {
			for _, column := range []string{"weight", "name", "vitals", "notes", "contact_phone"} {
				for what, run := range map[string]func() error{
					"Where":      func() error { return db.Where(column+" = ?", v).Find(&[]Patient{}).Error },
					"Where IN":   func() error { return db.Where(column+" IN ?", v).Find(&[]Patient{}).Error },
					"Where map":  func() error { return db.Where(map[string]any{column: v}).Find(&[]Patient{}).Error },
					"Eq":         func() error { return db.Where(clause.Eq{Column: column, Value: v}).Find(&[]Patient{}).Error },
					"Match":      func() error { return db.Where(gormcrypt.Match(column+"_bidx", v)).Find(&[]Patient{}).Error },
					"Match name": func() error { return db.Where(gormcrypt.Match(canary, v)).Find(&[]Patient{}).Error },
					"Update":     func() error { return db.Model(&Patient{}).Where("id = 2").Update(column, v).Error },
					"Create":     func() error { return db.Model(&Patient{}).Create(map[string]any{column: v}).Error },
					"Like":       func() error { return db.Where(column+" LIKE ?", v).Find(&[]Patient{}).Error },
					"ToSQL": func() error {
						return fmt.Errorf("%s", db.ToSQL(func(tx *gorm.DB) *gorm.DB { return tx.Where(column+" = ?", v).Find(&[]Patient{}) }))
					},
					"ToSQL of a write": func() error {
						return fmt.Errorf("%s", db.ToSQL(func(tx *gorm.DB) *gorm.DB { return tx.Model(&Patient{}).Where("id = 2").Update(column, v) }))
					},
					"Terms": func() error { _, err := gormcrypt.Terms(db, &Patient{}, column, v); return err },
					"Attrs": func() error {
						return db.Where("id = 9").Attrs(map[string]any{column: v}).FirstOrInit(&Patient{}).Error
					},
					"upsert": func() error {
						return db.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "id"}}, DoUpdates: clause.Assignments(map[string]any{column: v})}).Create(&Patient{Base: Base{ID: 1}}).Error
					},
					"tenant": func() error {
						if column != "name" {
							return nil
						}
						return in(tenants, acme).Where("name = ?", v).Find(&[]Resident{}).Error
					},
				} {
					l.reset()
					func() {
						defer func() {
							if r := recover(); r != nil {
								t.Errorf("value %d, %s of %s: panic: %v", i, what, column, r)
							}
						}()
						err := run()
						if err != nil && leak(fmt.Sprintf("%v %+v %#v", err, err, err)) != "" {
							t.Errorf("value %d, %s of %s: the error holds it: %.200s", i, what, column, err)
						}
					}()
					if leak(l.sql.String()+l.slog.String()+l.spans.String()) != "" {
						t.Errorf("value %d, %s of %s: it was logged or traced: %.600s", i, what, column, l.sql.String())
					}
				}
			}
		}
		if leak(tl.sql.String()+tl.slog.String()+tl.spans.String()) != "" {
			t.Error("a tenant's statement was logged with the value")
		}
		noStoredCanary(t, db, new(bool))
	})
}
