package gorm_test

import (
	"errors"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/fieldcrypt/go/fieldcrypt"
)

func rooms(db q) gorm.Interface[Room] { return gorm.G[Room](db) }

func set(value any) clause.Assignment {
	return clause.Assignment{Column: clause.Column{Name: "name"}, Value: value}
}

// generic are the operations of gorm.G.
var generic = []operation{
	{"generics Create", func(db q) (any, error) {
		r := Room{Name: secret(3)}
		err := rooms(db).Create(ctx, &r)
		return r.Name, err
	}, secret(3), "rooms 1>1 2>1 3"},
	{"generics CreateInBatches", func(db q) (any, error) {
		r := []Room{{Name: secret(3)}, {Name: secret(4)}, {Name: secret(5)}}
		err := rooms(db).CreateInBatches(ctx, &r, 2)
		return r[2].Name, err
	}, secret(5), "rooms 1>1 2>1 3 4 5"},
	{"generics Select and Create", func(db q) (any, error) {
		r := Room{Name: secret(3), Floor: 9}
		err := rooms(db).Select("Name").Create(ctx, &r)
		return r.Name, err
	}, secret(3), "rooms 1>1 2>1 3"},
	{"generics Omit and Create", func(db q) (any, error) {
		r := Room{Name: secret(3), Floor: 9}
		err := rooms(db).Omit("Name").Create(ctx, &r)
		return r.Name, err
	}, secret(3), "rooms 1>1 2>1 -"},
	{"generics Set and Create", func(db q) (any, error) {
		return nil, rooms(db).Set(set(secret(3)), clause.Assignment{Column: clause.Column{Name: "floor"}, Value: 3}).Create(ctx)
	}, nil, "rooms 1>1 2>1 3"},
	{"generics upsert", func(db q) (any, error) {
		r := Room{ID: 1, Name: secret(9)}
		err := gorm.G[Room](db, clause.OnConflict{Columns: byID, DoUpdates: clause.AssignmentColumns([]string{"name"})}).Create(ctx, &r)
		return r.Name, err
	}, secret(9), "rooms 9>1 2>1"},
	{"generics Create with RETURNING and a result", func(db q) (any, error) {
		r, result := Room{Name: secret(3)}, gorm.WithResult()
		err := gorm.G[Room](db, clause.Returning{}, result).Create(ctx, &r)
		return say(r.Name, result.RowsAffected), err
	}, secret(3) + " 1", "rooms 1>1 2>1 3"},
	{"generics First", func(db q) (any, error) {
		r, err := rooms(db).Where("name = ?", secret(2)).First(ctx)
		return r.Name, err
	}, secret(2), ""},
	{"generics Last", func(db q) (any, error) {
		r, err := rooms(db).Where(&Room{Name: secret(1)}).Or("name = ?", secret(2)).Last(ctx)
		return r.Name, err
	}, secret(2), ""},
	{"generics Take", func(db q) (any, error) {
		r, err := rooms(db).Not("name = ?", secret(1)).Take(ctx)
		return r.Name, err
	}, secret(2), ""},
	{"generics Find", func(db q) (any, error) {
		r, err := rooms(db).Where(map[string]any{"name": []string{secret(1), secret(2)}}).Order("floor DESC").Find(ctx)
		return roomNames(r, err)
	}, twoRooms, ""},
	{"generics Select and Find", func(db q) (any, error) {
		r, err := rooms(db).Select("name").Order("id").Find(ctx)
		return roomNames(r, err)
	}, twoRooms, ""},
	{"generics Scopes", func(db q) (any, error) {
		r, err := rooms(db).Scopes(func(s *gorm.Statement) { s.Where("name = ?", secret(2)) }).Find(ctx)
		return roomNames(r, err)
	}, secret(2) + " ", ""},
	{"generics Table", func(db q) (any, error) {
		r, err := rooms(db).Table("rooms AS r").Where("r.name = ?", secret(2)).Find(ctx)
		return roomNames(r, err)
	}, secret(2) + " ", ""},
	{"generics FindInBatches", func(db q) (any, error) {
		s := ""
		err := rooms(db).Where("name <> ?", secret(9)).FindInBatches(ctx, 1, func(r []Room, _ int) error { s += r[0].Name + " "; return nil })
		return s, err
	}, twoRooms, ""},
	{"generics Count", func(db q) (any, error) { return rooms(db).Where("name = ?", secret(1)).Count(ctx, "*") }, int64(1), ""},
	{"generics Count of the column", func(db q) (any, error) { return rooms(db).Where("id > ?", 0).Count(ctx, "name") }, int64(2), ""},
	{"generics Scan into the model", func(db q) (any, error) {
		var r []Room
		err := rooms(db).Where("name = ?", secret(2)).Scan(ctx, &r)
		return roomNames(r, err)
	}, secret(2) + " ", ""},
	{"generics Scan into a marked part", func(db q) (any, error) {
		var r []roomName
		err := rooms(db).Where("id > ?", 0).Order("id").Scan(ctx, &r)
		return r[0].Name + r[1].Name, err
	}, secret(1) + secret(2), ""},
	{"generics Scan into an unmarked part", func(db q) (any, error) {
		var r []plainName
		return r, rooms(db).Where("id > ?", 0).Scan(ctx, &r)
	}, fieldcrypt.ErrNotRegistered, ""},
	{"generics Row", func(db q) (any, error) {
		var s string
		err := rooms(db).Select("name").Row(ctx).Scan(&s)
		return s, err
	}, fieldcrypt.ErrQueryOnCiphertext, ""},
	{"generics Rows", func(db q) (any, error) {
		rows, err := rooms(db).Where("name = ?", secret(2)).Rows(ctx)
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		var r Room
		for rows.Next() {
			err = db.ScanRows(rows, &r)
		}
		return r.Name, errors.Join(err, rows.Err())
	}, secret(2), ""},
	{"generics Update", func(db q) (any, error) {
		return rooms(db).Where("name = ?", secret(1)).Update(ctx, "name", secret(9))
	}, 1, "rooms 9>1 2>1"},
	{"generics Updates", func(db q) (any, error) {
		return rooms(db).Where("name = ?", secret(1)).Updates(ctx, Room{Name: secret(9)})
	}, 1, "rooms 9>1 2>1"},
	{"generics Set and Update", func(db q) (any, error) {
		return rooms(db).Where("name = ?", secret(1)).Set(set(secret(9)), clause.Assignment{Column: clause.Column{Name: "floor"}, Value: 4}).Update(ctx)
	}, 1, "rooms 9>1 2>1"},
	{"generics Set to NULL", func(db q) (any, error) {
		return rooms(db).Where("name = ?", secret(1)).Set(set(nil)).Update(ctx)
	}, 1, "rooms -" + ">1 2>1"},
	{"generics Set to an expression", func(db q) (any, error) {
		return rooms(db).Where("id = ?", 1).Set(set(gorm.Expr("? || 'x'", canary))).Update(ctx)
	}, fieldcrypt.ErrUnsupported, ""},
	{"generics Delete", func(db q) (any, error) { return rooms(db).Where("name = ?", secret(1)).Delete(ctx) }, 1, "rooms 2>1"},
	{"generics Raw", func(db q) (any, error) {
		return rooms(db).Raw("SELECT * FROM rooms WHERE name = ?", secret(1)).Find(ctx)
	}, fieldcrypt.ErrQueryOnCiphertext, ""},
	{"generics Raw that names no encrypted column", func(db q) (any, error) {
		r, err := rooms(db).Raw("SELECT * FROM rooms WHERE floor = ?", 1).Find(ctx)
		return roomNames(r, err)
	}, secret(2) + " ", ""},
	{"generics Exec", func(db q) (any, error) {
		return nil, rooms(db).Exec(ctx, "UPDATE rooms SET name = ?", secret(9))
	}, fieldcrypt.ErrQueryOnCiphertext, ""},
	{"generics Order", func(db q) (any, error) { return rooms(db).Order("name").Find(ctx) }, fieldcrypt.ErrQueryOnCiphertext, ""},
	{"generics Group", func(db q) (any, error) { return rooms(db).Select("name").Group("name").Find(ctx) }, fieldcrypt.ErrQueryOnCiphertext, ""},
	{"generics Distinct", func(db q) (any, error) { return rooms(db).Distinct("name").Find(ctx) }, fieldcrypt.ErrQueryOnCiphertext, ""},
	{"generics MapColumns", func(db q) (any, error) {
		return rooms(db).MapColumns(map[string]string{"name": "floor"}).Find(ctx)
	}, fieldcrypt.ErrQueryOnCiphertext, ""},
}

