package gorm_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// PatientDTO is a part of a patient, without marker and tags.
type PatientDTO struct {
	Name string
	Age  int
}

// writes are all ways to write. Each finds patients 1 and 2, and says what names
// they have then; a third row's name comes last.
var writes = []struct {
	name string
	run  func(db *gorm.DB, p *Patient) *gorm.DB
	want []string // names by id
}{
	{"Create", func(db *gorm.DB, _ *Patient) *gorm.DB { p := patient(3); return db.Create(&p) }, []string{secret(1), secret(2), secret(3)}},
	{"Create a slice", func(db *gorm.DB, _ *Patient) *gorm.DB { return db.Create(&[]Patient{patient(3)}) }, []string{secret(1), secret(2), secret(3)}},
	{"Create a slice of pointers", func(db *gorm.DB, _ *Patient) *gorm.DB { p := patient(3); return db.Create([]*Patient{&p}) }, []string{secret(1), secret(2), secret(3)}},
	{"CreateInBatches", func(db *gorm.DB, _ *Patient) *gorm.DB {
		return db.CreateInBatches([]Patient{patient(3), patient(4), patient(5)}, 2)
	}, []string{secret(1), secret(2), secret(3), secret(4), secret(5)}},
	{"Create a map", func(db *gorm.DB, _ *Patient) *gorm.DB {
		return db.Model(&Patient{}).Create(map[string]any{"Name": secret(3), "mrn": secret(3), "age": 1})
	}, []string{secret(1), secret(2), secret(3)}},
	{"Create maps", func(db *gorm.DB, _ *Patient) *gorm.DB {
		return db.Model(&Patient{}).Create(&[]map[string]any{{"Name": secret(3), "mrn": secret(3)}, {"name": secret(4), "mrn": secret(4), "notes": nil}})
	}, []string{secret(1), secret(2), secret(3), secret(4)}},
	{"Create a map without a Model", func(db *gorm.DB, _ *Patient) *gorm.DB {
		return db.Table("patients").Create(map[string]any{"name": secret(3), "mrn": secret(3)})
	}, []string{secret(1), secret(2), secret(3)}},
	{"Create some columns", func(db *gorm.DB, _ *Patient) *gorm.DB {
		p := patient(3)
		return db.Select("Name", "MRN").Create(&p)
	}, []string{secret(1), secret(2), secret(3)}},
	{"Create without some columns", func(db *gorm.DB, _ *Patient) *gorm.DB {
		p := patient(3)
		return db.Omit("Card", "Notes").Create(&p)
	}, []string{secret(1), secret(2), secret(3)}},
	{"Save", func(db *gorm.DB, p *Patient) *gorm.DB { p.Name = secret(9); return db.Save(p) }, []string{secret(9), secret(2)}},
	{"Save a new one", func(db *gorm.DB, _ *Patient) *gorm.DB { p := patient(3); return db.Save(&p) }, []string{secret(1), secret(2), secret(3)}},
	{"Save one with an id that is not there", func(db *gorm.DB, _ *Patient) *gorm.DB {
		p := patient(3)
		p.ID = 3
		return db.Save(&p)
	}, []string{secret(1), secret(2), secret(3)}},
	{"Save a slice", func(db *gorm.DB, p *Patient) *gorm.DB {
		p.Name = secret(9)
		return db.Save([]Patient{*p, patient(3)})
	}, []string{secret(9), secret(2), secret(3)}},
	{"Update", func(db *gorm.DB, p *Patient) *gorm.DB { return db.Model(p).Update("name", secret(9)) }, []string{secret(9), secret(2)}},
	{"Update by field name", func(db *gorm.DB, p *Patient) *gorm.DB { return db.Model(p).Update("Name", secret(9)) }, []string{secret(9), secret(2)}},
	{"Updates with a struct", func(db *gorm.DB, p *Patient) *gorm.DB { return db.Model(p).Updates(Patient{Name: secret(9)}) }, []string{secret(9), secret(2)}},
	{"Updates with a pointer", func(db *gorm.DB, p *Patient) *gorm.DB { return db.Model(p).Updates(&Patient{Name: secret(9)}) }, []string{secret(9), secret(2)}},
	{"Updates with a map", func(db *gorm.DB, p *Patient) *gorm.DB {
		return db.Model(p).Updates(map[string]any{"name": secret(9), "Age": 1})
	}, []string{secret(9), secret(2)}},
	{"Updates with a DTO", func(db *gorm.DB, p *Patient) *gorm.DB { return db.Model(p).Updates(PatientDTO{Name: secret(9)}) }, []string{secret(9), secret(2)}},
	{"Updates of selected fields", func(db *gorm.DB, p *Patient) *gorm.DB {
		return db.Model(p).Select("Name").Updates(Patient{Name: secret(9), MRN: "no"})
	}, []string{secret(9), secret(2)}},
	{"UpdateColumn", func(db *gorm.DB, p *Patient) *gorm.DB { return db.Model(p).UpdateColumn("name", secret(9)) }, []string{secret(9), secret(2)}},
	{"UpdateColumns", func(db *gorm.DB, p *Patient) *gorm.DB {
		return db.Model(p).UpdateColumns(map[string]any{"name": secret(9)})
	}, []string{secret(9), secret(2)}},
	{"Updates without hooks", func(db *gorm.DB, p *Patient) *gorm.DB {
		return db.Session(&gorm.Session{SkipHooks: true}).Model(p).Updates(map[string]any{"name": secret(9)})
	}, []string{secret(9), secret(2)}},
	{"Update of a table", func(db *gorm.DB, _ *Patient) *gorm.DB {
		return db.Table("patients").Where("id = ?", 1).Update("name", secret(9))
	}, []string{secret(9), secret(2)}},
	{"Update of an aliased table", func(db *gorm.DB, _ *Patient) *gorm.DB {
		return db.Table("patients AS p").Where("p.mrn = ?", "M"+secret(1)).Update("name", secret(9))
	}, []string{secret(9), secret(2)}},
	{"Update of many", func(db *gorm.DB, _ *Patient) *gorm.DB {
		return db.Model(&Patient{}).Where("age > ?", 0).Update("name", secret(9))
	}, []string{secret(9), secret(9)}},
	{"Update by an encrypted condition", func(db *gorm.DB, _ *Patient) *gorm.DB {
		return db.Model(&Patient{}).Where("mrn = ? OR name = ?", "M"+secret(2), "nobody").Update("name", secret(9))
	}, []string{secret(1), secret(9)}},
	{"compare and set", func(db *gorm.DB, p *Patient) *gorm.DB {
		return db.Model(p).Where("name = ?", secret(1)).Update("name", secret(9))
	}, []string{secret(9), secret(2)}},
	{"Update to NULL", func(db *gorm.DB, p *Patient) *gorm.DB { return db.Model(p).Update("name", nil) }, []string{"", secret(2)}},
	{"Update to an SQL NULL", func(db *gorm.DB, p *Patient) *gorm.DB { return db.Model(p).Update("name", gorm.Expr("NULL")) }, []string{"", secret(2)}},
	{"Update with RETURNING", func(db *gorm.DB, _ *Patient) *gorm.DB {
		var back []Patient
		tx := db.Model(&back).Clauses(clause.Returning{}).Where("id = ?", 1).Update("name", secret(9))
		if len(back) != 1 || back[0].Name != secret(9) || back[0].MRN != "M"+secret(1) {
			tx.AddError(fmt.Errorf("RETURNING gave %d rows", len(back)))
		}
		return tx
	}, []string{secret(9), secret(2)}},
	{"Create with RETURNING", func(db *gorm.DB, _ *Patient) *gorm.DB {
		p := patient(3)
		return db.Clauses(clause.Returning{Columns: []clause.Column{{Name: "id"}, {Name: "name"}}}).Create(&p)
	}, []string{secret(1), secret(2), secret(3)}},
	{"Create a map with RETURNING", func(db *gorm.DB, _ *Patient) *gorm.DB {
		m := map[string]any{"name": secret(3), "mrn": secret(3)}
		tx := db.Model(&Patient{}).Clauses(clause.Returning{}).Create(m)
		if m["name"] != secret(3) || m["weight"] != nil {
			tx.AddError(errors.New("RETURNING gave something else"))
		}
		return tx
	}, []string{secret(1), secret(2), secret(3)}},
	{"upsert of some columns", func(db *gorm.DB, _ *Patient) *gorm.DB {
		p := patient(3)
		p.ID = 1
		return db.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "id"}}, DoUpdates: clause.AssignmentColumns([]string{"name", "age"})}).Create(&p)
	}, []string{secret(3), secret(2)}},
	{"upsert of all columns", func(db *gorm.DB, _ *Patient) *gorm.DB {
		p := patient(3)
		p.ID = 1
		return db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&p)
	}, []string{secret(3), secret(2)}},
	{"upsert on an encrypted column", func(db *gorm.DB, _ *Patient) *gorm.DB {
		p := patient(3)
		p.MRN = "M" + secret(2)
		return db.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "mrn"}}, DoUpdates: clause.AssignmentColumns([]string{"name"})}).Create(&p)
	}, []string{secret(1), secret(3)}},
	{"upsert by assignments", func(db *gorm.DB, _ *Patient) *gorm.DB {
		p := patient(3)
		p.ID = 1
		return db.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "id"}},
			DoUpdates: clause.Assignments(map[string]any{"name": secret(9), "age": 1}),
			Where:     clause.Where{Exprs: []clause.Expression{clause.Eq{Column: clause.Column{Table: "patients", Name: "mrn"}, Value: "M" + secret(1)}}},
		}).Create(&p)
	}, []string{secret(9), secret(2)}},
	{"upsert that does nothing", func(db *gorm.DB, _ *Patient) *gorm.DB {
		p := patient(3)
		p.ID = 1
		return db.Clauses(clause.OnConflict{DoNothing: true}).Create(&p)
	}, []string{secret(1), secret(2)}},
	{"FirstOrCreate", func(db *gorm.DB, _ *Patient) *gorm.DB {
		var p Patient
		return db.Where(Patient{Name: secret(3)}).Attrs(Patient{MRN: secret(3)}).FirstOrCreate(&p)
	}, []string{secret(1), secret(2), secret(3)}},
	{"FirstOrCreate by text", func(db *gorm.DB, _ *Patient) *gorm.DB {
		var p Patient
		return db.Where("mrn = ?", "M"+secret(1)).Assign(map[string]any{"name": secret(9)}).FirstOrCreate(&p)
	}, []string{secret(9), secret(2)}},
	{"FirstOrCreate with Assign", func(db *gorm.DB, _ *Patient) *gorm.DB {
		var p Patient
		return db.Where(Patient{MRN: secret(3)}).Assign(Patient{Name: secret(3)}).FirstOrCreate(&p)
	}, []string{secret(1), secret(2), secret(3)}},
	{"generics Create", func(db *gorm.DB, _ *Patient) *gorm.DB {
		p := patient(3)
		return result(db, gorm.G[Patient](db).Create(ctx, &p))
	}, []string{secret(1), secret(2), secret(3)}},
	{"generics Update", func(db *gorm.DB, _ *Patient) *gorm.DB {
		_, err := gorm.G[Patient](db).Where("mrn = ?", "M"+secret(1)).Update(ctx, "name", secret(9))
		return result(db, err)
	}, []string{secret(9), secret(2)}},
	{"generics Updates", func(db *gorm.DB, _ *Patient) *gorm.DB {
		_, err := gorm.G[Patient](db).Where("mrn = ?", "M"+secret(1)).Updates(ctx, Patient{Name: secret(9)})
		return result(db, err)
	}, []string{secret(9), secret(2)}},
	{"generics Set", func(db *gorm.DB, _ *Patient) *gorm.DB {
		_, err := gorm.G[Patient](db).Where("id = ?", 1).Set(clause.Assignment{Column: clause.Column{Name: "name"}, Value: secret(9)}).Update(ctx)
		return result(db, err)
	}, []string{secret(9), secret(2)}},
	{"in a transaction with a savepoint", func(db *gorm.DB, p *Patient) *gorm.DB {
		return result(db, db.Transaction(func(tx *gorm.DB) error {
			_ = tx.Transaction(func(tx *gorm.DB) error {
				must2(tx.Model(p).Update("name", secret(8)))
				return errors.New("roll back")
			})
			return tx.Model(&Patient{}).Where("id = ?", 2).Update("name", secret(9)).Error
		}))
	}, []string{secret(1), secret(9)}},
	{"Delete", func(db *gorm.DB, p *Patient) *gorm.DB { return db.Delete(p) }, []string{secret(2)}},
	{"Delete by an encrypted condition", func(db *gorm.DB, _ *Patient) *gorm.DB {
		return db.Where("mrn = ?", "M"+secret(1)).Delete(&Patient{})
	}, []string{secret(2)}},
	{"Delete for good", func(db *gorm.DB, _ *Patient) *gorm.DB {
		return db.Unscoped().Delete(&Patient{}, "name IN ?", []string{secret(1), secret(2)})
	}, nil},
}

