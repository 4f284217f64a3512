package gorm_test

import (
	"errors"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/fieldcrypt/go/fieldcrypt"
)

func of(db q, relation string) *gorm.Association {
	return db.Model(&Clinic{ID: 1}).Association(relation)
}

// related are the operations of association mode, on every kind of relation.
var related = []operation{
	{"Append to has many", func(db q) (any, error) {
		r := Room{Name: secret(3)}
		err := of(db, "Rooms").Append(&r)
		return r.Name, err
	}, secret(3), "rooms 1>1 2>1 3>1"},
	{"Append a slice to has many", func(db q) (any, error) {
		r := []Room{{Name: secret(3)}, {Name: secret(4)}}
		err := of(db, "Rooms").Append(&r)
		return r[1].Name, err
	}, secret(4), "rooms 1>1 2>1 3>1 4>1"},
	{"Append a map to has many", func(db q) (any, error) {
		m := map[string]any{"name": secret(3)}
		err := of(db, "Rooms").Append(m)
		return m["name"], err
	}, secret(3), "rooms 1>1 2>1 3>1"},
	{"Replace has many", func(db q) (any, error) {
		r := Room{Name: secret(3)}
		err := of(db, "Rooms").Replace(&r)
		return r.Name, err
	}, secret(3), "rooms 1 2 3>1"},
	{"Replace has many, Unscoped", func(db q) (any, error) {
		r := Room{Name: secret(3)}
		err := of(db, "Rooms").Unscoped().Replace(&r)
		return r.Name, err
	}, secret(3), "rooms 3>1"},
	{"Find in has many", func(db q) (any, error) {
		var r []Room
		err := of(db, "Rooms").Find(&r, "name = ?", secret(2))
		return roomNames(r, err)
	}, secret(2) + " ", ""},
	{"Count has many by a condition", func(db q) (any, error) {
		a := db.Model(&Clinic{ID: 1}).Where("name = ?", secret(2)).Association("Rooms")
		return a.Count(), a.Error
	}, int64(1), ""},
	{"Delete from has many", func(db q) (any, error) {
		r := Room{ID: 1, Name: secret(1)}
		err := of(db, "Rooms").Delete(&r)
		return r.Name, err
	}, secret(1), "rooms 1 2>1"},
	{"Clear has many", func(db q) (any, error) { return nil, of(db, "Rooms").Clear() }, nil, "rooms 1 2"},
	{"Clear has many, Unscoped", func(db q) (any, error) { return nil, of(db, "Rooms").Unscoped().Clear() }, nil, "rooms"},
	{"Append to has many of several", func(db q) (any, error) {
		c := []Clinic{{ID: 1}, {ID: 2}}
		err := db.Model(&c).Association("Rooms").Append(&Room{Name: secret(3)}, &Room{Name: secret(4)})
		return c[1].Rooms[0].Name, err
	}, secret(4), "rooms 1>1 2>1 3>1 4>2"},

	{"Append to has one", func(db q) (any, error) {
		d := Director{Name: secret(3)}
		err := of(db, "Director").Append(&d)
		return d.Name, err
	}, secret(3), "directors 1 3>1"},
	{"Find has one", func(db q) (any, error) {
		var d Director
		err := of(db, "Director").Find(&d)
		return d.Name, err
	}, secret(1), ""},
	{"Delete has one", func(db q) (any, error) { return nil, of(db, "Director").Delete(&Director{ID: 1}) }, nil, "directors 1"},
	{"Clear has one", func(db q) (any, error) { return nil, of(db, "Director").Clear() }, nil, "directors 1"},

	{"Append to belongs to", func(db q) (any, error) {
		c := Clinic{ID: 2, Name: secret(2)}
		parent := Clinic{ID: 3, Name: secret(3)}
		err := db.Model(&c).Association("Parent").Append(&parent)
		return c.Parent.Name + parent.Name, err
	}, secret(3) + secret(3), "clinics 1 2>3 3"},
	{"Replace belongs to", func(db q) (any, error) {
		c := Clinic{ID: 2, Name: secret(2)}
		err := db.Model(&c).Association("Parent").Replace(&Clinic{ID: 3, Name: secret(3)})
		return c.Parent.Name, err
	}, secret(3), "clinics 1 2>3 3"},
	{"Find belongs to", func(db q) (any, error) {
		var c Clinic
		err := db.Model(&Clinic{ID: 2, ParentID: &first}).Association("Parent").Find(&c)
		return c.Name, err
	}, secret(1), ""},
	{"Count belongs to", func(db q) (any, error) {
		return db.Model(&Clinic{ID: 2, ParentID: &first}).Association("Parent").Count(), nil
	}, int64(1), ""},
	{"Clear belongs to", func(db q) (any, error) {
		return nil, db.Model(&Clinic{ID: 2, ParentID: &first}).Association("Parent").Clear()
	}, nil, "clinics 1 2"},

	{"Append to many2many", func(db q) (any, error) {
		p := Partner{ID: 3, Name: secret(3)}
		err := of(db, "Partners").Append(&p)
		return p.Name, err
	}, secret(3), "partners 1 2 3; terms -@1-1 7@1-2 -@1-3 -@2-1"},
	{"Append a map to many2many", func(db q) (any, error) {
		m := map[string]any{"id": uint64(3), "name": secret(3)}
		err := of(db, "Partners").Append(m)
		return m["name"], err
	}, secret(3), "partners 1 2 3; terms -@1-1 7@1-2 -@1-3 -@2-1"},
	{"Replace many2many", func(db q) (any, error) {
		p := Partner{ID: 2, Name: secret(2)}
		err := of(db, "Partners").Replace(&p)
		return p.Name, err
	}, secret(2), "terms 7@1-2 -@2-1"},
	{"Find in many2many", func(db q) (any, error) {
		var p []Partner
		err := of(db, "Partners").Find(&p, "name <> ?", secret(1))
		return say(len(p), p[0].Name), err
	}, "1 " + secret(2), ""},
	{"Find in many2many by the join table", func(db q) (any, error) {
		var p []Partner
		err := of(db, "Partners").Find(&p, "clinic_partners.terms = ?", secret(7))
		return say(len(p), p[0].Name), err
	}, "1 " + secret(2), ""},
	{"Count many2many", func(db q) (any, error) { return of(db, "Partners").Count(), nil }, int64(2), ""},
	{"Delete from many2many", func(db q) (any, error) {
		return nil, of(db, "Partners").Delete(&Partner{ID: 2})
	}, nil, "terms -@1-1 -@2-1"},
	{"Clear many2many", func(db q) (any, error) { return nil, of(db, "Partners").Clear() }, nil, "terms -@2-1"},

	{"Append to polymorphic", func(db q) (any, error) {
		r := Remark{Name: secret(3)}
		err := of(db, "Remarks").Append(&r)
		return r.Name + r.OwnerType, err
	}, secret(3) + "clinics", "remarks 1>1 3>1"},
	{"Replace polymorphic", func(db q) (any, error) {
		r := Remark{Name: secret(3)}
		err := of(db, "Remarks").Replace(&r)
		return r.Name, err
	}, secret(3), "remarks 1 3>1"},
	{"Find in polymorphic", func(db q) (any, error) {
		var r []Remark
		err := of(db, "Remarks").Find(&r, &Remark{Name: secret(1)})
		return r[0].Name, err
	}, secret(1), ""},
	{"Count polymorphic", func(db q) (any, error) { return of(db, "Remarks").Count(), nil }, int64(1), ""},
	{"Delete from polymorphic", func(db q) (any, error) { return nil, of(db, "Remarks").Delete(&Remark{ID: 1}) }, nil, "remarks 1"},
	{"Clear polymorphic", func(db q) (any, error) { return nil, of(db, "Remarks").Clear() }, nil, "remarks 1"},
	{"Find in a relation by what cannot be searched", func(db q) (any, error) {
		var r []Room
		return r, of(db, "Rooms").Find(&r, "name LIKE ?", canary)
	}, fieldcrypt.ErrQueryOnCiphertext, ""},
}