func preload(relation string, by func(db gorm.PreloadBuilder)) func(db q) (any, error) {
	return func(db q) (any, error) {
		c, err := gorm.G[Clinic](db).Preload(relation, func(db gorm.PreloadBuilder) error { by(db); return nil }).Where("id = ?", 1).Find(ctx)
		if err != nil {
			return nil, err
		}
		return roomNames(c[0].Rooms, nil)
	}
}

func join(target clause.JoinTarget, on func(db gorm.JoinBuilder)) func(db q) (any, error) {
	return func(db q) (any, error) {
		c, err := gorm.G[Clinic](db).Joins(target, func(db gorm.JoinBuilder, _, _ clause.Table) error { on(db); return nil }).Where("clinics.id > ?", 0).Order("clinics.id").Find(ctx)
		s := say(len(c))
		for _, c := range c {
			if s += " " + c.Name; c.Parent != nil {
				s += ">" + c.Parent.Name
			}
		}
		return s, err
	}
}

func associate(a clause.Association) func(db q) (any, error) {
	return func(db q) (any, error) {
		_, err := gorm.G[Clinic](db).Where("name = ?", secret(1)).Set(a).Update(ctx)
		return nil, err
	}
}

func called(name string) []clause.Expression {
	return []clause.Expression{clause.Eq{Column: "name", Value: name}}
}

