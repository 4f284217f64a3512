package gorm_test

import (
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/fieldcrypt/go/drivers/drivertest"
)

// A row whose plaintext is not sealed yet has a value: it must not be taken for
// one without.
func TestHostileNullWhileAColumnIsAdopted(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, l, _ := adopting(t, d) // row 1 has plaintext only
		must(t, db.Create(&Client{ID: 2, Name: "New " + drivertest.Canary}))
		must(t, db.Model(&Client{}).Create(map[string]any{"id": 3, "ward": "none"}))
		for what, c := range map[string]struct {
			tx   *gorm.DB
			want []uint64
		}{
			"IS NULL":          {db.Where("name_sealed IS NULL"), []uint64{3}},
			"IS NOT NULL":      {db.Where("name_sealed IS NOT NULL"), []uint64{1, 2}},
			"qualified":        {db.Where("clients.name_sealed IS NOT NULL AND clients.id > 0"), []uint64{1, 2}},
			"an alias":         {db.Table("clients c").Where("c.name_sealed IS NULL OR c.id = 2"), []uint64{2, 3}},
			"NOT":              {db.Where("NOT (name_sealed IS NULL)"), []uint64{1, 2}},
			"Not":              {db.Not("name_sealed IS NULL"), []uint64{1, 2}},
			"map":              {db.Where(map[string]any{"name_sealed": nil}), []uint64{3}},
			"Not map":          {db.Not(map[string]any{"name_sealed": nil}), []uint64{1, 2}},
			"Eq":               {db.Where(clause.Eq{Column: "name_sealed"}), []uint64{3}},
			"Neq":              {db.Where(clause.Neq{Column: clause.Column{Table: clause.CurrentTable, Name: "name_sealed"}}), []uint64{1, 2}},
			"column and value": {db.Where("name_sealed", nil), []uint64{3}},
			"named":            {db.Where("name_sealed IS NULL AND id > @id", map[string]any{"id": 0}), []uint64{3}},
			"beside a search":  {db.Where("age_sealed = ? AND name_sealed IS NOT NULL", 44), []uint64{1}},
			"a sub-query":      {db.Where("id IN (?)", db.Model(&Client{}).Select("id").Where("name_sealed IS NULL")), []uint64{3}},
			"a sub-select":     {db.Where("id IN (SELECT c.id FROM clients c WHERE c.name_sealed IS NULL)"), []uint64{3}},
		} {
			var ids []uint64
			if err := c.tx.Model(&Client{}).Order("id").Pluck("id", &ids).Error; err != nil || len(ids) != len(c.want) || ids[0] != c.want[0] {
				t.Errorf("%s: %v, %v, want %v", what, ids, err, c.want)
			}
		}
		var n int64
		if err := db.Model(&Client{}).Select("name_sealed").Count(&n).Error; err == nil && n != 2 {
			t.Errorf("COUNT of the column is %d", n)
		}
		must(t, db.Model(&Client{}).Where("name_sealed IS NOT NULL").Count(&n))
		if n != 2 {
			t.Errorf("Count is %d", n)
		}
		must(t, db.Where("name_sealed IS NULL").Delete(&Client{}))
		if rows := plainRows(t, db); len(rows) != 2 {
			t.Errorf("%d rows are left", len(rows))
		}
		if leak(l.sql.String()+l.slog.String()+l.spans.String()) != "" {
			t.Error("plaintext was logged or traced")
		}
	})
}

// A tracer that was registered before the plugin sees a statement too.
func TestHostileTracersSeeNoPlaintextThatIsAdopted(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, l, _ := adopting(t, d)
		value := "New " + drivertest.Canary
		for what, run := range map[string]func(id uint64) error{
			"Create": func(id uint64) error { return db.Create(&Client{ID: id + 100, Name: value}).Error },
			"Save":   func(id uint64) error { return db.Save(&Client{ID: id, Name: value}).Error },
			"Update": func(id uint64) error { return db.Model(&Client{ID: id}).Update("name_sealed", value).Error },
			"upsert": func(id uint64) error {
				return db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&[]Client{{ID: id, Name: value}}).Error
			},
			"Find": func(id uint64) error { return db.Where("name_sealed = ?", value).Find(&[]Client{}).Error },
			"Count": func(id uint64) error {
				return db.Model(&Client{}).Where("name_sealed = ?", value).Count(new(int64)).Error
			},
			"Delete": func(id uint64) error { return db.Where("name_sealed = ?", value+"?").Delete(&Client{}).Error },
			"Rows": func(id uint64) error {
				rows, err := db.Model(&Client{}).Select("id").Where("name_sealed = ?", value).Rows()
				if err == nil {
					rows.Close()
				}
				return err
			},
			"Scan": func(id uint64) error {
				return db.Model(&Client{}).Select("id").Where("name_sealed = ?", value).Scan(&[]uint64{}).Error
			},
			"Pluck": func(id uint64) error {
				return db.Model(&Client{}).Where("name_sealed = ?", value).Pluck("id", &[]uint64{}).Error
			},
			"twice": func(id uint64) error { return db.Create(&Client{ID: 50, Name: value}).Error },
		} {
			db.Create(&Client{ID: 50, Name: "there"})
			l.reset()
			if err := run(60); (err != nil) != (what == "twice") {
				t.Errorf("%s: %v", what, err)
			}
			if leak(l.sql.String()+l.slog.String()+l.spans.String()) != "" {
				t.Errorf("%s: plaintext was logged or traced", what)
			}
		}
	})
}
