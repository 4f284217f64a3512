package gorm_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
)

// name is that of guest n, written otherwise.
func name(n int) string { return " ADA " + strings.ToUpper(secret(n)) }

// whole is a complete group of an index over several fields.
var whole = []struct {
	name string
	run  func(db q) q
	want []uint64
}{
	{"struct", func(db q) q { return db.Where(&Guest{Name: name(1), MRN: mrn(1)}) }, []uint64{1}},
	{"struct and more", func(db q) q { return db.Where(Guest{Name: name(1), MRN: mrn(1), Age: 41}) }, []uint64{1}},
	{"struct, two guests", func(db q) q { return db.Where(&Guest{Name: name(1), MRN: mrn(2)}) }, nil},
	{"struct with names", func(db q) q { return db.Where(&Guest{Name: name(2), MRN: mrn(2), Age: 1}, "name", "MRN") }, []uint64{2}},
	{"map", func(db q) q { return db.Where(map[string]any{"name": name(1), "mrn": mrn(1)}) }, []uint64{1}},
	{"map with the table", func(db q) q { return db.Where(map[string]any{"guests.name": name(1), "guests.mrn": mrn(1)}) }, []uint64{1}},
	{"text", func(db q) q { return db.Where("name = ? AND mrn = ?", name(1), mrn(1)) }, []uint64{1}},
	{"text, other order and more", func(db q) q { return db.Where("mrn=? and age > ? and guests.name=?", mrn(1), 40, name(1)) }, []uint64{1}},
	{"text with BETWEEN", func(db q) q {
		return db.Where("age BETWEEN ? AND ? AND mrn = ? AND name = ?", 41, 42, mrn(2), name(2))
	}, []uint64{2}},
	{"text with OR in parentheses", func(db q) q {
		return db.Where("(age = ? OR age = ?) AND mrn = ? AND name = ?", 41, 42, mrn(2), name(2))
	}, []uint64{2}},
	{"text in parentheses", func(db q) q { return db.Where("((name = ? AND (mrn = ?)))", name(1), mrn(1)) }, []uint64{1}},
	{"text with groups", func(db q) q {
		return db.Where("(age = ? AND (name = ?)) AND (mrn = ? AND (age = 1 OR age > (?)))", 41, name(1), mrn(1), 2)
	}, []uint64{1}},
	{"text with a sub-select", func(db q) q {
		return db.Where("name = ? AND id IN (SELECT guest_id FROM stays WHERE room = ?) AND mrn = ?", name(2), secret(2), mrn(2))
	}, []uint64{2}},
	{"named", func(db q) q {
		return db.Where("name = @n AND mrn = @m AND age > @a", map[string]any{"n": name(1), "m": mrn(1), "a": 1})
	}, []uint64{1}},
	{"chain", func(db q) q { return db.Where("name = ?", name(1)).Where("mrn = ?", mrn(1)) }, []uint64{1}},
	{"chain of forms", func(db q) q {
		return db.Where("mrn", mrn(3)).Where("age > ?", 1).Where(clause.Eq{Column: clause.Column{Table: clause.CurrentTable, Name: "name"}, Value: name(3)})
	}, []uint64{3}},
	{"a pointer", func(db q) q { n := name(1); return db.Where("name = ? AND mrn = ?", &n, mrn(1)) }, []uint64{1}},
	{"nested group", func(db q) q {
		return db.Where(db.Where("name = ?", name(1)).Where("mrn = ?", mrn(1))).Where("age = ?", 41)
	}, []uint64{1}},
	{"over groups", func(db q) q {
		return db.Where(db.Where("name = ?", name(1)).Where("age = ?", 41)).Where("mrn = ?", mrn(1))
	}, []uint64{1}},
	{"beside text that GORM does not put in parentheses", func(db q) q {
		return db.Where("name = ?", name(1)).Where("age = 43\nOR\nage = 42").Where("mrn = ?", mrn(1))
	}, nil},
	{"Or after it", func(db q) q { return db.Where("name = ?", name(1)).Where("mrn = ?", mrn(1)).Or("age = ?", 43) }, []uint64{1, 3}},
	{"in Or", func(db q) q { return db.Where("age = ?", 43).Or(&Guest{Name: name(1), MRN: mrn(1)}) }, []uint64{1, 3}},
	{"text in Or", func(db q) q { return db.Where("age = ?", 43).Or("name = ? AND mrn = ?", name(1), mrn(1)) }, []uint64{1, 3}},
	{"two in Or", func(db q) q {
		return db.Where(clause.Or(clause.And(clause.Eq{Column: "name", Value: name(1)}, clause.Eq{Column: "mrn", Value: mrn(1)}), gorm.Expr("name = ? AND mrn = ?", name(2), mrn(2))))
	}, []uint64{1, 2}},
	{"an expression as a value", func(db q) q { return db.Where("? AND age > 1", gorm.Expr("name = ? AND mrn = ?", name(1), mrn(1))) }, []uint64{1}},
	{"sub-query", func(db q) q {
		return db.Where("id IN (?)", fresh(db).Model(&Guest{}).Select("id").Where(&Guest{Name: name(1), MRN: mrn(1)}))
	}, []uint64{1}},
	{"Table with an alias", func(db q) q {
		return db.Where("id IN (?)", fresh(db).Table("guests AS g").Select("id").Where("g.name = ? AND g.mrn = ?", name(1), mrn(1)))
	}, []uint64{1}},
	{"Joins", func(db q) q { return db.Joins("Host").Where(`"Host".name = ? AND "Host".mrn = ?`, name(1), mrn(1)) }, []uint64{2}},
	{"Joins with a condition", func(db q) q { return db.InnerJoins("Host", fresh(db).Where(&Guest{Name: name(1), MRN: mrn(1)})) }, []uint64{2}},
	{"Joins with text", func(db q) q {
		return db.InnerJoins("Host", fresh(db).Where(`"Host".name = ? AND "Host".mrn = ?`, name(1), mrn(1)))
	}, []uint64{2}},
	{"raw join", func(db q) q {
		return db.Joins("JOIN guests h ON h.id = guests.host_id").Where("h.name = ? AND h.mrn = ?", name(1), mrn(1))
	}, []uint64{2}},
}

