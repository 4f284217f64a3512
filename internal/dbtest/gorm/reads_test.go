package gorm_test

import (
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
)

// PatientCard is a part of a patient that reads encrypted columns.
type PatientCard struct {
	gormcrypt.Encrypted
	ID   uint64
	Name string `fieldcrypt:"medical,id=patients.name"`
}

// reads return what they have read; values are compared as they print.
var reads = []struct {
	name string
	run  func(db q) (any, error)
	want any
}{
	{"First", func(db q) (any, error) { var p Patient; err := db.First(&p).Error; return p.Name, err }, secret(1)},
	{"Last", func(db q) (any, error) { var p Patient; err := db.Last(&p).Error; return p.MRN, err }, mrn(4)},
	{"Take by id", func(db q) (any, error) { var p Patient; err := db.Take(&p, 2).Error; return p.Contact.Phone, err }, patient(2).Contact.Phone},
	{"First into a pointer", func(db q) (any, error) { var p *Patient; err := db.First(&p).Error; return p.Vitals, err }, Vitals{60, 120}},
	{"Find", func(db q) (any, error) { var p []Patient; err := db.Find(&p).Error; return p[2].Card, err }, patient(3).Card},
	{"Find pointers", func(db q) (any, error) { var p []*Patient; err := db.Find(&p).Error; return p[2].Weight, err }, 7003},
	{"Find into an array", func(db q) (any, error) { var p [4]Patient; err := db.Find(&p).Error; return p[2].Weight, err }, 7003},
	{"Find with Select", func(db q) (any, error) {
		var p []Patient
		err := db.Select("id", "Name").Find(&p).Error
		return p[0].Name + p[0].MRN, err
	}, secret(1)},
	{"Find with Select in one text", func(db q) (any, error) {
		var p []Patient
		err := db.Select("id, patients.name, age AS years").Find(&p).Error
		return p[0].Name + p[0].MRN, err
	}, secret(1)},
	{"Find with Omit", func(db q) (any, error) {
		var p []Patient
		err := db.Omit("Name").Find(&p).Error
		return p[0].Name + p[0].MRN, err
	}, mrn(1)},
	{"Distinct with the key", func(db q) (any, error) {
		var p []Patient
		err := db.Distinct("id", "name").Find(&p).Error
		return len(p), err
	}, 4},
	{"Distinct rows of a join", func(db q) (any, error) {
		var p []Patient
		err := db.Distinct("patients.*").Joins("JOIN visits v ON v.patient_id = patients.id").Find(&p).Error
		return len(p), err
	}, 4},
	{"FindInBatches", func(db q) (any, error) {
		var p []Patient
		names := ""
		err := db.Select("id", "weight").FindInBatches(&p, 3, func(*gorm.DB, int) error {
			for _, p := range p {
				names += fmt.Sprint(p.Weight, " ")
			}
			return nil
		}).Error
		return names, err
	}, "7001 7002 7003 7004 "},
	{"Count", func(db q) (any, error) { var n int64; err := db.Model(&Patient{}).Count(&n).Error; return n, err }, int64(4)},
	{"Count of a column", func(db q) (any, error) {
		var n int64
		err := db.Model(&Patient{}).Select("notes").Count(&n).Error
		return n, err
	}, int64(3)},
	{"Pluck", func(db q) (any, error) {
		var s []string
		err := db.Model(&Patient{}).Order("id").Pluck("mrn", &s).Error
		return s[:2], err
	}, []string{mrn(1), mrn(2)}},
	{"Pluck by field name", func(db q) (any, error) {
		var s []string
		err := db.Model(&Patient{}).Pluck("MRN", &s).Error
		return len(s), err
	}, 4},
	{"Pluck qualified", func(db q) (any, error) {
		var s []string
		err := db.Model(&Patient{}).Limit(1).Pluck("patients.mrn", &s).Error
		return s, err
	}, []string{mrn(1)}},
	{"Pluck numbers", func(db q) (any, error) {
		var n []int32
		err := db.Model(&Patient{}).Pluck("weight", &n).Error
		return n, err
	}, []int32{7001, 7002, 7003, 7004}},
	{"Pluck structs", func(db q) (any, error) {
		var v []Vitals
		err := db.Model(&Patient{}).Pluck("vitals", &v).Error
		return v[1], err
	}, Vitals{60, 120}},
	{"Pluck pointers", func(db q) (any, error) {
		var s []*string
		err := db.Model(&Patient{}).Order("id").Pluck("notes", &s).Error
		return *s[0] + fmt.Sprint(s[3] == nil), err
	}, secret(1) + "true"},
	{"Pluck one", func(db q) (any, error) {
		var s string
		err := db.Model(&Patient{}).Where("id = 2").Pluck("mrn", &s).Error
		return s, err
	}, mrn(2)},
	{"Pluck sql.NullString", func(db q) (any, error) {
		var s sql.NullString
		err := db.Model(&Patient{}).Where("id = 4").Pluck("notes", &s).Error
		return s, err
	}, sql.NullString{}},
	{"Pluck without a Model", func(db q) (any, error) {
		var s []string
		err := db.Table("patients").Limit(1).Pluck("mrn", &s).Error
		return s, err
	}, []string{mrn(1)}},
	{"Select one column into values", func(db q) (any, error) {
		var s []string
		err := db.Model(&Patient{}).Select("mrn").Find(&s).Error
		return len(s), err
	}, 4},
	{"Pluck nothing", func(db q) (any, error) {
		s := []string{"x"}
		err := db.Model(&Patient{}).Where("id = 9").Pluck("mrn", &s).Error
		return s, err
	}, []string{}},
	{"Find into a map", func(db q) (any, error) {
		m := map[string]any{}
		err := db.Model(&Patient{}).Where("id = 1").Take(&m).Error
		return fmt.Sprint(m["mrn"], m["weight"], m["vitals"], m["age"]), err
	}, fmt.Sprint(mrn(1), 7001, Vitals{60, 120}, 41)},
	{"Find into maps", func(db q) (any, error) {
		var m []map[string]any
		err := db.Model(&Patient{}).Order("id").Find(&m).Error
		return fmt.Sprint(m[3]["mrn"], m[3]["notes"]), err
	}, fmt.Sprint(mrn(4), nil)},
	{"Find into maps without a Model", func(db q) (any, error) {
		var m []map[string]any
		err := db.Table("patients").Order("id").Find(&m).Error
		return fmt.Sprint(m[3]["mrn"], m[3]["notes"]), err
	}, fmt.Sprint(mrn(4), nil)},
	{"Find a join into maps", func(db q) (any, error) {
		var m []map[string]any
		err := db.Model(&Patient{}).Joins("Doctor").Order("patients.id").Find(&m).Error
		return fmt.Sprint(m[0]["mrn"], m[0]["Doctor__email"], m[1]["Doctor__email"]), err
	}, fmt.Sprint(mrn(1), secret(1), nil)},
	{"Find raw rows into maps", func(db q) (any, error) {
		var m []map[string]any
		err := db.Raw("SELECT * FROM patients ORDER BY id").Find(&m).Error
		return fmt.Sprint(m[3]["mrn"]), err
	}, mrn(4)},
	{"Find into a marked DTO", func(db q) (any, error) {
		var c []PatientCard
		err := db.Model(&Patient{}).Order("id").Find(&c).Error
		return c[1].Name, err
	}, secret(2)},
	{"Find into a DTO of plain fields", func(db q) (any, error) {
		var c []struct{ ID, Age int }
		err := db.Model(&Patient{}).Order("id").Find(&c).Error
		return c[1].Age, err
	}, 42},
	{"Scan into the model", func(db q) (any, error) {
		var p []Patient
		err := db.Model(&Patient{}).Order("id").Scan(&p).Error
		return p[1].Name, err
	}, secret(2)},
	{"Raw Scan into the model", func(db q) (any, error) {
		var p []Patient
		err := gormcrypt.AllowRaw(db).Raw("SELECT * FROM patients WHERE id = ?", 2).Scan(&p).Error
		return p[0].Name, err
	}, secret(2)},
	{"AllowRaw with terms", func(db q) (any, error) {
		var p []Patient
		err := gormcrypt.AllowRaw(db).Raw("SELECT id, name FROM patients WHERE age = ?", 42).Scan(&p).Error
		return p[0].Name, err
	}, secret(2)},
	{"Rows and ScanRows", func(db q) (any, error) {
		rows, err := db.Model(&Patient{}).Order("id").Rows()
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		names := ""
		for rows.Next() {
			var p Patient
			if err := db.ScanRows(rows, &p); err != nil {
				return nil, err
			}
			names += fmt.Sprint(p.Weight, " ")
		}
		return names, rows.Err()
	}, "7001 7002 7003 7004 "},
	{"Find after Row on one statement", func(db q) (any, error) {
		tx := db.Model(&Patient{}).Where("id = 1")
		var n int
		if err := tx.Select("count(*)").Row().Scan(&n); err != nil {
			return nil, err
		}
		var p []Patient
		err := tx.Select("*").Find(&p).Error
		return p[0].MRN, err
	}, mrn(1)},
	{"Preload", func(db q) (any, error) {
		var p Patient
		err := db.Preload("Visits").Preload("Doctor").First(&p).Error
		return p.Visits[0].Reason + p.Doctor.Email, err
	}, secret(1) + secret(1)},
	{"Preload with a condition", func(db q) (any, error) {
		var p []Patient
		err := db.Preload("Visits", "reason = ?", secret(2)).Order("id").Find(&p).Error
		return fmt.Sprint(len(p[0].Visits), len(p[1].Visits)), err
	}, "0 1"},
	{"Preload with a function", func(db q) (any, error) {
		var p []Patient
		err := db.Preload("Visits", func(db q) q { return db.Where(Visit{Reason: secret(2)}) }).Order("id").Find(&p).Error
		return fmt.Sprint(len(p[0].Visits), len(p[1].Visits)), err
	}, "0 1"},
	{"Preload all", func(db q) (any, error) {
		var p Patient
		err := db.Preload(clause.Associations).First(&p).Error
		return p.Doctor.Email, err
	}, secret(1)},
	{"Joins", func(db q) (any, error) {
		var p []Patient
		err := db.Joins("Doctor").Order("patients.id").Find(&p).Error
		return p[0].Doctor.Email + fmt.Sprint(p[1].Doctor), err
	}, secret(1) + "<nil>"},
	{"Joins and Preload", func(db q) (any, error) {
		var p []Patient
		err := db.Joins("Doctor").Preload("Visits").Order("patients.id").Find(&p).Error
		return p[0].Visits[0].Reason, err
	}, secret(1)},
	{"FirstOrInit", func(db q) (any, error) {
		var p Patient
		err := db.Where(Patient{MRN: "new"}).Attrs(Patient{Name: "x"}).FirstOrInit(&p).Error
		return p.MRN + p.Name, err
	}, "newx"},
	{"FirstOrInit by text", func(db q) (any, error) {
		var p Patient
		err := db.Where("mrn = ?", mrn(2)).FirstOrInit(&p).Error
		return p.Name, err
	}, secret(2)},
	{"generics First", func(db q) (any, error) {
		p, err := gorm.G[Patient](db).Where("mrn = ?", mrn(2)).First(ctx)
		return p.Name, err
	}, secret(2)},
	{"generics Find", func(db q) (any, error) {
		p, err := gorm.G[Patient](db).Where("id > ?", 1).Find(ctx)
		return p[0].Name, err
	}, secret(2)},
	{"generics Count", func(db q) (any, error) { return gorm.G[Patient](db).Where("mrn = ?", mrn(2)).Count(ctx, "*") }, int64(1)},
	{"generics Joins", func(db q) (any, error) {
		p, err := gorm.G[Patient](db).Joins(clause.Has("Doctor"), func(db gorm.JoinBuilder, joined, _ clause.Table) error {
			db.Where("email = ?", secret(1))
			return nil
		}).Find(ctx)
		return fmt.Sprint(len(p)), err
	}, "1"},
	{"generics Preload", func(db q) (any, error) {
		p, err := gorm.G[Patient](db).Preload("Visits", func(db gorm.PreloadBuilder) error {
			db.Where("reason = ?", secret(1)).LimitPerRecord(1)
			return nil
		}).Order("id").Find(ctx)
		return len(p[0].Visits) + len(p[1].Visits), err
	}, 1},
	{"Association Find", func(db q) (any, error) {
		var v []Visit
		err := db.Model(&Patient{Base: Base{ID: 2}}).Association("Visits").Find(&v, "reason = ?", secret(2))
		return len(v), err
	}, 1},
	{"Association Count", func(db q) (any, error) {
		return db.Model(&Patient{Base: Base{ID: 2}}).Association("Visits").Count(), nil
	}, int64(1)},
}

