package gorm_test

import (
	"errors"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// plainName is a clinic without marker and tag.
type plainName struct{ Name string }

var first = uint64(1)

// held is what a caller holds once the call has returned.
func held(c *Clinic, err error) (any, error) { return c.Name, err }

var creating = []operation{
	{"Create a struct", func(db q) (any, error) {
		c := Clinic{Name: secret(3)}
		return held(&c, db.Create(&c).Error)
	}, secret(3), "clinics 1 2>1 3"},
	{"Create a slice", func(db q) (any, error) {
		c := []Clinic{{Name: secret(3)}, {Name: secret(4)}}
		err := db.Create(c).Error
		return c[0].Name + c[1].Name, err
	}, secret(3) + secret(4), "clinics 1 2>1 3 4"},
	{"Create a slice of pointers", func(db q) (any, error) {
		c := []*Clinic{{Name: secret(3)}, {Name: secret(4)}}
		err := db.Create(c).Error
		return c[0].Name + c[1].Name, err
	}, secret(3) + secret(4), "clinics 1 2>1 3 4"},
	{"Create an array", func(db q) (any, error) {
		c := [2]Clinic{{Name: secret(3)}, {Name: secret(4)}}
		err := db.Create(&c).Error
		return c[0].Name + c[1].Name, err
	}, secret(3) + secret(4), "clinics 1 2>1 3 4"},
	{"CreateInBatches", func(db q) (any, error) {
		c := []Clinic{{Name: secret(3)}, {Name: secret(4)}, {Name: secret(5)}}
		err := db.CreateInBatches(c, 2).Error
		return c[2].Name, err
	}, secret(5), "clinics 1 2>1 3 4 5"},
	{"CreateBatchSize", func(db q) (any, error) {
		c := []Clinic{{Name: secret(3)}, {Name: secret(4)}, {Name: secret(5)}}
		err := db.Session(&gorm.Session{CreateBatchSize: 2}).Create(&c).Error
		return c[2].Name, err
	}, secret(5), "clinics 1 2>1 3 4 5"},
	{"Select and Create", func(db q) (any, error) {
		c := Clinic{Name: secret(3), Beds: 7}
		return held(&c, db.Select("Name").Create(&c).Error)
	}, secret(3), "clinics 1 2>1 3"},
	{"Omit and Create", func(db q) (any, error) {
		c := Clinic{Name: secret(3), Beds: 7}
		return held(&c, db.Omit("name").Create(&c).Error)
	}, secret(3), "clinics 1 2>1 -"},
	{"Create a map", func(db q) (any, error) {
		m := map[string]any{"Name": secret(3), "beds": 7}
		err := db.Model(&Clinic{}).Create(m).Error
		return m["Name"], err
	}, secret(3), "clinics 1 2>1 3"},
	{"Create a map, by pointer", func(db q) (any, error) {
		m := map[string]any{"name": secret(3)}
		err := db.Model(&Clinic{}).Create(&m).Error
		return m["name"], err
	}, secret(3), "clinics 1 2>1 3"},
	{"Create maps", func(db q) (any, error) {
		m := []map[string]any{{"name": secret(3)}, {"name": secret(4), "beds": 1}}
		err := db.Model(&Clinic{}).Create(&m).Error
		return say(m[0]["name"], m[1]["name"]), err
	}, say(secret(3), secret(4)), "clinics 1 2>1 3 4"},
	{"Create a map in a Table", func(db q) (any, error) {
		m := map[string]any{"name": secret(3)}
		err := db.Table("clinics").Create(m).Error
		return m["name"], err
	}, secret(3), "clinics 1 2>1 3"},
	{"Create an unmarked struct in a Table", func(db q) (any, error) {
		p := plainName{secret(3)}
		err := db.Table("clinics").Create(&p).Error
		return p.Name, err
	}, secret(3), "clinics 1 2>1 3"},
	{"Create with all relations", func(db q) (any, error) {
		c := Clinic{ID: 3, Name: secret(3), Parent: &Clinic{ID: 4, Name: secret(4)}, Director: &Director{Name: secret(3)}, Rooms: []Room{{Name: secret(3)}},
			Partners: []*Partner{{ID: 3, Name: secret(3)}}, Remarks: []Remark{{Name: secret(3)}}}
		err := db.Create(&c).Error
		return c.Parent.Name + c.Director.Name + c.Rooms[0].Name + c.Partners[0].Name + c.Remarks[0].Name, err
	}, secret(4) + secret(3) + secret(3) + secret(3) + secret(3),
		"clinics 1 2>1 3>4 4; directors 1>1 3>3; rooms 1>1 2>1 3>3; partners 1 2 3; terms -@1-1 7@1-2 -@2-1 -@3-3; remarks 1>1 3>3"},
	{"Create without relations", func(db q) (any, error) {
		c := Clinic{Name: secret(3), Rooms: []Room{{Name: secret(3)}}, Partners: []*Partner{{Name: secret(3)}}}
		err := db.Omit(clause.Associations).Create(&c).Error
		return c.Rooms[0].Name, err
	}, secret(3), "clinics 1 2>1 3"},
	{"Create with some of a relation's fields", func(db q) (any, error) {
		c := Clinic{ID: 3, Name: secret(3), Rooms: []Room{{Name: secret(3), Floor: 5}}}
		err := db.Omit("Rooms.Floor").Create(&c).Error
		return c.Rooms[0].Name, err
	}, secret(3), "clinics 1 2>1 3; rooms 1>1 2>1 3>3"},
	{"Save a new one", func(db q) (any, error) {
		c := Clinic{Name: secret(3)}
		return held(&c, db.Save(&c).Error)
	}, secret(3), "clinics 1 2>1 3"},
	{"Create a duplicate", func(db q) (any, error) {
		c := Clinic{Name: secret(1)}
		err := duplicate(db.Create(&c).Error)
		if c.Name != secret(1) {
			err = errors.New("the caller's struct was changed")
		}
		return nil, err
	}, gorm.ErrDuplicatedKey, ""},
	{"Create a map without a Model", func(db q) (any, error) {
		return nil, db.Create(map[string]any{"name": secret(3)}).Error
	}, schema.ErrUnsupportedDataType, ""},
	{"Create maps without a Model", func(db q) (any, error) {
		return nil, db.Create([]map[string]any{{"name": secret(3)}}).Error
	}, schema.ErrUnsupportedDataType, ""},
	{"Save a map without a Model", func(db q) (any, error) {
		return nil, db.Save(map[string]any{"name": secret(3)}).Error
	}, schema.ErrUnsupportedDataType, ""},
}

// duplicate makes an error of a database what TranslateError makes of it.
func duplicate(err error) error {
	if err != nil && !errors.As(err, new(*fieldcrypt.Error)) {
		return fmt.Errorf("%w: %w", gorm.ErrDuplicatedKey, err)
	}
	return err
}

var updating = []operation{
	{"Save", func(db q) (any, error) {
		var c Clinic
		if err := db.First(&c, 1).Error; err != nil {
			return nil, err
		}
		c.Name = secret(9)
		return held(&c, db.Save(&c).Error)
	}, secret(9), "clinics 9 2>1"},
	{"Save a slice", func(db q) (any, error) {
		c := []Clinic{{ID: 1, Name: secret(9)}, {ID: 3, Name: secret(3)}}
		err := db.Save(&c).Error
		return c[0].Name + c[1].Name, err
	}, secret(9) + secret(3), "clinics 9 2>1 3"},
	{"Save of selected fields", func(db q) (any, error) {
		c := Clinic{ID: 1, Name: secret(9), Beds: 99}
		return held(&c, db.Select("Beds").Save(&c).Error)
	}, secret(9), ""},
	{"Updates by a struct", func(db q) (any, error) {
		c := Clinic{ID: 1}
		err := db.Model(&c).Updates(Clinic{Name: secret(9)}).Error
		return c.Name, err
	}, secret(9), "clinics 9 2>1"},
	{"Updates by a pointer", func(db q) (any, error) {
		c, n := Clinic{ID: 1}, Clinic{Name: secret(9)}
		err := db.Model(&c).Updates(&n).Error
		return c.Name + n.Name, err
	}, secret(9) + secret(9), "clinics 9 2>1"},
	{"Updates of the struct itself", func(db q) (any, error) {
		c := Clinic{ID: 1, Name: secret(9)}
		return held(&c, db.Updates(&c).Error)
	}, secret(9), "clinics 9 2>1"},
	{"Updates by a map", func(db q) (any, error) {
		c, m := Clinic{ID: 1}, map[string]any{"Name": secret(9), "beds": 3}
		err := db.Model(&c).Updates(m).Error
		return say(c.Name, m["Name"]), err
	}, say(secret(9), secret(9)), "clinics 9 2>1"},
	{"Updates by an unmarked struct", func(db q) (any, error) {
		p := plainName{secret(9)}
		err := db.Model(&Clinic{ID: 1}).Updates(&p).Error
		return p.Name, err
	}, secret(9), "clinics 9 2>1"},
	{"Select and Updates", func(db q) (any, error) {
		c := Clinic{ID: 1}
		err := db.Model(&c).Select("Name").Updates(Clinic{Name: secret(9), Beds: 99}).Error
		return say(c.Name, c.Beds), err
	}, secret(9) + " 0", "clinics 9 2>1"},
	{"Select and Updates, zero", func(db q) (any, error) {
		c := Clinic{ID: 1}
		return held(&c, db.Model(&c).Select("Name").Updates(Clinic{}).Error)
	}, "", "clinics - 2>1"},
	{"Omit and Updates", func(db q) (any, error) {
		c := Clinic{ID: 1}
		return held(&c, db.Model(&c).Omit("Name").Updates(Clinic{Name: secret(9), Beds: 3}).Error)
	}, "", ""},
	{"Update", func(db q) (any, error) {
		c := Clinic{ID: 1}
		err := db.Model(&c).Update("name", secret(9)).Error
		return c.Name, err
	}, secret(9), "clinics 9 2>1"},
	{"Update by the field's name", func(db q) (any, error) {
		c := Clinic{ID: 1}
		err := db.Model(&c).Update("Name", secret(9)).Error
		return c.Name, err
	}, secret(9), "clinics 9 2>1"},
	{"UpdateColumn", func(db q) (any, error) {
		c := Clinic{ID: 1}
		err := db.Model(&c).UpdateColumn("name", secret(9)).Error
		return c.Name, err
	}, secret(9), "clinics 9 2>1"},
	{"UpdateColumns by a map", func(db q) (any, error) {
		c := Clinic{ID: 1}
		err := db.Model(&c).UpdateColumns(map[string]any{"name": secret(9)}).Error
		return c.Name, err
	}, secret(9), "clinics 9 2>1"},
	{"UpdateColumns by a struct", func(db q) (any, error) {
		c := Clinic{ID: 1}
		err := db.Model(&c).UpdateColumns(Clinic{Name: secret(9)}).Error
		return c.Name, err
	}, secret(9), "clinics 9 2>1"},
	{"Updates without hooks", func(db q) (any, error) {
		c := Clinic{ID: 1}
		err := db.Session(&gorm.Session{SkipHooks: true}).Model(&c).Updates(map[string]any{"name": secret(9)}).Error
		return c.Name, err
	}, secret(9), "clinics 9 2>1"},
	{"Update to nil", func(db q) (any, error) {
		return nil, db.Model(&Clinic{ID: 1}).Update("name", nil).Error
	}, nil, "clinics - 2>1"},
	{"Update to an SQL NULL", func(db q) (any, error) {
		return nil, db.Model(&Clinic{ID: 1}).Update("name", gorm.Expr("NULL")).Error
	}, nil, "clinics - 2>1"},
	{"Update of many", func(db q) (any, error) {
		tx := db.Model(&Room{}).Where("floor > ?", 0).Update("name", secret(9))
		return tx.RowsAffected, tx.Error
	}, int64(2), "rooms 9>1 9>1"},
	{"Update of a slice's rows", func(db q) (any, error) {
		rooms := []Room{{ID: 1}, {ID: 2}}
		tx := db.Model(&rooms).Update("name", secret(9))
		return tx.RowsAffected, tx.Error
	}, int64(2), "rooms 9>1 9>1"},
	{"Update by an encrypted condition", func(db q) (any, error) {
		tx := db.Model(&Room{}).Where("name = ?", secret(2)).Update("name", secret(9))
		return tx.RowsAffected, tx.Error
	}, int64(1), "rooms 1>1 9>1"},
	{"Update in a sub-query's rows", func(db q) (any, error) {
		tx := db.Model(&Room{}).Where("clinic_id IN (?)", fresh(db).Model(&Clinic{}).Select("id").Where("name = ?", secret(1))).Update("name", secret(9))
		return tx.RowsAffected, tx.Error
	}, int64(2), "rooms 9>1 9>1"},
	{"Update of a plain column by an expression", func(db q) (any, error) {
		var r Room
		err := db.Model(&Room{}).Where("name = ?", secret(1)).Update("floor", gorm.Expr("floor + ?", 40)).Error
		return r.Name, errors.Join(err, db.Where("floor = 42 AND name = ?", secret(1)).First(&Room{}).Error)
	}, "", ""},
	{"Update of all", func(db q) (any, error) {
		tx := db.Session(&gorm.Session{AllowGlobalUpdate: true}).Model(&Room{}).Update("name", secret(9))
		return tx.RowsAffected, tx.Error
	}, int64(2), "rooms 9>1 9>1"},
	{"Update of all, not allowed", func(db q) (any, error) {
		return nil, db.Model(&Room{}).Update("name", secret(9)).Error
	}, gorm.ErrMissingWhereClause, ""},
	{"Updates by a map without a Model", func(db q) (any, error) {
		return nil, db.Where("name = ?", secret(1)).Updates(map[string]any{"name": secret(9)}).Error
	}, schema.ErrUnsupportedDataType, ""},
	{"Update in a Table", func(db q) (any, error) {
		return nil, db.Table("clinics").Where("name = ?", secret(1)).Update("name", secret(9)).Error
	}, nil, "clinics 9 2>1"},
	{"Updates in a Table", func(db q) (any, error) {
		return nil, db.Table("clinics").Where("id = 1").Updates(map[string]any{"name": secret(9)}).Error
	}, nil, "clinics 9 2>1"},
	{"Updates in a Table by an unmarked struct", func(db q) (any, error) {
		return nil, db.Table("clinics").Where("id = 1").Updates(plainName{secret(9)}).Error
	}, nil, "clinics 9 2>1"},
	{"FullSaveAssociations", func(db q) (any, error) {
		var c Clinic
		if err := db.Preload("Rooms").Preload("Director").First(&c, 1).Error; err != nil {
			return nil, err
		}
		c.Rooms[0].Name, c.Director.Name = secret(8), secret(9)
		err := db.Session(&gorm.Session{FullSaveAssociations: true}).Updates(&c).Error
		return c.Rooms[0].Name + c.Director.Name, err
	}, secret(8) + secret(9), "directors 9>1; rooms 8>1 2>1"},
}

var byID = []clause.Column{{Name: "id"}}

var upserting = []operation{
	{"upsert of some columns", func(db q) (any, error) {
		c := Clinic{ID: 1, Name: secret(9), Beds: 99}
		return held(&c, db.Clauses(clause.OnConflict{Columns: byID, DoUpdates: clause.AssignmentColumns([]string{"name"})}).Create(&c).Error)
	}, secret(9), "clinics 9 2>1"},
	{"upsert of all columns", func(db q) (any, error) {
		c := []Clinic{{ID: 1, Name: secret(9)}, {ID: 2, Name: secret(8), ParentID: &first}}
		err := db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&c).Error
		return c[0].Name + c[1].Name, err
	}, secret(9) + secret(8), "clinics 9 8>1"},
	{"upsert by assignments", func(db q) (any, error) {
		c := Clinic{ID: 1, Name: secret(3)}
		return held(&c, db.Clauses(clause.OnConflict{Columns: byID, DoUpdates: clause.Assignments(map[string]any{"name": secret(9)})}).Create(&c).Error)
	}, secret(3), "clinics 9 2>1"},
	{"upsert to nil", func(db q) (any, error) {
		c := Clinic{ID: 1, Name: secret(3)}
		return held(&c, db.Clauses(clause.OnConflict{Columns: byID, DoUpdates: clause.Assignments(map[string]any{"name": nil})}).Create(&c).Error)
	}, secret(3), "clinics - 2>1"},
	{"upsert that does nothing", func(db q) (any, error) {
		c := Clinic{ID: 1, Name: secret(9)}
		return held(&c, db.Clauses(clause.OnConflict{DoNothing: true}).Create(&c).Error)
	}, secret(9), ""},
	{"upsert on the encrypted column", func(db q) (any, error) {
		c := Clinic{Name: secret(1), Beds: 99}
		err := db.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "name"}}, DoUpdates: clause.AssignmentColumns([]string{"beds"})}).Create(&c).Error
		return c.Name, errors.Join(err, db.First(&Clinic{}, "beds = 99 AND id = 1").Error)
	}, secret(1), ""},
	{"upsert by a condition", func(db q) (any, error) {
		c := Clinic{ID: 1, Name: secret(9)}
		return held(&c, db.Clauses(clause.OnConflict{Columns: byID, DoUpdates: clause.AssignmentColumns([]string{"name"}),
			Where: clause.Where{Exprs: []clause.Expression{clause.Expr{SQL: "clinics.name = ?", Vars: []any{secret(2)}}}}}).Create(&c).Error)
	}, secret(9), ""},
	{"upsert of maps", func(db q) (any, error) {
		m := map[string]any{"id": 1, "name": secret(9)}
		err := db.Model(&Clinic{}).Clauses(clause.OnConflict{Columns: byID, DoUpdates: clause.AssignmentColumns([]string{"name"})}).Create(m).Error
		return m["name"], err
	}, secret(9), "clinics 9 2>1"},
	{"upsert of the join table", func(db q) (any, error) {
		a := ClinicPartner{ClinicID: 1, PartnerID: 1, Terms: secret(9)}
		err := db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&a).Error
		return a.Terms, err
	}, secret(9), "terms 9@1-1 7@1-2 -@2-1"},
	{"upsert by an expression", func(db q) (any, error) {
		return nil, db.Clauses(clause.OnConflict{Columns: byID, DoUpdates: clause.Assignments(map[string]any{"name": gorm.Expr("excluded.name")})}).Create(&Clinic{ID: 1, Name: secret(9)}).Error
	}, fieldcrypt.ErrUnsupported, ""},
	{"upsert of another column's value", func(db q) (any, error) {
		return nil, db.Clauses(clause.OnConflict{Columns: byID, DoUpdates: clause.Set{{Column: clause.Column{Name: "beds"}, Value: clause.Column{Table: "excluded", Name: "name"}}}}).Create(&Clinic{ID: 1, Name: secret(9)}).Error
	}, fieldcrypt.ErrQueryOnCiphertext, ""},
}

