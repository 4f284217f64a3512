package gorm_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/fieldcrypt/go/drivers/drivertest"
	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
)

type TwoIdx struct {
	gormcrypt.Encrypted
	ID    uint64
	Email string `fieldcrypt:"medical,index"`
}

func (TwoIdx) FieldcryptIndexes() []fieldcrypt.Index {
	return []fieldcrypt.Index{{Column: "email_fold_bidx", Parts: []fieldcrypt.Part{{Field: "Email", Transform: "fold"}}}}
}

func TestHostileExactSearchUsesTheTagsIndex(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, l := use(t, d(t), &TwoIdx{})
		must(t, db.Create(&[]TwoIdx{{Email: "A@x"}, {Email: "a@x"}}))
		var got []TwoIdx
		must(t, db.Where("email = ?", "A@x").Find(&got))
		if len(got) != 1 {
			t.Errorf("email = 'A@x' found %+v\n%s", got, l)
		}
	})
}

func TestHostileDuplicateColumn(t *testing.T) {
	for name, write := range map[string]func(db q) error{
		"update": func(db q) error {
			return db.Model(&Visit{}).Where("id = 1").Updates(map[string]any{"Reason": "x", "reason": "y"}).Error
		},
		"create": func(db q) error {
			return db.Model(&Visit{}).Create(map[string]any{"ID": 2, "Reason": "x", "reason": "y"}).Error
		},
		"set": func(db q) error {
			_, err := gorm.G[Visit](db).Where("id = ?", 1).Set(clause.Assignment{Column: clause.Column{Name: "reason"}, Value: "x"}, clause.Assignment{Column: clause.Column{Name: "reason"}, Value: "y"}).Update(ctx)
			return err
		},
		"upsert": func(db q) error {
			return db.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "id"}}, DoUpdates: clause.Set{{Column: clause.Column{Name: "reason"}, Value: "x"}, {Column: clause.Column{Name: "reason"}, Value: "y"}}}).Create(&Visit{ID: 1, Reason: "z"}).Error
		},
	} {
		t.Run(name, func(t *testing.T) {
			db, l := use(t, sqliteFile(t), &Visit{})
			must(t, db.Create(&Visit{ID: 1, Reason: "a"}))
			if err := write(fresh(db)); err != nil {
				return
			}
			var all []Visit
			must(t, db.Find(&all))
			for _, v := range all {
				var n int64
				must(t, db.Model(&Visit{}).Where("id = ? AND reason = ?", v.ID, v.Reason).Count(&n))
				if n != 1 {
					t.Errorf("%q is not found by its own value\n%s", v.Reason, l)
				}
			}
		})
	}
}

