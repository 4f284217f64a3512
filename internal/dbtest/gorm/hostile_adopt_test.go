package gorm_test

import (
	"fmt"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/fieldcrypt/go/drivers/drivertest"
	"github.com/fieldcrypt/go/fieldcrypt"
)

type clientDTO struct {
	ID   uint64
	Name string
}

func TestHostilePlaintextIsNotReadUnaudited(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, l, a := adopting(t, d)
		must(t, db.Create(&Client{ID: 2, Name: "New " + drivertest.Canary}))
		for what, read := range map[string]func(dest any) *gorm.DB{
			"Table":          func(dest any) *gorm.DB { return db.Table("clients").Find(dest) },
			"Table alias":    func(dest any) *gorm.DB { return db.Table("clients AS c").Find(dest) },
			"Table star":     func(dest any) *gorm.DB { return db.Table("clients").Select("*").Find(dest) },
			"Table c.*":      func(dest any) *gorm.DB { return db.Table("clients c").Select("c.*").Find(dest) },
			"Model":          func(dest any) *gorm.DB { return db.Model(&Client{}).Find(dest) },
			"Model star":     func(dest any) *gorm.DB { return db.Model(&Client{}).Select("*").Find(dest) },
			"Model t.*":      func(dest any) *gorm.DB { return db.Model(&Client{}).Select("clients.*").Find(dest) },
			"Model more":     func(dest any) *gorm.DB { return db.Model(&Client{}).Select("*, 1 AS one").Find(dest) },
			"sub-query":      func(dest any) *gorm.DB { return db.Table("(?) AS c", db.Model(&Client{})).Find(dest) },
			"sub-query star": func(dest any) *gorm.DB { return db.Table("(?) AS c", db.Table("clients")).Find(dest) },
			"Scan":           func(dest any) *gorm.DB { return db.Table("clients").Scan(dest) },
			"Raw":            func(dest any) *gorm.DB { return db.Raw("SELECT * FROM clients").Find(dest) },
			"Raw Scan":       func(dest any) *gorm.DB { return db.Raw("SELECT * FROM clients").Scan(dest) },
			"joined": func(dest any) *gorm.DB {
				return db.Model(&Client{}).Joins("JOIN clients o ON o.id = clients.id").Find(dest)
			},
			"joined star": func(dest any) *gorm.DB {
				return db.Table("clients").Select("o.*").Joins("JOIN clients o ON o.id = clients.id").Find(dest)
			},
			"a plain model": func(dest any) *gorm.DB { return db.Model(&unadopted{}).Find(dest) },
			"a function":    func(dest any) *gorm.DB { return db.Table("clients").Select("id, upper(name) AS name").Find(dest) },
			"a sub-select": func(dest any) *gorm.DB {
				return db.Table("clients").Select("id, (SELECT c.name FROM clients c LIMIT 1) AS name").Find(dest)
			},
			"order": func(dest any) *gorm.DB { return db.Model(&Client{}).Select("id").Order("name").Find(dest) },
			"group": func(dest any) *gorm.DB { return db.Model(&Client{}).Select("count(*) AS id").Group("name").Find(dest) },
			"having": func(dest any) *gorm.DB {
				return db.Model(&Client{}).Select("id").Group("id").Having("max(name) > ?", "A").Find(dest)
			},
			"like": func(dest any) *gorm.DB { return db.Model(&Client{}).Select("id").Where("name LIKE ?", "O%").Find(dest) },
		} {
			for kind, dest := range map[string]any{"maps": &[]map[string]any{}, "a struct": &[]clientDTO{}, "a plain model": &[]unadopted{}} {
				l.reset()
				err := read(dest).Error
				for name := range plainsIn(dest) {
					t.Errorf("%s into %s: plaintext came as %s (%v)", what, kind, name, err)
				}
				if leak(l.String()+l.slog.String()+l.spans.String()+fmt.Sprint(err)) != "" {
					t.Errorf("%s into %s: logged", what, kind)
				}
			}
			var marked []Client
			a.take()
			err := read(&marked).Error
			if audited := a.take(); len(audited) == 0 && len(marked) > 0 && marked[0].Name != "" {
				t.Errorf("%s: plaintext came unaudited (%v)", what, err)
			}
		}
	})
}

// plainsIn are the places where rows hold plaintext that was not opened.
func plainsIn(dest any) map[string]bool {
	found := map[string]bool{}
	switch rows := dest.(type) {
	case *[]map[string]any:
		for _, m := range *rows {
			for key, v := range m {
				if key != "name_sealed" && leak(fmt.Sprint(v)) != "" {
					found[key] = true
				}
			}
		}
	case *[]clientDTO:
		for _, r := range *rows {
			if leak(r.Name) != "" {
				found["Name"] = true
			}
		}
	case *[]unadopted:
		for _, r := range *rows {
			if r.Name != nil && leak(*r.Name) != "" {
				found["Name"] = true
			}
		}
	}
	return found
}

