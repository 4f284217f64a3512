package gorm_test

import (
	"errors"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
)

// roomName is a part of a room that reads its encrypted column.
type roomName struct {
	gormcrypt.Encrypted
	ID   uint64
	Name string `fieldcrypt:"medical,id=rooms.name"`
}

func roomNames(rooms []Room, err error) (any, error) {
	s := ""
	for _, r := range rooms {
		s += r.Name + " "
	}
	return s, err
}

var twoRooms = secret(1) + " " + secret(2) + " "

var reading = []operation{
	{"First", func(db q) (any, error) { var r Room; err := db.First(&r).Error; return r.Name, err }, secret(1), ""},
	{"Last", func(db q) (any, error) { var r Room; err := db.Last(&r).Error; return r.Name, err }, secret(2), ""},
	{"Take", func(db q) (any, error) { var r Room; err := db.Take(&r, 2).Error; return r.Name, err }, secret(2), ""},
	{"First of none", func(db q) (any, error) { return nil, db.First(&Room{}, "name = ?", secret(9)).Error }, gorm.ErrRecordNotFound, ""},
	{"First by what it holds", func(db q) (any, error) {
		r := Room{Name: secret(2)}
		err := db.Where(&r).First(&r).Error
		return say(r.ID, r.Name), err
	}, "2 " + secret(2), ""},
	{"Find", func(db q) (any, error) { var r []Room; err := db.Order("id").Find(&r).Error; return roomNames(r, err) }, twoRooms, ""},
	{"Find and Count on one statement", func(db q) (any, error) {
		var rooms []Room
		var n int64
		tx := db.Model(&Room{}).Where("name IN ?", []string{secret(1), secret(2)})
		err := errors.Join(tx.Count(&n).Error, tx.Order("id").Find(&rooms).Error)
		return say(n, len(rooms)), err
	}, "2 2", ""},
	{"Count by groups", func(db q) (any, error) {
		var n int64
		err := db.Model(&Room{}).Where("name <> ?", secret(9)).Group("floor").Count(&n).Error
		return n, err
	}, int64(2), ""},
	{"FindInBatches", func(db q) (any, error) {
		var rooms []Room
		s := ""
		err := db.Where("name <> ?", secret(9)).FindInBatches(&rooms, 1, func(tx q, _ int) error {
			s += rooms[0].Name + " "
			rooms[0].Name += "x"
			return tx.Save(&rooms).Error
		}).Error
		return s, err
	}, twoRooms, "rooms 1x>1 2x>1"},
	{"Take into a map", func(db q) (any, error) {
		m := map[string]any{}
		err := db.Model(&Room{}).Where("name = ?", secret(2)).Take(&m).Error
		return m["name"], err
	}, secret(2), ""},
	{"Find into maps", func(db q) (any, error) {
		var m []map[string]any
		err := db.Model(&Room{}).Order("id").Find(&m).Error
		return say(len(m), m[1]["name"]), err
	}, "2 " + secret(2), ""},
	{"Find into maps of a Table", func(db q) (any, error) {
		var m []map[string]any
		err := db.Table("rooms").Order("id").Find(&m).Error
		return say(len(m), m[1]["name"]), err
	}, "2 " + secret(2), ""},
	{"Pluck", func(db q) (any, error) {
		var s []string
		err := db.Model(&Room{}).Order("id").Pluck("name", &s).Error
		return fmt.Sprint(s), err
	}, fmt.Sprint([]string{secret(1), secret(2)}), ""},
	{"Select one and Find values", func(db q) (any, error) {
		var s []*string
		err := db.Model(&Room{}).Order("id").Select("name").Find(&s).Error
		return *s[0] + *s[1], err
	}, secret(1) + secret(2), ""},
	{"Find into a marked part", func(db q) (any, error) {
		var r []roomName
		err := db.Model(&Room{}).Order("id").Find(&r).Error
		return r[0].Name + r[1].Name, err
	}, secret(1) + secret(2), ""},
	{"Pluck of a joined table", func(db q) (any, error) {
		var s []string
		err := db.Model(&Clinic{}).Joins("Parent").Where("clinics.id = 2").Pluck("Parent.name", &s).Error
		return fmt.Sprint(s), err
	}, fmt.Sprint([]string{secret(1)}), ""},
	{"Count of a join", func(db q) (any, error) {
		var n int64
		err := db.Model(&Clinic{}).Joins("Parent", fresh(db).Where(&Clinic{Name: secret(1)})).Where(`"Parent"."name" = ?`, secret(1)).Count(&n).Error
		return n, err
	}, int64(1), ""},
	{"Find in a derived table", func(db q) (any, error) {
		var r []Room
		err := db.Table("(?) AS rooms", fresh(db).Model(&Room{}).Where("name <> ?", secret(1))).Where("rooms.name IN ?", []string{secret(1), secret(2)}).Find(&r).Error
		return roomNames(r, err)
	}, secret(2) + " ", ""},
	{"Take of a map without a Model", func(db q) (any, error) {
		return nil, db.Take(map[string]any{"name": secret(1)}).Error
	}, schema.ErrUnsupportedDataType, ""},
	{"Find into an unmarked part", func(db q) (any, error) {
		var r []plainName
		return r, db.Model(&Room{}).Find(&r).Error
	}, fieldcrypt.ErrNotRegistered, ""},
	{"Find into an unmarked part of a Table", func(db q) (any, error) {
		var r []plainName
		return r, db.Table("rooms").Find(&r).Error
	}, fieldcrypt.ErrNotRegistered, ""},
	{"Find with a lock", func(db q) (any, error) {
		var r []Room
		tx := db.Where("name = ?", secret(1))
		if db.Dialector.Name() == "postgres" {
			tx = tx.Clauses(clause.Locking{Strength: "UPDATE"})
		}
		err := tx.Find(&r).Error
		return roomNames(r, err)
	}, secret(1) + " ", ""},
}

