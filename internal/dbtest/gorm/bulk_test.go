package gorm_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
)

// Sample has fields that are opened together, some that are not, and NULLs.
type Sample struct {
	gormcrypt.Encrypted
	ID     uint64
	Plain  string
	Text   string    `fieldcrypt:"medical,index" gorm:"uniqueIndex"`
	Number *int64    `fieldcrypt:"medical"`
	When   time.Time `fieldcrypt:"finance"`
	Data   []string  `fieldcrypt:"medical"`
	Serial int       `gorm:"default:7"`
}

const manySamples = 700

func sample(i int) Sample {
	s := Sample{Plain: fmt.Sprint("plain ", i), Text: fmt.Sprint("text ", i), When: time.Unix(int64(i), 0).UTC(), Serial: i + 1}
	if i%3 > 0 {
		n := int64(i)
		s.Number = &n
	}
	if i%5 > 0 {
		s.Data = []string{fmt.Sprint(i)}
	}
	return s
}

func isSample(s Sample, i int) bool {
	want := sample(i)
	return s.Plain == want.Plain && s.Text == want.Text && s.When.Equal(want.When) && fmt.Sprint(s.Data) == fmt.Sprint(want.Data) &&
		(s.Number == nil) == (want.Number == nil) && (s.Number == nil || *s.Number == *want.Number) && s.Serial == want.Serial
}

func TestManyRowsComeBackInTheirPlaces(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		for _, prepared := range []bool{false, true} {
			db, _ := useWith(t, d(t), gorm.Config{PrepareStmt: prepared}, &Sample{})
			rows := make([]Sample, manySamples)
			for i := range rows {
				rows[i] = sample(i)
			}
			must(t, db.Create(&rows))
			for i, r := range rows {
				var s Sample
				if i%97 == 0 {
					must(t, db.First(&s, r.ID)) // the id that Create gave is that of this row
					if !isSample(s, i) || !isSample(r, i) {
						t.Fatalf("row %d is %+v", i, s)
					}
				}
			}
			var values []Sample
			must(t, db.Order("id").Find(&values))
			var pointers []*Sample
			must(t, db.Order("id").Find(&pointers))
			again := values[:3]
			must(t, db.Order("id").Find(&again))
			parts := []Sample{}
			must(t, db.FindInBatches(&parts, 200, func(tx *gorm.DB, batch int) error {
				for i, s := range parts {
					if !isSample(s, (batch-1)*200+i) {
						return fmt.Errorf("row %d of batch %d is %+v", i, batch, s)
					}
				}
				return nil
			}))
			if len(values) != manySamples || len(pointers) != manySamples || len(again) != manySamples {
				t.Fatalf("%d, %d, %d rows", len(values), len(pointers), len(again))
			}
			for i := range values {
				if !isSample(values[i], i) || !isSample(*pointers[i], i) || !isSample(again[i], i) {
					t.Fatalf("row %d: %+v, %+v", i, values[i], pointers[i])
				}
			}
		}
	})
}

func TestOneBadRowAmongMany(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, _ := use(t, d(t), &Sample{})
		rows := make([]Sample, manySamples)
		for i := range rows {
			rows[i] = sample(i)
		}
		must(t, db.Create(&rows))
		must(t, gormcrypt.AllowRaw(db).Exec("UPDATE samples SET text = (SELECT s.text FROM samples s WHERE s.id = ?), number = (SELECT s.number FROM samples s WHERE s.id = ?) WHERE id = ?", rows[1].ID, rows[1].ID, rows[400].ID))
		must(t, gormcrypt.AllowRaw(db).Exec("UPDATE samples SET number = (SELECT s.text FROM samples s WHERE s.id = ?) WHERE id = ?", rows[1].ID, rows[500].ID))
		var got []Sample
		err := db.Order("id").Find(&got).Error
		if !errors.Is(err, fieldcrypt.ErrAuthentication) {
			t.Errorf("a value of another column: %v", err)
		}
		if len(got) != manySamples || !isSample(got[499], 499) || got[500].Number != nil || got[500].Text != "text 500" || !isSample(got[501], 501) {
			t.Errorf("%d rows; %+v", len(got), got[500])
		}
	})
}

func TestBulkInsertsThatPostgresTypesOtherwise(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, _ := use(t, d(t), &Sample{})
		var mixed []Sample
		for i := range 40 {
			s := sample(i)
			if i%2 == 0 {
				s.Serial = 0 // DEFAULT
			}
			mixed = append(mixed, s)
		}
		must(t, db.Create(&mixed))
		onText := clause.OnConflict{Columns: []clause.Column{{Name: "text"}}, DoUpdates: clause.AssignmentColumns([]string{"plain", "when"})}
		var upserts []Sample
		for i := range 60 {
			s := sample(i)
			s.ID, s.Plain = 0, "upserted"
			upserts = append(upserts, s)
		}
		must(t, db.Clauses(onText).Create(&upserts))
		must(t, db.Clauses(clause.OnConflict{DoNothing: true}).Create(&upserts))
		var maps []map[string]any
		for i := range 30 {
			maps = append(maps, map[string]any{"text": fmt.Sprint("map ", i), "plain": nil, "serial": gorm.Expr("? + 1", i)})
		}
		must(t, db.Model(&Sample{}).Create(&maps))
		var all []Sample
		must(t, db.Order("id").Find(&all))
		if len(all) != 90 || all[0].Serial != 7 || all[1].Serial != 2 || all[39].Plain != "upserted" || all[59].Text != "text 59" || all[89].Serial != 30 || all[89].Text != "map 29" {
			t.Errorf("%d rows: %+v", len(all), all[89])
		}
	})
}