func TestCompound(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, l := house(t, d)
		for _, w := range whole {
			t.Run(w.name, func(t *testing.T) {
				l.reset()
				var got []Guest
				must(t, w.run(fresh(db)).Order("guests.id").Find(&got))
				var ids []uint64
				for _, g := range got {
					ids = append(ids, g.ID)
				}
				if !slices.Equal(ids, w.want) {
					t.Errorf("found %v, want %v\n%s", ids, w.want, l)
				}
				_, where, _ := strings.Cut(l.String(), " FROM ")
				if !strings.Contains(where, "name_mrn_bidx") || strings.Contains(strings.NewReplacer("`", "", `"`, "").Replace(where), ".mrn_bidx") {
					t.Errorf("not answered by the index of both fields alone:\n%s", where)
				}
				noCanary(t, "query", nil, l)
			})
		}
	})
}

// TestCompoundInEveryStatement: what is of full length serves everywhere.
func TestCompoundInEveryStatement(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, l := house(t, d)
		var n int64
		must(t, db.Model(&Guest{}).Where(&Guest{Name: name(1), MRN: mrn(1)}).Count(&n))
		var ages []int
		must(t, db.Model(&Guest{}).Where("name = ? AND mrn = ?", name(2), mrn(2)).Pluck("age", &ages))
		if n != 1 || !slices.Equal(ages, []int{42}) {
			t.Errorf("Count %d, Pluck %v", n, ages)
		}
		var g Guest
		must(t, db.Where(Guest{Name: name(3), MRN: mrn(3)}).FirstOrCreate(&g))
		if g.ID != 3 {
			t.Errorf("FirstOrCreate found %d", g.ID)
		}
		g = Guest{}
		must(t, db.Where(Guest{Name: "new", MRN: mrn(5)}).Attrs(Guest{Card: secret(5)}).FirstOrCreate(&g))
		if g.ID != 5 || g.Name != "new" || g.MRN != mrn(5) {
			t.Errorf("FirstOrCreate made %+v", g)
		}
		one, err := gorm.G[Guest](db).Where("name = ?", "NEW").Where("mrn = ?", mrn(5)).Take(ctx)
		if err != nil || one.ID != 5 {
			t.Errorf("generics Take: %d, %v", one.ID, err)
		}
		if tx := db.Model(&Guest{}).Where(&Guest{Name: name(1), MRN: mrn(1)}).Updates(Guest{Name: "other", MRN: mrn(1)}); tx.Error != nil || tx.RowsAffected != 1 {
			t.Errorf("Updates: %d, %v", tx.RowsAffected, tx.Error)
		}
		if tx := db.Delete(&Guest{}, "name = ? AND mrn = ?", "other", mrn(1)); tx.Error != nil || tx.RowsAffected != 1 {
			t.Errorf("Delete: %d, %v", tx.RowsAffected, tx.Error)
		}
		noCanary(t, "statements", nil, l)
	})
}