var scanning = []operation{
	{"Scan into the model", func(db q) (any, error) {
		var r []Room
		err := db.Model(&Room{}).Order("id").Scan(&r).Error
		return roomNames(r, err)
	}, twoRooms, ""},
	{"Scan into a marked part", func(db q) (any, error) {
		var r []roomName
		err := db.Model(&Room{}).Select("id", "name").Order("id").Scan(&r).Error
		return r[0].Name + r[1].Name, err
	}, secret(1) + secret(2), ""},
	{"Scan of a value", func(db q) (any, error) {
		var s string
		err := db.Model(&Room{}).Select("name").Where("id = 1").Scan(&s).Error
		return s, err
	}, fieldcrypt.ErrQueryOnCiphertext, ""},
	{"Row of the column", func(db q) (any, error) {
		var s string
		err := db.Model(&Room{}).Select("name").Where("id = 1").Row().Scan(&s)
		return s, err
	}, fieldcrypt.ErrQueryOnCiphertext, ""},
	{"Row of a plain column by an encrypted condition", func(db q) (any, error) {
		var n int
		err := db.Model(&Room{}).Select("floor").Where("name = ?", secret(2)).Row().Scan(&n)
		return n, err
	}, 1, ""},
	{"Rows and ScanRows", func(db q) (any, error) {
		rows, err := db.Model(&Room{}).Order("id").Rows()
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		s := ""
		for rows.Next() {
			var r Room
			if err := db.ScanRows(rows, &r); err != nil {
				return nil, err
			}
			s += r.Name + " "
		}
		return s, rows.Err()
	}, twoRooms, ""},
	{"Raw and Scan", func(db q) (any, error) {
		var r []Room
		return nil, db.Raw("SELECT * FROM rooms WHERE name = ?", secret(1)).Scan(&r).Error
	}, fieldcrypt.ErrQueryOnCiphertext, ""},
	{"Raw and Scan, allowed", func(db q) (any, error) {
		var r []Room
		err := gormcrypt.AllowRaw(db).Raw("SELECT * FROM rooms WHERE floor = ?", 1).Scan(&r).Error
		return roomNames(r, err)
	}, secret(2) + " ", ""},
	{"Raw and Row", func(db q) (any, error) {
		var s string
		err := db.Raw("SELECT name FROM rooms WHERE name = ?", secret(1)).Row().Scan(&s)
		return s, err
	}, fieldcrypt.ErrQueryOnCiphertext, ""},
	{"Exec", func(db q) (any, error) {
		return nil, db.Exec("UPDATE rooms SET name = ? WHERE name = ?", secret(9), secret(1)).Error
	}, fieldcrypt.ErrQueryOnCiphertext, ""},
	{"Exec, named", func(db q) (any, error) {
		return nil, db.Exec("INSERT INTO rooms (name) VALUES (@n)", map[string]any{"n": secret(9)}).Error
	}, fieldcrypt.ErrQueryOnCiphertext, ""},
}