func result(db *gorm.DB, err error) *gorm.DB {
	tx := db.Session(&gorm.Session{NewDB: true})
	tx.AddError(err)
	return tx
}

func must2(tx *gorm.DB) {
	if tx.Error != nil {
		panic(tx.Error)
	}
}

func TestWrites(t *testing.T) {
	inModes(t, modes, func(t *testing.T, m mode, d dialector) {
		db, l := m.practice(t, d)
		for _, w := range writes {
			m.run(t, w.name, func(t *testing.T) {
				writesOnce(t, db, l, w.run, w.want)
			})
		}
	})
}

func writesOnce(t *testing.T, db *gorm.DB, l *log, run func(*gorm.DB, *Patient) *gorm.DB, want []string) {
	truncate(t, db)
	l.reset()
	p, q := patient(1), patient(2)
	must(t, db.Create(&p))
	must(t, db.Create(&q))
	given := p
	if err := run(db, &p).Error; err != nil {
		t.Fatal(err)
	}
	if p.MRN != given.MRN || p.Card != given.Card {
		t.Errorf("the caller's struct was changed: %q", p.MRN)
	}
	var got []Patient
	must(t, db.Order("id").Find(&got))
	var names []string
	for _, p := range got {
		names = append(names, p.Name)
	}
	if !reflect.DeepEqual(names, want) {
		t.Errorf("the names are %q, want %q", names, want)
	}
	for _, name := range want {
		var n int64
		must(t, db.Model(&Patient{}).Where("name = ?", name).Count(&n))
		if name != "" && n == 0 {
			t.Errorf("%q is not found by its index", name)
		}
	}
	checkStored(t, db, l)
}