// Both columns hold the same after every way to write.
func TestHostileAdoptedColumnsStayTheSame(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, _, _ := adopting(t, d)
		n := uint64(2)
		same := func(what string, err error) {
			t.Helper()
			if err != nil {
				isRefused(t, what, err, fieldcrypt.ErrUnsupported)
			}
			var all []Client
			must(t, db.Where("id > 1").Order("id").Find(&all))
			rows := plainRows(t, db)[1:]
			for i, c := range all {
				if r := rows[i]; (r.Name == nil && c.Name != "") || r.Name != nil && *r.Name != c.Name || r.Age != nil && *r.Age != c.Age || (r.Born == nil) != (c.Born == nil) {
					t.Errorf("%s: %+v, %+v", what, c, r)
				}
			}
		}
		many := make([]Client, 30)
		for i := range many {
			many[i] = Client{ID: n, Name: fmt.Sprint("n", n), Age: int(n)}
			n++
		}
		same("bulk", db.Create(&many).Error)
		onID := []clause.Column{{Name: "id"}}
		for i := range many {
			many[i].Name += "!"
		}
		same("UpdateAll", db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&many).Error)
		for i := range many {
			many[i].Name += "?"
		}
		same("Save", db.Save(&many).Error)
		same("excluded that is not inserted", db.Model(&Client{}).Clauses(clause.OnConflict{Columns: onID, DoUpdates: clause.AssignmentColumns([]string{"name_sealed", "age_sealed"})}).Create(map[string]any{"id": 3, "name_sealed": "m"}).Error)
		same("Assignments nil", db.Clauses(clause.OnConflict{Columns: onID, DoUpdates: clause.Assignments(map[string]any{"name_sealed": nil})}).Create(&Client{ID: 4}).Error)
		same("UpdateColumns", db.Model(&Client{ID: 5}).UpdateColumns(Client{Name: "uc"}).Error)
		same("Select", db.Model(&Client{ID: 6}).Select("Name").Updates(Client{}).Error)
		same("Select *", db.Model(&Client{ID: 7}).Select("*").Omit("ID").Updates(Client{Name: "s"}).Error)
		same("excluded of another column", db.Clauses(clause.OnConflict{Columns: onID, DoUpdates: clause.Set{{Column: clause.Column{Name: "ward"}, Value: clause.Column{Table: "excluded", Name: "name"}}}}).Create(&Client{ID: 8, Name: "z"}).Error)
		same("a column of another", db.Model(&Client{ID: 9}).Update("ward", gorm.Expr("name")).Error)
		same("Expr", db.Model(&Client{ID: 9}).Update("name_sealed", gorm.Expr("'x'")).Error)
		same("struct by generics", func() error {
			_, err := gorm.G[Client](db).Where("id = ?", 10).Updates(ctx, Client{Name: "g"})
			return err
		}())
		same("FirstOrCreate", db.Where("id = ?", 11).Assign(Client{Name: "foc"}).FirstOrCreate(&Client{}).Error)
		same("the old table", db.Table("clients").Where("id = ?", 12).Updates(map[string]any{"name_sealed": "t"}).Error)
		same("the plain model", db.Model(&unadopted{}).Where("id = ?", 12).Update("name", "t").Error)
		same("create by the plain model", db.Create(&unadopted{ID: n, Ward: "w"}).Error)
		same("RETURNING", db.Clauses(clause.Returning{}).Model(&Client{ID: 14}).Updates(clientDTO{Name: ""}).Error)
		same("RETURNING a struct", db.Clauses(clause.Returning{}).Model(&Client{ID: 14}).Updates(Client{Name: "r"}).Error)
		m := map[string]any{"id": 1000, "name_sealed": "map"}
		same("RETURNING a map", db.Clauses(clause.Returning{}).Model(&Client{}).Create(m).Error)
		if _, ok := m["name"]; ok || m["name_sealed"] != "map" {
			t.Errorf("RETURNING brought %v", m)
		}
		same("Strict", db.Model(&Strict{ID: 13}).Update("Name", "strict").Error)
		var wards []string
		must(t, db.Model(&Client{}).Where("ward <> ''").Pluck("ward", &wards))
		if fmt.Sprint(wards) != "[W]" && fmt.Sprint(wards) != "[W w]" {
			t.Errorf("wards: %v", wards)
		}
	})
}