func TestReads(t *testing.T) {
	inModes(t, modes, func(t *testing.T, m mode, d dialector) {
		db, l := m.practice(t, d)
		seed(t, db)
		must(t, db.Model(&Patient{}).Where("id = 4").Update("name", secret(4)))
		for _, r := range reads {
			m.run(t, r.name, func(t *testing.T) {
				l.reset()
				got, err := r.run(fresh(db))
				if err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(got, r.want) {
					t.Errorf("got %v, want %v\n%s", got, r.want, l)
				}
				noCanary(t, "read", nil, l)
			})
		}
	})
}

// TestReadsRefused: what would hand out ciphertext is an error.
func TestReadsRefused(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, l := practice(t, d, gorm.Config{})
		seed(t, db)
		type wrongIdentity struct {
			gormcrypt.Encrypted
			ID   uint64
			Name string `fieldcrypt:"medical,id=others.name"`
		}
		for name, run := range map[string]func(db q) error{
			"Find into an unmarked DTO":            func(db q) error { return db.Model(&Patient{}).Find(&[]PatientDTO{}).Error },
			"Find into an unmarked DTO of a table": func(db q) error { return db.Table("patients").Find(&[]PatientDTO{}).Error },
			"Find raw rows into an unmarked DTO":   func(db q) error { return db.Raw("SELECT * FROM patients").Find(&[]PatientDTO{}).Error },
			"Find into a DTO of another identity":  func(db q) error { return db.Model(&Patient{}).Find(&[]wrongIdentity{}).Error },
			"Take into a value":                    func(db q) error { var s string; return db.Model(&Patient{}).Take(&s).Error },
			"Scan of a value":                      func(db q) error { var s string; return db.Model(&Patient{}).Select("mrn").Scan(&s).Error },
			"Row of a column":                      func(db q) error { var s string; return db.Model(&Patient{}).Select("mrn").Row().Scan(&s) },
			"Row of all":                           func(db q) error { var s string; return db.Model(&Patient{}).Row().Scan(&s) },
			"Row by an unsearchable condition": func(db q) error {
				var n int
				return db.Model(&Patient{}).Select("id").Where("mrn LIKE ?", canary).Row().Scan(&n)
			},
			"raw Row": func(db q) error { var s string; return db.Raw("SELECT mrn FROM patients").Row().Scan(&s) },
			"raw Scan": func(db q) error {
				var s string
				return db.Raw("SELECT mrn FROM patients WHERE name = ?", canary).Scan(&s).Error
			},
			"Pluck into a wrong type":  func(db q) error { return db.Model(&Patient{}).Pluck("mrn", &[]int{}).Error },
			"Pluck NULL into a string": func(db q) error { return db.Model(&Patient{}).Where("id = 4").Pluck("notes", &[]string{}).Error },
			"Pluck an expression":      func(db q) error { return db.Model(&Patient{}).Pluck("upper(mrn)", &[]string{}).Error },
			"Pluck distinct":           func(db q) error { return db.Model(&Patient{}).Distinct().Pluck("mrn", &[]string{}).Error },
			"Count distinct":           func(db q) error { var n int64; return db.Model(&Patient{}).Distinct("mrn").Count(&n).Error },
			"RETURNING into a map of a table": func(db q) error {
				return db.Table("patients").Clauses(clause.Returning{}).Create(map[string]any{"name": "x"}).Error
			},
			"generics LimitPerRecord in a sealed order": func(db q) error {
				_, err := gorm.G[Patient](db).Preload("Visits", func(db gorm.PreloadBuilder) error {
					db.Order("reason").LimitPerRecord(1)
					return nil
				}).Find(ctx)
				return err
			},
		} {
			t.Run(name, func(t *testing.T) {
				l.reset()
				err := run(fresh(db))
				if err == nil {
					t.Fatalf("not refused\n%s", l)
				}
				noCanary(t, "read", err, l)
				// Row has no error but the database's, and a sub-query's own is lost
				database := name[:3] == "Row" || name == "raw Row" || name == "generics LimitPerRecord in a sealed order"
				if e := (*fieldcrypt.Error)(nil); !database && !errors.As(err, &e) {
					t.Errorf("%T: %v", err, err)
				}
			})
		}
	})
}