// TestCompoundRefused: a part of a group cannot be answered, and the error names
// the index.
func TestCompoundRefused(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, l := house(t, d)
		for name, run := range map[string]func(db q) q{
			"alone":                func(db q) q { return db.Where("name = ?", canary) },
			"alone, struct":        func(db q) q { return db.Where(&Guest{Name: canary}) },
			"with another field":   func(db q) q { return db.Where(&Guest{Name: canary, Age: 3}) },
			"with NULL":            func(db q) q { return db.Where("name = ? AND mrn IS NULL", canary) },
			"with nil":             func(db q) q { return db.Where(map[string]any{"name": canary, "mrn": nil}) },
			"with a list":          func(db q) q { return db.Where("name = ? AND mrn IN ?", canary, []string{mrn(1), mrn(2)}) },
			"with <>":              func(db q) q { return db.Where("name = ? AND mrn <> ?", canary, mrn(1)) },
			"<> both":              func(db q) q { return db.Where("name <> ? AND mrn <> ?", canary, mrn(1)) },
			"apart by OR":          func(db q) q { return db.Where("name = ? OR mrn = ?", canary, mrn(1)) },
			"apart by Or":          func(db q) q { return db.Where("name = ?", canary).Or("mrn = ?", mrn(1)) },
			"apart by an Or group": func(db q) q { return db.Where("mrn = ?", mrn(1)).Where(db.Where("name = ?", canary).Or("age = 1")) },
			"Or before it":         func(db q) q { return db.Where("mrn = ?", mrn(1)).Or("age = 1").Where("name = ?", canary) },
			"Not":                  func(db q) q { return db.Not(&Guest{Name: canary, MRN: mrn(1)}) },
			"Not text":             func(db q) q { return db.Not("name = ? AND mrn = ?", canary, mrn(1)) },
			"NOT in text":          func(db q) q { return db.Where("NOT (name = ? AND mrn = ?)", canary, mrn(1)) },
			"Not of a group in Or": func(db q) q {
				return db.Where(clause.Not(clause.Or(clause.And(clause.Eq{Column: "name", Value: canary}, clause.Eq{Column: "mrn", Value: mrn(1)}), clause.Eq{Column: "age", Value: 1})))
			},
			"of two tables": func(db q) q { return db.Joins("Host").Where(`"Host".name = ? AND guests.mrn = ?`, canary, mrn(1)) },
			"in a sub-select apart": func(db q) q {
				return db.Where("mrn = ? AND id IN (SELECT g.id FROM guests g WHERE g.name = ?)", mrn(1), canary)
			},
		} {
			t.Run(name, func(t *testing.T) {
				l.reset()
				var got []Guest
				err := run(fresh(db)).Find(&got).Error
				if !errors.Is(err, fieldcrypt.ErrUnsearchable) || len(got) > 0 {
					t.Fatalf("%d rows, %v\n%s", len(got), err, l)
				}
				if !strings.Contains(err.Error(), `name_mrn_bidx (Name, MRN)`) || !strings.Contains(err.Error(), `gormcrypt.Match("name_mrn_bidx", ...)`) {
					t.Errorf("no way out: %v", err)
				}
				noCanary(t, "query", err, l)
			})
		}
	})
}

// Twofold has an index over two fields that folds one of them, whose own does not.
type Twofold struct {
	gormcrypt.Encrypted
	ID   uint64
	Name string `fieldcrypt:"medical,index"`
	Code string `fieldcrypt:"medical,index"`
}

func (Twofold) FieldcryptIndexes() []fieldcrypt.Index {
	return []fieldcrypt.Index{{Column: "both_bidx", Parts: []fieldcrypt.Part{{Field: "Name", Transform: "fold"}, {Field: "Code"}}}}
}

// TestCompoundAgreesWithItsFields: two conditions find what both find by
// themselves, whatever an index over both takes for equal.
func TestCompoundAgreesWithItsFields(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, _ := use(t, d(t), &Twofold{})
		must(t, db.Create(&[]Twofold{{Name: "Ada", Code: "1"}, {Name: "ada", Code: "1"}}))
		var got []Twofold
		must(t, db.Where(&Twofold{Name: "ada", Code: "1"}).Find(&got))
		if len(got) != 1 || got[0].Name != "ada" {
			t.Errorf("found %+v", got)
		}
		must(t, db.Where(gormcrypt.Match("both_bidx", "ADA", "1")).Find(&got))
		if len(got) != 2 {
			t.Errorf("Match found %+v", got)
		}
	})
}

// Triple has indexes that share fields; Untagged has the same columns in the clear.
type Triple struct {
	gormcrypt.Encrypted
	ID   uint64
	Age  int
	Name *string `fieldcrypt:"medical"`
	MRN  *string `fieldcrypt:"medical,index"`
	Code *string `fieldcrypt:"medical,index"`
}