func truncate(t testing.TB, db *gorm.DB) {
	for _, name := range []string{"patient_labels", "visits", "patients", "doctors", "labels"} {
		must(t, db.Exec("DELETE FROM "+name))
	}
	if db.Dialector.Name() == "postgres" {
		must(t, db.Exec("ALTER SEQUENCE patients_id_seq RESTART"))
	} else {
		must(t, db.Exec("DELETE FROM sqlite_sequence"))
	}
}

// TestWritesRefused: what would store plaintext, or leave an index that does not
// fit, is an error, and nothing is changed.
func TestWritesRefused(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, l := practice(t, d, gorm.Config{})
		p := patient(1)
		must(t, db.Create(&p))
		before := p
		sub := db.Model(&Patient{}).Select("name").Where("id = ?", 1)
		for name, run := range map[string]func() *gorm.DB{
			"an expression":           func() *gorm.DB { return db.Model(&p).Update("name", gorm.Expr("? || 'x'", canary)) },
			"another column":          func() *gorm.DB { return db.Model(&p).Update("name", gorm.Expr("card")) },
			"a sub-query":             func() *gorm.DB { return db.Model(&p).Update("name", sub) },
			"a column":                func() *gorm.DB { return db.Model(&p).Update("name", clause.Column{Name: "card"}) },
			"into a plain column":     func() *gorm.DB { return db.Model(&p).Update("age", gorm.Expr("name")) },
			"the index column":        func() *gorm.DB { return db.Table("patients").Where("id = 1").Update("name_bidx", []byte(canary)) },
			"the index in a map":      func() *gorm.DB { return db.Table("patients").Create(map[string]any{"mrn_bidx": []byte(canary)}) },
			"a value of a wrong type": func() *gorm.DB { return db.Model(&p).Update("weight", canary) },
			"a map of a wrong type":   func() *gorm.DB { return db.Model(&Patient{}).Create(map[string]any{"vitals": canary}) },
			"excluded of another": func() *gorm.DB {
				q := patient(1)
				q.ID = 1
				return db.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "id"}}, DoUpdates: clause.Set{{Column: clause.Column{Name: "name"}, Value: clause.Column{Table: "excluded", Name: "card"}}}}).Create(&q)
			},
			"a conflict on a column without an index": func() *gorm.DB {
				q := patient(2)
				return db.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "vitals"}}, DoNothing: true}).Create(&q)
			},
			"Exec":          func() *gorm.DB { return db.Exec("UPDATE patients SET name = ? WHERE id = 1", canary) },
			"Raw":           func() *gorm.DB { return db.Raw("SELECT id, name FROM patients").Find(&[]Patient{}) },
			"invalid UTF-8": func() *gorm.DB { return db.Model(&p).Update("name", canary+"\xff") },
		} {
			l.reset()
			err := run().Error
			if e := (*fieldcrypt.Error)(nil); !errors.As(err, &e) {
				t.Errorf("%s: %v", name, err)
			}
			noCanary(t, name, err, l)
		}
		var got Patient
		must(t, db.First(&got, 1))
		if got.Name != before.Name || got.Age != before.Age {
			t.Errorf("something was changed: %v", got.Age)
		}
		checkStored(t, db, l)
	})
}