// each must be an error, and must not log the canary.
func TestHostileConditionsSlipThrough(t *testing.T) {
	raw := func(db q, s string, v ...any) q { return fresh(db).Raw(s, v...) }
	for name, run := range map[string]func(db q) error{
		"Raw in WHERE": func(db q) error {
			return db.Where("id IN (?)", raw(db, "SELECT id FROM patients WHERE mrn = ?", mrn(1))).Find(&[]Patient{}).Error
		},
		"Raw in NOT EXISTS": func(db q) error {
			return db.Where("NOT EXISTS (?)", raw(db, "SELECT 1 FROM patients p WHERE p.mrn = ?", mrn(1))).Find(&[]Patient{}).Error
		},
		"Raw in DELETE": func(db q) error {
			return db.Where("id NOT IN (?)", raw(db, "SELECT patient_id FROM visits WHERE reason = ?", secret(1))).Delete(&Patient{}).Error
		},
		"Raw in Joins": func(db q) error {
			return db.Joins("JOIN (?) AS z ON z.id = patients.id", raw(db, "SELECT id FROM patients WHERE mrn = ?", mrn(1))).Find(&[]Patient{}).Error
		},
		"Raw in SET": func(db q) error {
			return db.Model(&Patient{}).Where("id = 1").Update("age", raw(db, "SELECT 7 FROM patients WHERE mrn = ?", mrn(1))).Error
		},
		"Raw in Table": func(db q) error {
			return db.Table("(?) AS z", raw(db, "SELECT id FROM patients WHERE mrn = ?", mrn(1))).Find(&[]map[string]any{}).Error
		},
		"Expr in INSERT": func(db q) error {
			return db.Model(&Label{}).Create(map[string]any{"name": gorm.Expr("(SELECT 'x' FROM patients WHERE mrn = ?)", mrn(1))}).Error
		},
		"CTE in text": func(db q) error {
			return db.Where("id IN (WITH x AS (SELECT * FROM patients) SELECT x.id FROM x WHERE x.mrn = ?)", mrn(1)).Find(&[]Patient{}).Error
		},
		"table in parentheses": func(db q) error {
			return db.Where("id IN (SELECT patient_id FROM (visits JOIN doctors ON doctors.id > 0) WHERE reason = ?)", secret(1)).Find(&[]Patient{}).Error
		},
		"comment in Joins": func(db q) error {
			return db.Table("labels").Joins("/* x */ CROSS JOIN visits").Where("reason = ?", secret(1)).Find(&[]map[string]any{}).Error
		},
		"comment in Table": func(db q) error {
			return db.Table("labels /* x */ CROSS JOIN visits").Where("reason = ?", secret(1)).Find(&[]map[string]any{}).Error
		},
		"SELECT without parentheses": func(db q) error {
			return db.Where("id IN (?)", gorm.Expr("SELECT id FROM patients WHERE mrn = ?", mrn(1))).Find(&[]Label{}).Error
		},
		"Expr in Table": func(db q) error {
			return db.Table("(?) AS a", gorm.Expr("SELECT id FROM patients WHERE mrn = ?", mrn(1))).Find(&[]map[string]any{}).Error
		},
		"list with Raw in Table": func(db q) error {
			return db.Table("? AS z", []any{raw(db, "SELECT id FROM patients WHERE mrn = ?", mrn(1))}).Find(&[]map[string]any{}).Error
		},
		"typed list of Raw": func(db q) error {
			return db.Where("id IN ?", []q{raw(db, "SELECT id FROM patients WHERE mrn = ?", mrn(1))}).Find(&[]Label{}).Error
		},
		"typed list of Expr": func(db q) error {
			return db.Where("id IN ?", []clause.Expr{gorm.Expr("(SELECT id FROM patients WHERE mrn = ?)", mrn(1))}).Find(&[]Label{}).Error
		},
		"Raw in an upsert's condition": func(db q) error {
			on := clause.OnConflict{Columns: []clause.Column{{Name: "id"}}, DoUpdates: clause.Set{{Column: clause.Column{Name: "name"}, Value: "x"}},
				Where: clause.Where{Exprs: []clause.Expression{gorm.Expr("1 IN (?)", raw(db, "SELECT id FROM patients WHERE mrn = ?", mrn(1)))}}}
			return db.Clauses(on).Create(&Label{ID: 1, Name: "z"}).Error
		},
		"IN of []string": func(db q) error {
			return db.Where(clause.IN{Column: []string{"mrn", "name"}, Values: []any{[]any{mrn(1), secret(1)}}}).Find(&[]Patient{}).Error
		},
		"INSERT without columns": func(db q) error { return db.Exec("INSERT INTO visits VALUES (?,?,?,?)", 77, 1, secret(3), nil).Error },
		"CREATE TABLE AS": func(db q) error {
			return db.Exec("CREATE TABLE cp AS SELECT id FROM patients WHERE mrn = ?", mrn(1)).Error
		},
		"COPY/DO": func(db q) error {
			return db.Exec("DO $$ BEGIN UPDATE patients SET mrn = '" + canary + "'; END $$").Error
		},
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, d dialector) {
				db, l := practice(t, d, gorm.Config{})
				seed(t, db)
				l.reset()
				err := run(fresh(db))
				var n int64
				l2 := l.String()
				db.Model(&Patient{}).Count(&n)
				if err == nil {
					t.Errorf("no error (%d patients left)", n)
				}
				if leak(l2) != "" {
					t.Error("the value was logged and sent")
				}
			})
		})
	}
}

