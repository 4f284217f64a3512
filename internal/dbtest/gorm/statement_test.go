package gorm_test

import (
	"fmt"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/fieldcrypt/go/drivers/drivertest"
	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
)

// TestStatementsPrintNoValues: DryRun, ToSQL, and what a tracer's callbacks can
// print of a statement.
func TestStatementsPrintNoValues(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, l := practice(t, d, gorm.Config{})
		var traced strings.Builder
		trace := func(db *gorm.DB) {
			s := db.Statement
			fmt.Fprintf(&traced, "%s %v %+v %#v\n", s.SQL.String(), s.Vars, s.Vars, s.Vars)
			fmt.Fprintf(&traced, "%v %#v\n", s.Clauses["VALUES"], s.Clauses["VALUES"])
			fmt.Fprintf(&traced, "%v %#v\n", s.Clauses["SET"], s.Clauses["SET"])
			fmt.Fprintf(&traced, "%s\n", db.Dialector.Explain(s.SQL.String(), s.Vars...))
		}
		cb := db.Callback()
		for _, err := range []error{
			cb.Create().After("gorm:create").Register("trace", trace), cb.Update().After("gorm:update").Register("trace", trace),
			cb.Query().After("gorm:query").Register("trace", trace), cb.Delete().After("gorm:delete").Register("trace", trace),
			cb.Row().After("gorm:row").Register("trace", trace),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		p := patient(1)
		must(t, db.Create(&p))
		must(t, db.Create(&[]Patient{patient(2), patient(3)}))
		must(t, db.Model(&Patient{}).Create(map[string]any{"name": secret(4), "mrn": secret(4)}))
		p.Name = secret(7)
		must(t, db.Save(&p))
		must(t, db.Model(&p).Update("name", secret(8)))
		must(t, db.Where(&Patient{MRN: mrn(1)}).First(&Patient{}))
		must(t, db.Where("mrn = ? OR name IN ?", mrn(1), []string{secret(1)}).Find(&[]Patient{}))
		must(t, db.Joins("Doctor", fresh(db).Where(&Doctor{Email: secret(1)})).Find(&[]Patient{}))
		must(t, db.Where("mrn = ?", mrn(1)).Delete(&Patient{}))
		rows, err := db.Model(&Patient{}).Where("mrn = ?", mrn(1)).Rows()
		if err != nil {
			t.Fatal(err)
		}
		rows.Close()

		dry := db.Session(&gorm.Session{DryRun: true})
		for _, tx := range []*gorm.DB{
			dry.Create(&Patient{Name: canary}), dry.Where(&Patient{Name: canary}).Find(&[]Patient{}),
			dry.Model(&p).Updates(map[string]any{"name": canary}),
		} {
			must(t, tx)
			trace(tx)
		}
		traced.WriteString(db.ToSQL(func(tx *gorm.DB) *gorm.DB { return tx.Where("name = ?", canary).Find(&[]Patient{}) }))
		traced.WriteString(db.ToSQL(func(tx *gorm.DB) *gorm.DB { return tx.Create(&Patient{Name: canary}) }))
		traced.WriteString(db.ToSQL(func(tx *gorm.DB) *gorm.DB { return tx.Model(&p).Update("name", canary) }))
		// A struct that stands as a condition.
		tx := db.Where(&Patient{Name: canary})
		fmt.Fprintf(&traced, "%v %+v %#v", tx.Statement.Clauses, tx.Statement.Clauses, tx.Statement.Clauses)

		if form := drivertest.FindCanary([]byte(traced.String())); form != "" {
			at := strings.Index(traced.String(), "Zebra")
			t.Errorf("the canary was printed: %s: %.300s", form, traced.String()[max(0, at-200):])
		}
		if !strings.Contains(traced.String(), "<encrypted>") {
			t.Error("no value was printed at all")
		}
		checkStored(t, db, l)
	})
}

// TestPluginPrintsNothing: not through fmt, and not in JSON.
func TestPluginPrintsNothing(t *testing.T) {
	fc := newCrypter(t)
	p := gormcrypt.New(fc, &Doctor{Email: canary})
	for _, v := range []any{p, fc, fieldcrypt.Config{}} {
		if s := fmt.Sprintf("%v %+v %#v", v, v, v); strings.Contains(s, "Zebra") || len(s) > 400 {
			t.Errorf("%T prints %q", v, s)
		}
	}
}