// lite is a plain model of the table of patients.
type lite struct {
	ID   uint64
	Name string
	MRN  string
	Age  int
}

func (lite) TableName() string { return "patients" }

// TestPlainModelOfAnEncryptedTable: what it writes is sealed, what it would read
// is refused, and it does not change the columns.
func TestPlainModelOfAnEncryptedTable(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, l := practice(t, d, gorm.Config{})
		x := lite{Name: secret(1), MRN: mrn(1)}
		must(t, db.Create(&x))
		must(t, db.Model(&x).Update("name", secret(2)))
		must(t, db.Model(&x).Updates(map[string]any{"mrn": mrn(2)}))
		must(t, db.Clauses(clause.Insert{Table: clause.Table{Name: "patients"}}).Create(&Label{Name: secret(3)}))
		var got Patient
		must(t, db.Where("name = ? AND mrn = ?", secret(2), mrn(2)).First(&got))
		must(t, db.Where("name = ?", secret(3)).First(&Patient{}, 2))
		for name, tx := range map[string]*gorm.DB{
			"Find":  db.Find(&[]lite{}),
			"First": db.First(&lite{}),
			"text":  db.Where("name LIKE ?", canary).Find(&[]lite{}),
		} {
			if e := (*fieldcrypt.Error)(nil); !errors.As(tx.Error, &e) {
				t.Errorf("%s: %v", name, tx.Error)
			}
		}
		var n int64
		must(t, db.Model(&lite{}).Where("mrn = ?", mrn(2)).Count(&n))
		if n != 1 {
			t.Errorf("Count = %d", n)
		}
		if err := db.AutoMigrate(&lite{}); !errors.Is(err, fieldcrypt.ErrUnsupported) {
			t.Errorf("AutoMigrate of the plain model: %v", err)
		}
		must(t, db.First(&Patient{}, 1))
		checkStored(t, db, l)
	})
}