// genericRelated are the operations of gorm.G on relations.
var genericRelated = []operation{
	{"generics Preload", preload("Rooms", func(db gorm.PreloadBuilder) { db.Where("name = ?", secret(2)) }), secret(2) + " ", ""},
	{"generics Preload, LimitPerRecord", preload("Rooms", func(db gorm.PreloadBuilder) { db.Order("floor").LimitPerRecord(1) }), secret(2) + " ", ""},
	{"generics Preload, LimitPerRecord with columns", preload("Rooms", func(db gorm.PreloadBuilder) {
		db.Select("id", "name", "clinic_id").Where("name <> ?", secret(2)).LimitPerRecord(1)
	}), secret(1) + " ", ""},
	{"generics Preload, LimitPerRecord in a sealed order", preload("Rooms", func(db gorm.PreloadBuilder) { db.Order("name").LimitPerRecord(1) }), fieldcrypt.ErrQueryOnCiphertext, ""},
	{"generics Preload, LimitPerRecord in a sealed order by column", preload("Rooms", func(db gorm.PreloadBuilder) {
		db.Order(clause.OrderByColumn{Column: clause.Column{Name: "name"}, Desc: true}).LimitPerRecord(1)
	}), fieldcrypt.ErrQueryOnCiphertext, ""},
	{"generics Preload, LimitPerRecord in the order of an expression", preload("Rooms", func(db gorm.PreloadBuilder) {
		db.Order(clause.OrderBy{Expression: clause.Expr{SQL: "CASE WHEN name = ? THEN 0 ELSE 1 END", Vars: []any{canary}}}).LimitPerRecord(1)
	}), fieldcrypt.ErrQueryOnCiphertext, ""},
	{"generics Preload in a sealed order", preload("Rooms", func(db gorm.PreloadBuilder) { db.Order("name") }), fieldcrypt.ErrQueryOnCiphertext, ""},
	{"generics Joins", join(clause.InnerJoin.Association("Parent"), func(db gorm.JoinBuilder) { db.Where("\"Parent\".name = ?", secret(1)) }), "1 " + secret(2) + ">" + secret(1), ""},
	{"generics Joins by a struct", join(clause.Has("Parent"), func(db gorm.JoinBuilder) { db.Where(&Clinic{Name: secret(1)}) }), "1 " + secret(2) + ">" + secret(1), ""},
	{"generics Joins a sub-query", func(db q) (any, error) {
		parents := gorm.G[Clinic](fresh(db)).Where("name = ?", secret(1))
		return join(clause.InnerJoin.AssociationFrom("Parent", parents), func(db gorm.JoinBuilder) { db.Where(`"Parent".id = clinics.parent_id`) })(db)
	}, "1 " + secret(2) + ">" + secret(1), ""},
	{"generics Joins a sub-query of one column", func(db q) (any, error) {
		parents := gorm.G[Clinic](fresh(db)).Select("name").Where("name = ?", secret(1))
		return join(clause.InnerJoin.AssociationFrom("Parent", parents), func(db gorm.JoinBuilder) { db.Where(`"Parent".id = clinics.parent_id`) })(db)
	}, fieldcrypt.ErrQueryOnCiphertext, ""},
	{"generics sub-query", func(db q) (any, error) {
		r, err := rooms(db).Where("clinic_id IN (?)", gorm.G[Clinic](fresh(db)).Select("id").Where("name = ?", secret(1))).Order("id").Find(ctx)
		return roomNames(r, err)
	}, twoRooms, ""},
	{"generics sub-query of rows", func(db q) (any, error) {
		r, err := rooms(db).Where("EXISTS (?)", gorm.G[Clinic](fresh(db)).Where("name = ?", secret(1))).Order("id").Find(ctx)
		return roomNames(r, err)
	}, twoRooms, ""},
	{"generics sub-query that cannot be searched", func(db q) (any, error) {
		return rooms(db).Where("EXISTS (?)", gorm.G[Clinic](fresh(db)).Where("name LIKE ?", canary)).Find(ctx)
	}, fieldcrypt.ErrQueryOnCiphertext, ""},
	{"generics sub-query that selects the column", func(db q) (any, error) {
		return rooms(db).Where("floor IN (?)", gorm.G[Clinic](fresh(db)).Select("name").Where("beds = ?", 1)).Find(ctx)
	}, fieldcrypt.ErrQueryOnCiphertext, ""},
	{"generics Joins by an unsearchable condition", join(clause.Has("Parent"), func(db gorm.JoinBuilder) { db.Where("name LIKE ?", canary) }), fieldcrypt.ErrQueryOnCiphertext, ""},
	{"generics association Create by values", associate(clause.Association{Association: "Rooms", Type: clause.OpCreate, Values: []any{&Room{Name: secret(3)}}}),
		nil, "rooms 1>1 2>1 3>1"},
	{"generics association Create by assignments", associate(clause.Association{Association: "Rooms", Type: clause.OpCreate, Set: []clause.Assignment{set(secret(3))}}),
		nil, "rooms 1>1 2>1 3>1"},
	{"generics association Update", associate(clause.Association{Association: "Rooms", Type: clause.OpUpdate, Conditions: called(secret(1)), Set: []clause.Assignment{set(secret(9))}}),
		nil, "rooms 9>1 2>1"},
	{"generics association Unlink", associate(clause.Association{Association: "Rooms", Type: clause.OpUnlink, Conditions: called(secret(1))}), nil, "rooms 1 2>1"},
	{"generics association Delete", associate(clause.Association{Association: "Rooms", Type: clause.OpDelete, Conditions: called(secret(1))}), nil, "rooms 2>1"},
	{"generics many2many Update", associate(clause.Association{Association: "Partners", Type: clause.OpUpdate, Conditions: called(secret(2)), Set: []clause.Assignment{set(secret(9))}}),
		nil, "partners 1 9"},
	{"generics many2many Unlink", associate(clause.Association{Association: "Partners", Type: clause.OpUnlink, Conditions: called(secret(2))}), nil, "terms -@1-1 -@2-1"},
}
