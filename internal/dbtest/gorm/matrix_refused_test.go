package gorm_test

import (
	"gorm.io/gorm"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// refusing is what ciphertext cannot answer, wherever it stands.
var refusing = []operation{
	{"LIKE", func(db q) (any, error) { return nil, db.Find(&[]Room{}, "name LIKE ?", canary).Error }, fieldcrypt.ErrQueryOnCiphertext, ""},
	{"LIKE in a sub-query", func(db q) (any, error) {
		return nil, db.Where("clinic_id IN (?)", fresh(db).Model(&Clinic{}).Select("id").Where("name LIKE ?", canary)).Find(&[]Room{}).Error
	}, fieldcrypt.ErrQueryOnCiphertext, ""},
	{"an unqualified name in a hand-written sub-select", func(db q) (any, error) {
		return nil, db.Where("clinic_id IN (SELECT owner_id FROM notes WHERE name = ?)", secret(1)).Find(&[]Room{}).Error
	}, fieldcrypt.ErrQueryOnCiphertext, ""},
	{"Update to a sub-query's value", func(db q) (any, error) {
		return nil, db.Model(&Room{ID: 1}).Update("name", fresh(db).Model(&Clinic{}).Select("name").Where("name = ?", secret(1))).Error
	}, fieldcrypt.ErrUnsupported, ""},
	{"Update of a plain column to an encrypted one", func(db q) (any, error) {
		return nil, db.Model(&Remark{ID: 1}).Update("owner_type", gorm.Expr("name")).Error
	}, fieldcrypt.ErrQueryOnCiphertext, ""},
	{"Update of the index column", func(db q) (any, error) {
		return nil, db.Table("rooms").Where("id = 1").Update("name_bidx", []byte(canary)).Error
	}, fieldcrypt.ErrUnsupported, ""},
	{"a value that is no text", func(db q) (any, error) {
		return nil, db.Model(&Room{ID: 1}).Update("name", map[string]string{canary: canary}).Error
	}, fieldcrypt.ErrWrongType, ""},
	{"a value that begins as a stored one", func(db q) (any, error) {
		r := Room{Name: "\xfc\x01" + canary}
		return nil, db.Create(&r).Error
	}, fieldcrypt.ErrWrongType, ""},
	{"a slice of structs", func(db q) (any, error) {
		var r []Room
		err := db.Where([]Room{{Name: secret(2)}}).Find(&r).Error
		return roomNames(r, err)
	}, secret(2) + " ", ""},
	{"a literal in Where", func(db q) (any, error) { return nil, db.Where("name = " + literal).Find(&[]Room{}).Error }, fieldcrypt.ErrQueryOnCiphertext, ""},
	{"a literal in an inline condition", func(db q) (any, error) { return nil, db.First(&Room{}, "name <> "+literal).Error }, fieldcrypt.ErrQueryOnCiphertext, ""},
	{"a literal in Not", func(db q) (any, error) { return nil, db.Not("name IN (" + literal + ")").Find(&[]Room{}).Error }, fieldcrypt.ErrQueryOnCiphertext, ""},
	{"a literal in Order", func(db q) (any, error) {
		return nil, db.Order("name = " + literal).Find(&[]Room{}).Error
	}, fieldcrypt.ErrQueryOnCiphertext, ""},
	{"a literal in Select", func(db q) (any, error) {
		return nil, db.Select("id, name = " + literal).Find(&[]Room{}).Error
	}, fieldcrypt.ErrQueryOnCiphertext, ""},
	{"a literal in Having", func(db q) (any, error) {
		return nil, db.Select("floor").Group("floor").Having("MAX(name) = " + literal).Find(&[]Room{}).Error
	}, fieldcrypt.ErrQueryOnCiphertext, ""},
	{"a literal in Joins", func(db q) (any, error) {
		return nil, db.Joins("JOIN rooms r ON r.name = " + literal).Find(&[]Clinic{}).Error
	}, fieldcrypt.ErrQueryOnCiphertext, ""},
	{"a literal in Table", func(db q) (any, error) {
		return nil, db.Table("(SELECT * FROM rooms WHERE name = " + literal + ") AS rooms").Find(&[]Room{}).Error
	}, fieldcrypt.ErrQueryOnCiphertext, ""},
	{"a literal in a sub-select", func(db q) (any, error) {
		return nil, db.Where("id IN (SELECT clinic_id FROM rooms WHERE rooms.name = " + literal + ")").Find(&[]Clinic{}).Error
	}, fieldcrypt.ErrQueryOnCiphertext, ""},
	{"a literal in an expression", func(db q) (any, error) {
		return nil, db.Model(&Room{ID: 1}).Update("floor", gorm.Expr("CASE WHEN name = "+literal+" THEN 1 ELSE 2 END")).Error
	}, fieldcrypt.ErrQueryOnCiphertext, ""},
	{"a literal in Preload", func(db q) (any, error) {
		return nil, db.Preload("Rooms", "name = "+literal).Find(&[]Clinic{}).Error
	}, fieldcrypt.ErrQueryOnCiphertext, ""},
	{"a literal in Raw", func(db q) (any, error) {
		return nil, db.Raw("SELECT * FROM rooms WHERE name = " + literal).Find(&[]Room{}).Error
	}, fieldcrypt.ErrQueryOnCiphertext, ""},
	{"a literal in Exec", func(db q) (any, error) { return nil, db.Exec("UPDATE rooms SET name = " + literal).Error }, fieldcrypt.ErrQueryOnCiphertext, ""},
	{"a value without quotes", func(db q) (any, error) { return nil, db.Where("name NOT Zebra").Find(&[]Room{}).Error }, fieldcrypt.ErrQueryOnCiphertext, ""},
	{"a literal for a plain column beside a refusal", func(db q) (any, error) {
		return nil, db.Where("floor = ? AND name LIKE ?", 1, canary).Where("name = ?", canary).Find(&[]Room{}).Error
	}, fieldcrypt.ErrQueryOnCiphertext, ""},
	{"a raw sub-query in Where", func(db q) (any, error) {
		return nil, db.Where("clinic_id IN (?)", fresh(db).Raw("SELECT id FROM clinics WHERE name = ?", canary)).Find(&[]Room{}).Error
	}, fieldcrypt.ErrQueryOnCiphertext, ""},
}

// literal is a value written into the text.
const literal = `'Zebra 7391-7391'`
