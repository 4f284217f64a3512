package gorm_test

import (
	"errors"
	"strings"
	"testing"

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
	{"a name and several values", func(db q) (any, error) {
		return nil, db.Where("name", canary, canary).Find(&[]Room{}).Error
	}, fieldcrypt.ErrQueryOnCiphertext, ""},
	{"a view", func(db q) (any, error) {
		return nil, db.Migrator().CreateView("v", gorm.ViewOption{Query: fresh(db).Model(&Room{}).Select("id").Where("name = ?", canary)})
	}, fieldcrypt.ErrQueryOnCiphertext, ""},
	{"the text of ToSQL", func(db q) (any, error) {
		text := db.ToSQL(func(tx q) q { return tx.Where("name = ?", canary).Find(&[]Room{}) })
		return nil, db.Raw(text).Find(&[]Room{}).Error
	}, fieldcrypt.ErrQueryOnCiphertext, ""},
	{"a raw sub-query in Where", func(db q) (any, error) {
		return nil, db.Where("clinic_id IN (?)", fresh(db).Raw("SELECT id FROM clinics WHERE name = ?", canary)).Find(&[]Room{}).Error
	}, fieldcrypt.ErrQueryOnCiphertext, ""},
}

// literal is a value written into the text.
const literal = `'Zebra 7391-7391'`

// TestUnclearNames: a name that more than one table may mean is refused, with the
// way out, which works.
func TestUnclearNames(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, l := mode{}.clinics(t, d)
		must(t, db.Exec("CREATE TABLE notes (room_id integer, name varchar(40))"))
		must(t, db.Exec("INSERT INTO notes VALUES (2, 'plain')"))
		for _, c := range []struct {
			name           string
			unclear, clear func(db q) q
		}{
			{name: "a sub-select of a plain table",
				unclear: func(db q) q { return db.Where("id IN (SELECT room_id FROM notes WHERE name = ?)", "plain") },
				clear:   func(db q) q { return db.Where("id IN (SELECT room_id FROM notes WHERE notes.name = ?)", "plain") }},
			{name: "a sub-select that means the table around it",
				unclear: func(db q) q {
					return db.Where("EXISTS (SELECT 1 FROM notes WHERE room_id = rooms.id AND name = ?)", secret(2))
				},
				clear: func(db q) q {
					return db.Where("EXISTS (SELECT 1 FROM notes WHERE room_id = rooms.id AND rooms.name = ?)", secret(2))
				}},
			{name: "two encrypted tables",
				unclear: func(db q) q {
					return db.Joins("JOIN clinics c ON c.id = rooms.clinic_id").Where("name = ?", secret(2))
				},
				clear: func(db q) q {
					return db.Joins("JOIN clinics c ON c.id = rooms.clinic_id").Where("rooms.name = ? AND c.name = ?", secret(2), secret(1))
				}},
			{name: "a name of no table",
				unclear: func(db q) q { return db.Where("r.name = ?", secret(2)) },
				clear:   func(db q) q { return db.Where("rooms.name = ?", secret(2)) }},
		} {
			var rooms []Room
			err := c.unclear(fresh(db)).Find(&rooms).Error
			if !errors.Is(err, fieldcrypt.ErrQueryOnCiphertext) || !strings.Contains(err.Error(), "qualify the column with its table") {
				t.Errorf("%s: %v", c.name, err)
			}
			noCanary(t, c.name, err, l)
			if err := c.clear(fresh(db)).Find(&rooms).Error; err != nil || len(rooms) != 1 || rooms[0].Name != secret(2) {
				t.Errorf("%s, qualified: %d rooms, %v", c.name, len(rooms), err)
			}
		}
	})
}