// loading are the ways to read relations along.
var loading = []operation{
	{"Preload all", func(db q) (any, error) {
		var c Clinic
		err := db.Preload(clause.Associations).First(&c, 1).Error
		return c.Director.Name + c.Rooms[0].Name + c.Partners[1].Name + c.Remarks[0].Name, err
	}, secret(1) + secret(1) + secret(2) + secret(1), ""},
	{"Preload nested", func(db q) (any, error) {
		var c Clinic
		err := db.Preload("Parent.Rooms", func(db q) q { return db.Order("id") }).First(&c, 2).Error
		return c.Parent.Name + c.Parent.Rooms[1].Name, err
	}, secret(1) + secret(2), ""},
	{"Preload by a condition", func(db q) (any, error) {
		var c Clinic
		err := db.Preload("Rooms", "name = ?", secret(2)).Preload("Partners", "name IN ?", []string{secret(2)}).First(&c, 1).Error
		return c.Rooms[0].Name + c.Partners[0].Name, err
	}, secret(2) + secret(2), ""},
	{"Preload by a function", func(db q) (any, error) {
		var c Clinic
		err := db.Preload("Rooms", func(db q) q { return db.Where(&Room{Name: secret(2)}).Select("id", "name", "clinic_id") }).First(&c, 1).Error
		return c.Rooms[0].Name, err
	}, secret(2), ""},
	{"Preload in a sealed order", func(db q) (any, error) {
		return nil, db.Preload("Rooms", func(db q) q { return db.Order("name") }).First(&Clinic{}, 1).Error
	}, fieldcrypt.ErrQueryOnCiphertext, ""},
	{"Joins has one", func(db q) (any, error) {
		var c []Clinic
		err := db.Joins("Director").Order("clinics.id").Find(&c).Error
		return say(c[0].Director.Name, c[1].Director == nil), err
	}, secret(1) + " true", ""},
	{"Joins its own table", func(db q) (any, error) {
		var c []Clinic
		err := db.Joins("Parent").Order("clinics.id").Find(&c).Error
		return say(c[0].Parent == nil, c[1].Name, c[1].Parent.Name), err
	}, say(true, secret(2), secret(1)), ""},
	{"Joins nested", func(db q) (any, error) {
		var c Clinic
		err := db.Joins("Parent").Joins("Parent.Director").Where("clinics.name = ?", secret(2)).First(&c).Error
		return c.Name + c.Parent.Name + c.Parent.Director.Name, err
	}, secret(2) + secret(1) + secret(1), ""},
	{"Joins by a condition of the joined table", func(db q) (any, error) {
		var c []Clinic
		err := db.InnerJoins("Parent", fresh(db).Where(&Clinic{Name: secret(1)})).Find(&c).Error
		return say(len(c), c[0].Name), err
	}, "1 " + secret(2), ""},
	{"Joins, and a condition on what was joined", func(db q) (any, error) {
		var c []Clinic
		err := db.Joins("Parent").Where(`"Parent"."name" = ? AND clinics.name <> ?`, secret(1), secret(1)).Find(&c).Error
		return say(len(c), c[0].Name), err
	}, "1 " + secret(2), ""},
	{"Joins and Preload of what was joined", func(db q) (any, error) {
		var c Clinic
		err := db.Joins("Parent").Preload("Parent.Rooms").First(&c, 2).Error
		return say(c.Parent.Name, len(c.Parent.Rooms)), err
	}, secret(1) + " 2", ""},
	{"Joins with some columns", func(db q) (any, error) {
		var c Clinic
		err := db.Joins("Parent", fresh(db).Select("id", "name")).First(&c, 2).Error
		return c.Parent.Name, err
	}, secret(1), ""},
	{"Joins by text", func(db q) (any, error) {
		var c []Clinic
		err := db.Distinct("clinics.*").Joins("JOIN rooms r ON r.clinic_id = clinics.id AND r.name IN ?", []string{secret(1), secret(2)}).Find(&c).Error
		return say(len(c), c[0].Name), err
	}, "1 " + secret(1), ""},
	{"Joins the join table", func(db q) (any, error) {
		var c []Clinic
		err := db.Joins("JOIN clinic_partners cp ON cp.clinic_id = clinics.id").Where("cp.terms = ?", secret(7)).Find(&c).Error
		return say(len(c), c[0].Name), err
	}, "1 " + secret(1), ""},
	{"Joins its own table by text, unqualified", func(db q) (any, error) {
		return nil, db.Joins("JOIN rooms r ON r.clinic_id = clinics.id").Where("name = ?", secret(1)).Find(&[]Clinic{}).Error
	}, fieldcrypt.ErrQueryOnCiphertext, ""},
	{"Joins by an unsearchable condition", func(db q) (any, error) {
		return nil, db.Joins("Parent", fresh(db).Where("name > ?", canary)).Find(&[]Clinic{}).Error
	}, fieldcrypt.ErrQueryOnCiphertext, ""},
	{"Joins into maps", func(db q) (any, error) {
		var m []map[string]any
		err := db.Model(&Clinic{}).Joins("Parent").Order("clinics.id").Find(&m).Error
		return say(m[0]["name"], m[1]["Parent__name"]), err
	}, secret(1) + " " + secret(1), ""},
}