var orElse = []operation{
	{"FirstOrInit, found", func(db q) (any, error) {
		var c Clinic
		err := db.Where(Clinic{Name: secret(1)}).Attrs(Clinic{Name: secret(8)}).FirstOrInit(&c).Error
		return c.Name, err
	}, secret(1), ""},
	{"FirstOrInit by a struct", func(db q) (any, error) {
		var c Clinic
		err := db.Where(Clinic{Name: secret(3)}).FirstOrInit(&c).Error
		return c.Name, err
	}, secret(3), ""},
	{"FirstOrInit by a map, Attrs", func(db q) (any, error) {
		var r Room
		err := db.Where(map[string]any{"name": secret(3)}).Attrs(Room{Floor: 5}).FirstOrInit(&r).Error
		return say(r.Name, r.Floor), err
	}, secret(3) + " 5", ""},
	{"FirstOrInit with a condition inside, Assign", func(db q) (any, error) {
		var r Room
		err := db.Assign(map[string]any{"name": secret(9)}).FirstOrInit(&r, Room{Name: secret(1)}).Error
		return say(r.ID, r.Name), err
	}, "1 " + secret(9), ""},
	{"FirstOrCreate, found", func(db q) (any, error) {
		var c Clinic
		err := db.Where(Clinic{Name: secret(1)}).Attrs(Clinic{Beds: 9}).FirstOrCreate(&c).Error
		return say(c.ID, c.Name, c.Beds), err
	}, say(1, secret(1), 10), ""},
	{"FirstOrCreate by a struct", func(db q) (any, error) {
		var c Clinic
		err := db.Where(Clinic{Name: secret(3)}).FirstOrCreate(&c).Error
		return c.Name, err
	}, secret(3), "clinics 1 2>1 3"},
	{"FirstOrCreate by a map", func(db q) (any, error) {
		var c Clinic
		err := db.Where(map[string]any{"name": secret(3)}).FirstOrCreate(&c).Error
		return c.Name, err
	}, secret(3), "clinics 1 2>1 3"},
	{"FirstOrCreate by text, Attrs", func(db q) (any, error) {
		var c Clinic
		err := db.Where("name = ?", secret(3)).Attrs("name", secret(3)).FirstOrCreate(&c).Error
		return c.Name, err
	}, secret(3), "clinics 1 2>1 3"},
	{"FirstOrCreate, found and assigned", func(db q) (any, error) {
		var c Clinic
		err := db.Where(Clinic{Name: secret(1)}).Assign(Clinic{Name: secret(9)}).FirstOrCreate(&c).Error
		return c.Name, err
	}, secret(9), "clinics 9 2>1"},
	{"FirstOrCreate, assigned by a map", func(db q) (any, error) {
		var c Clinic
		err := db.Assign(map[string]any{"name": secret(9)}).FirstOrCreate(&c, Clinic{Name: secret(1)}).Error
		return c.Name, err
	}, secret(9), "clinics 9 2>1"},
	{"FirstOrCreate by what cannot be searched", func(db q) (any, error) {
		return nil, db.Where("name LIKE ?", canary).FirstOrCreate(&Clinic{}).Error
	}, fieldcrypt.ErrQueryOnCiphertext, ""},
}

var returned = []operation{
	{"Create with RETURNING", func(db q) (any, error) {
		c := Clinic{Name: secret(3)}
		err := db.Clauses(clause.Returning{}).Create(&c).Error
		return c.Name, err
	}, secret(3), "clinics 1 2>1 3"},
	{"Create a map with RETURNING", func(db q) (any, error) {
		m := map[string]any{"name": secret(3)}
		err := db.Model(&Clinic{}).Clauses(clause.Returning{Columns: []clause.Column{{Name: "name"}, {Name: "beds"}}}).Create(m).Error
		return m["name"], err
	}, secret(3), "clinics 1 2>1 3"},
	{"Update with RETURNING", func(db q) (any, error) {
		var r []Room
		err := db.Model(&r).Clauses(clause.Returning{}).Where("name = ?", secret(1)).Update("floor", 8).Error
		return roomNames(r, err)
	}, secret(1) + " ", ""},
	{"Update with RETURNING of one column", func(db q) (any, error) {
		r := Room{ID: 2}
		err := db.Model(&r).Clauses(clause.Returning{Columns: []clause.Column{{Name: "name"}}}).Update("floor", 8).Error
		return r.Name, err
	}, secret(2), ""},
	{"Delete with RETURNING", func(db q) (any, error) {
		var r []Room
		err := db.Clauses(clause.Returning{}).Where("name = ?", secret(2)).Delete(&r).Error
		return roomNames(r, err)
	}, secret(2) + " ", "rooms 1>1"},
	{"upsert with RETURNING", func(db q) (any, error) {
		c := Clinic{ID: 1, Name: secret(9)}
		err := db.Clauses(clause.Returning{}, clause.OnConflict{Columns: byID, DoUpdates: clause.AssignmentColumns([]string{"beds"})}).Create(&c).Error
		return c.Name, err
	}, secret(1), ""},
	{"RETURNING of an expression", func(db q) (any, error) {
		var r []Room
		return nil, db.Clauses(clause.Returning{Columns: []clause.Column{{Name: "upper(name)", Raw: true}}}).Where("id = 1").Delete(&r).Error
	}, fieldcrypt.ErrQueryOnCiphertext, ""},
	{"RETURNING under another name", func(db q) (any, error) {
		var r []Room
		return nil, db.Clauses(clause.Returning{Columns: []clause.Column{{Name: "name", Alias: "floor"}}}).Where("id = 1").Delete(&r).Error
	}, fieldcrypt.ErrQueryOnCiphertext, ""},
}