var deleting = []operation{
	{"Delete, soft", func(db q) (any, error) {
		c := Clinic{ID: 2, Name: secret(2)}
		return held(&c, db.Delete(&c).Error)
	}, secret(2), "clinics 1"},
	{"Delete by an encrypted condition", func(db q) (any, error) {
		return nil, db.Where("name = ?", secret(2)).Delete(&Clinic{}).Error
	}, nil, "clinics 1"},
	{"Delete by an inline condition", func(db q) (any, error) {
		return nil, db.Delete(&Room{}, "name IN ?", []string{secret(2), secret(9)}).Error
	}, nil, "rooms 1>1"},
	{"Delete by a struct", func(db q) (any, error) {
		return nil, db.Where(&Room{Name: secret(2)}).Delete(&Room{}).Error
	}, nil, "rooms 1>1"},
	{"Delete a slice", func(db q) (any, error) {
		return nil, db.Delete(&[]Room{{ID: 1, Name: secret(5)}, {ID: 2}}).Error
	}, nil, "rooms"},
	{"Delete for good", func(db q) (any, error) {
		return nil, db.Unscoped().Where("name = ?", secret(1)).Delete(&Remark{}).Error
	}, nil, "remarks"},
	{"Delete what is deleted, Unscoped", func(db q) (any, error) {
		var c Clinic
		err := errors.Join(db.Delete(&Clinic{}, 2).Error, db.Unscoped().Where("name = ?", secret(2)).First(&c).Error)
		return held(&c, errors.Join(err, db.Unscoped().Model(&c).Update("deleted_at", nil).Error))
	}, secret(2), ""},
	{"Delete in a sub-query's rows", func(db q) (any, error) {
		return nil, db.Where("clinic_id IN (?)", fresh(db).Model(&Clinic{}).Select("id").Where(&Clinic{Name: secret(1)})).Delete(&Room{}).Error
	}, nil, "rooms"},
	{"Delete with relations", func(db q) (any, error) {
		return nil, db.Select("Rooms", "Director", "Partners", "Remarks").Delete(&Clinic{ID: 1}).Error
	}, nil, "clinics 2>1; directors; rooms; terms -@2-1; remarks"},
	{"Delete in a Table", func(db q) (any, error) {
		return nil, db.Table("rooms").Where("name = ?", secret(1)).Delete(nil).Error
	}, nil, "rooms 2>1"},
	{"Delete all", func(db q) (any, error) {
		return nil, db.Session(&gorm.Session{AllowGlobalUpdate: true}).Delete(&Remark{}).Error
	}, nil, "remarks"},
	{"Delete without a Model", func(db q) (any, error) {
		return nil, db.Where("name = ?", secret(1)).Delete(map[string]any{"name": secret(1)}).Error
	}, schema.ErrUnsupportedDataType, ""},
	{"Delete by an unsearchable condition", func(db q) (any, error) {
		return nil, db.Where("name LIKE ?", canary+"%").Delete(&Room{}).Error
	}, fieldcrypt.ErrQueryOnCiphertext, ""},
}