func TestHostileCiphertextReachesTheCaller(t *testing.T) {
	raw := func(db q, s string, v ...any) q { return fresh(db).Raw(s, v...) }
	type dto struct {
		ID  uint64
		MRN []byte
	}
	m := func(tx q) (any, error) { var r []map[string]any; err := tx.Find(&r).Error; return r, err }
	sc := func(tx q) (any, error) { // what is sealed does not come as the column
		var r []map[string]any
		err := tx.Scan(&r).Error
		for _, m := range r {
			for key := range m {
				if strings.HasPrefix(key, "fieldcrypt sealed ") {
					delete(m, key)
				}
			}
		}
		return r, err
	}
	for name, run := range map[string]func(db q) (any, error){
		"Model Scan maps": func(db q) (any, error) { return sc(db.Model(&Patient{})) },
		"Raw Scan maps":   func(db q) (any, error) { return sc(db.Raw("SELECT * FROM patients")) },
		"Raw Scan dto": func(db q) (any, error) {
			var r []dto
			err := db.Raw("SELECT * FROM patients").Scan(&r).Error
			return r, err
		},
		"Raw Find, comment": func(db q) (any, error) { return m(db.Raw("SELECT /* x */ * FROM patients")) },
		"Raw Find, CTE":     func(db q) (any, error) { return m(db.Raw("WITH x AS (SELECT * FROM patients) SELECT * FROM x")) },
		"Raw Find dto, CTE": func(db q) (any, error) {
			var r []dto
			err := db.Raw("WITH x AS (SELECT * FROM patients) SELECT * FROM x").Find(&r).Error
			return r, err
		},
		"Raw Find, UPDATE RETURNING": func(db q) (any, error) { return m(db.Raw("UPDATE patients SET age = 1 RETURNING *")) },
		"Raw Find, union":            func(db q) (any, error) { return m(db.Raw("SELECT * FROM (SELECT * FROM patients) AS x")) },
		"Raw in Table, renamed":      func(db q) (any, error) { return m(db.Table("(?) AS z", raw(db, "SELECT mrn AS x FROM patients"))) },
		"Raw in Table, star":         func(db q) (any, error) { return m(db.Table("(?) AS z", raw(db, "SELECT * FROM patients"))) },
		"Raw in Select": func(db q) (any, error) {
			return m(db.Model(&Label{}).Select("id, (?) AS m", raw(db, "SELECT mrn FROM patients LIMIT 1")))
		},
		"comment in Table":     func(db q) (any, error) { return m(db.Table("labels /* x */ CROSS JOIN visits")) },
		"comment in Joins":     func(db q) (any, error) { return m(db.Table("labels").Joins("/* x */ CROSS JOIN visits")) },
		"parentheses in Table": func(db q) (any, error) { return m(db.Table("(labels CROSS JOIN visits)")) },
		"Raw among named values of Select": func(db q) (any, error) {
			return m(db.Model(&Label{}).Select("id, (@s) AS m", map[string]any{"s": raw(db, "SELECT mrn FROM patients LIMIT 1")}))
		},
		"MapColumns": func(db q) (any, error) {
			return m(db.Model(&Patient{}).Select("id, mrn").MapColumns(map[string]string{"mrn": "x"}))
		},
		"text in FROM": func(db q) (any, error) {
			return m(db.Table("labels").Clauses(clause.From{Tables: []clause.Table{{Name: "(SELECT mrn AS x FROM patients)", Alias: "z", Raw: true}}}))
		},
		"table in single quotes": func(db q) (any, error) { return m(db.Raw("SELECT * FROM 'patients'")) },
		"whole row":              func(db q) (any, error) { return m(db.Raw("SELECT to_jsonb(p) AS j FROM patients p")) },
		"column aliases":         func(db q) (any, error) { return m(db.Table("visits AS z(a,b,c,d)")) },
		"INSERT SELECT expr": func(db q) (any, error) {
			if err := db.Model(&Label{}).Create(map[string]any{"name": gorm.Expr("(SELECT mrn FROM patients LIMIT 1)")}).Error; err != nil {
				return nil, err
			}
			var r []struct{ Name []byte }
			err := db.Table("labels").Find(&r).Error
			return r, err
		},
		"UPDATE SET Raw": func(db q) (any, error) {
			if err := db.Model(&Label{}).Where("id=1").Update("name", raw(db, "SELECT mrn FROM patients LIMIT 1")).Error; err != nil {
				return nil, err
			}
			var r []struct{ Name []byte }
			err := db.Table("labels").Find(&r).Error
			return r, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, d dialector) {
				db, _ := practice(t, d, gorm.Config{})
				seed(t, db)
				must(t, db.Create(&Label{ID: 1, Name: "x"}))
				got, err := run(fresh(db))
				if hasCipher(got) {
					t.Errorf("ciphertext in the caller's hands (err=%v)", err)
				}
			})
		})
	}
}