var errUndo = errors.New("undo this")

// within are operations in transactions.
var within = []operation{
	{"transaction", func(db q) (any, error) {
		c := Clinic{Name: secret(3)}
		return held(&c, db.Transaction(func(tx q) error {
			return errors.Join(tx.Create(&c).Error, tx.First(&Clinic{}, "name = ?", secret(3)).Error)
		}))
	}, secret(3), "clinics 1 2>1 3"},
	{"transaction that is undone", func(db q) (any, error) {
		return nil, db.Transaction(func(tx q) error {
			return errors.Join(tx.Create(&Clinic{Name: secret(3)}).Error, tx.Model(&Room{ID: 1}).Update("name", secret(9)).Error, errUndo)
		})
	}, errUndo, ""},
	{"savepoint", func(db q) (any, error) {
		tx := db.Begin()
		defer tx.Rollback()
		err := errors.Join(tx.Create(&Clinic{Name: secret(3)}).Error, tx.SavePoint("p").Error, tx.Create(&Clinic{Name: secret(4)}).Error, tx.RollbackTo("p").Error)
		return nil, errors.Join(err, tx.Model(&Room{}).Where("name = ?", secret(1)).Update("name", secret(9)).Error, tx.Commit().Error)
	}, nil, "clinics 1 2>1 3; rooms 9>1 2>1"},
	{"nested transaction that fails", func(db q) (any, error) {
		return nil, db.Transaction(func(tx q) error {
			if err := tx.Transaction(func(tx q) error { return tx.Create(&Clinic{Name: secret(1)}).Error }); err == nil {
				return errors.New("a duplicate was created")
			}
			return tx.Create(&Clinic{Name: secret(3)}).Error
		})
	}, nil, "clinics 1 2>1 3"},
	{"refusal in a transaction", func(db q) (any, error) {
		return nil, db.Transaction(func(tx q) error {
			if err := tx.Where("name LIKE ?", canary).Find(&[]Clinic{}).Error; !errors.Is(err, fieldcrypt.ErrQueryOnCiphertext) {
				return fmt.Errorf("not refused: %w", err)
			}
			return tx.Create(&Clinic{Name: secret(3)}).Error
		})
	}, nil, "clinics 1 2>1 3"},
	{"one connection", func(db q) (any, error) {
		var c Clinic
		return held(&c, db.Connection(func(tx q) error { return tx.First(&c, "name = ?", secret(2)).Error }))
	}, secret(2), ""},
}