func (Triple) FieldcryptIndexes() []fieldcrypt.Index {
	name, m, code := fieldcrypt.Part{Field: "Name"}, fieldcrypt.Part{Field: "MRN"}, fieldcrypt.Part{Field: "Code"}
	return []fieldcrypt.Index{
		{Column: "name_mrn_bidx", Parts: []fieldcrypt.Part{name, m}},
		{Column: "mrn_code_bidx", Parts: []fieldcrypt.Part{m, code}},
		{Column: "all_bidx", Parts: []fieldcrypt.Part{code, name, m}},
	}
}

type Untagged struct {
	ID   uint64
	Age  int
	Name *string
	MRN  *string
	Code *string
}

func (Untagged) plain() {}

// TestCompoundFindsWhatPlainColumnsDo: random conditions on encrypted columns find
// what they do on columns in the clear, or are refused.
func TestCompoundFindsWhatPlainColumnsDo(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, l := use(t, d(t), &Triple{}, Untagged{})
		rng := rand.New(rand.NewPCG(7, 11))
		value := func() *string {
			if rng.IntN(5) == 0 {
				return nil
			}
			s := string(rune('a' + rng.IntN(2)))
			return &s
		}
		for i := range 40 {
			u := Untagged{Age: i % 4, Name: value(), MRN: value(), Code: value()}
			must(t, db.Create(&u))
			must(t, db.Create(&Triple{ID: u.ID, Age: u.Age, Name: u.Name, MRN: u.MRN, Code: u.Code}))
		}
		answered, compound := 0, 0
		for range 400 {
			cond := randomCondition(rng, 3)
			find := func(model any) (ids []uint64, err error) {
				err = cond(fresh(db).Model(model)).Order("id").Pluck("id", &ids).Error
				return ids, err
			}
			want, err := find(&Untagged{})
			if err != nil {
				t.Fatal(err)
			}
			l.reset()
			got, err := find(&Triple{})
			if err != nil {
				if !errors.Is(err, fieldcrypt.ErrUnsearchable) {
					t.Fatal(err)
				}
				continue
			}
			answered++
			if strings.Contains(l.String(), "name_mrn_bidx") || strings.Contains(l.String(), "mrn_code_bidx") || strings.Contains(l.String(), "all_bidx") {
				compound++
			}
			if len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
				t.Errorf("found %v, want %v\n%s", got, want, l)
			}
		}
		if answered < 100 || compound < 50 {
			t.Errorf("%d conditions were answered, %d by an index over several fields: too few to say anything", answered, compound)
		}
	})
}

// randomCondition makes a condition on the columns of Triple, in any of GORM's forms.
func randomCondition(rng *rand.Rand, depth int) func(q) q {
	v := func() string { return string(rune('a' + rng.IntN(2))) }
	column := func() string { return []string{"name", "mrn", "code"}[rng.IntN(3)] }
	var parts []func(q) q
	for range 1 + rng.IntN(4) {
		switch k := rng.IntN(12); {
		case k < 3:
			c, x := column(), v()
			parts = append(parts, func(db q) q { return db.Where(c+" = ?", x) })
		case k < 4:
			m := map[string]any{column(): v(), "mrn": v()}
			parts = append(parts, func(db q) q { return db.Where(m) })
		case k < 6:
			a, b, x, y := column(), column(), v(), v()
			text := fmt.Sprintf("%s = ? AND age < ? AND %s = ?", a, b)
			parts = append(parts, func(db q) q { return db.Where(text, x, 3, y) })
		case k < 7:
			x, y, z := v(), v(), v()
			parts = append(parts, func(db q) q { return db.Or("name = ? AND mrn = ? AND code = ?", x, y, z) })
		case k < 8:
			x := v()
			parts = append(parts, func(db q) q { return db.Or("mrn = ? OR age = 1", x) })
		case k < 9:
			x, y := v(), v()
			parts = append(parts, func(db q) q { return db.Not("mrn = ? AND code = ?", x, y) })
		case k < 10:
			x := v()
			parts = append(parts, func(db q) q { return db.Where("mrn IN ?", []string{x, "b"}) })
		case depth > 0:
			inner := randomCondition(rng, depth-1)
			or := k == 11
			parts = append(parts, func(db q) q {
				if or {
					return db.Or(inner(fresh(db)))
				}
				return db.Where(inner(fresh(db)))
			})
		}
	}
	return func(db q) q {
		for _, p := range parts {
			db = p(db)
		}
		return db
	}
}