func TestHostileNilElement(t *testing.T) {
	db, _ := use(t, sqliteFile(t), &Visit{})
	defer func() {
		if r := recover(); r != nil {
			t.Errorf("panic: %v", r)
		}
	}()
	if err := db.Create([]*Visit{{Reason: "a"}, nil}).Error; err == nil {
		t.Error("no error")
	}
}

func TestHostileNamerCopied(t *testing.T) {
	d := sqliteFile(t)
	first, _ := open(t, d, gorm.Config{})
	p := gormcrypt.New(newCrypter(t), &Visit{})
	if err := first.Use(p); err != nil {
		t.Fatal(err)
	}
	db, l := open(t, sqliteFile(t), gorm.Config{NamingStrategy: first.NamingStrategy})
	must(t, db.Exec("CREATE TABLE visits (id integer primary key, patient_id integer, reason blob, reason_bidx blob)"))
	if err := db.Use(p); err != nil {
		return
	} // either this is refused ...
	err := db.Model(&Visit{}).Create(map[string]any{"reason": canary}).Error // ... or this is sealed
	var b []byte
	pool, _ := db.DB()
	pool.QueryRow("SELECT reason FROM visits").Scan(&b)
	if leak(string(b)) != "" || leak(l.String()) != "" {
		t.Errorf("stored %q, err %v", b, err)
	}
}

// hasCipher looks for a sealed value in what a caller was given.
func hasCipher(v any) bool {
	switch v := v.(type) {
	case []byte:
		return bytes.HasPrefix(v, []byte{0xfc, 1})
	case map[string]any:
		for name, x := range v {
			if !strings.HasSuffix(name, "_bidx") && hasCipher(x) { // an index may hold any two bytes
				return true
			}
		}
		return false
	case []map[string]any:
		for _, x := range v {
			if hasCipher(x) {
				return true
			}
		}
		return false
	}
	return bytes.Contains(fmt.Appendf(nil, "%s", v), []byte{0xfc, 1}) || strings.Contains(fmt.Sprintf("%v", v), "252 1 1 ") || strings.Contains(fmt.Sprintf("%s", v), `\xfc01`)
}

func leak(s string) string { return drivertest.FindCanary([]byte(s)) }

// A statement that was scanned from once gives its columns their names again.
func TestScanLeavesNothingBehind(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, _ := practice(t, d, gorm.Config{})
		seed(t, db)
		tx := db.Model(&Patient{}).Where("id > 0")
		var patients []Patient
		must(t, tx.Scan(&patients))
		var maps []map[string]any
		must(t, tx.Find(&maps))
		if len(patients) == 0 || len(maps) != len(patients) || maps[0]["mrn"] != patients[0].MRN {
			t.Errorf("a map has the keys %v", maps)
		}
	})
}

// A plain table may have columns and keys with the names of encrypted ones.
func TestPlainTablesBesideEncryptedOnes(t *testing.T) {
	type Referral struct {
		ID        uint64
		MRN       string
		PatientID uint64
		Patient   Patient
	}
	onEach(t, func(t *testing.T, d dialector) {
		db, _ := practice(t, d, gorm.Config{})
		seed(t, db)
		if err := db.AutoMigrate(&Referral{}); err != nil {
			t.Fatal(err)
		}
		must(t, db.Omit("Patient").Create(&Referral{MRN: "plain", PatientID: 1}))
		var got Referral
		must(t, db.Where("mrn = ?", "plain").First(&got))
		var n int64
		must(t, db.Raw("SELECT count(*) FROM patients").Scan(&n))
		if got.PatientID != 1 || n == 0 {
			t.Errorf("read %+v, counted %d", got.PatientID, n)
		}
	})
}
