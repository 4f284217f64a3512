package gorm_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
)

// TestTerms: the terms find the same rows in hand-written SQL as conditions do.
func TestTerms(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, l := house(t, d)
		for _, c := range []struct {
			name, column string
			values       []any
			want         []uint64
		}{
			{"mrn", "mrn_bidx", []any{mrn(1)}, []uint64{1}},
			{"MRN", "mrn_bidx", []any{mrn(2)}, []uint64{2}},
			{"mrn_bidx", "mrn_bidx", []any{mrn(3)}, []uint64{3}},
			{"MRN_BIDX", "mrn_bidx", []any{mrn(3)}, []uint64{3}},
			{"Card", "card_bidx", []any{"73917391-4242"}, []uint64{2}},
			{"card_last4_bidx", "card_last4_bidx", []any{"4242"}, []uint64{2}},
			{"name_mrn_bidx", "name_mrn_bidx", []any{name(1), mrn(1)}, []uint64{1}},
			{"name_mrn_bidx", "name_mrn_bidx", []any{name(1), mrn(2)}, nil},
		} {
			terms, err := gormcrypt.Terms(db, &Guest{}, c.name, c.values...)
			if err != nil || len(terms) != 1 {
				t.Errorf("%s: %d terms, %v", c.name, len(terms), err)
				continue
			}
			var got []Guest
			must(t, gormcrypt.AllowRaw(db).Raw("SELECT * FROM guests WHERE "+c.column+" IN ? ORDER BY id", terms).Scan(&got))
			var ids []uint64
			for _, g := range got {
				if ids = append(ids, g.ID); g.MRN != mrn(int(g.ID)) {
					t.Errorf("%s: %d came back as %q", c.name, g.ID, g.MRN)
				}
			}
			if !slices.Equal(ids, c.want) {
				t.Errorf("%s found %v, want %v", c.name, ids, c.want)
			}
			if tx := gormcrypt.AllowRaw(db).Exec("UPDATE guests SET age = age WHERE "+c.column+" IN ?", terms); tx.Error != nil || tx.RowsAffected != int64(len(c.want)) {
				t.Errorf("%s: Exec changed %d: %v", c.name, tx.RowsAffected, tx.Error)
			}
		}
		if terms, err := gormcrypt.Terms(db, []Patient{}, "Contact.Phone", "7391 7391"); err != nil || len(terms) != 1 {
			t.Errorf("by a selector: %d, %v", len(terms), err)
		}
		noCanary(t, "terms", nil, l)
	})
}

func TestTermsRefused(t *testing.T) {
	db, l := use(t, sqliteFile(t), &Guest{}, &Stay{}, &Club{}, &Member{}, &Fee{})
	bare, _ := open(t, sqliteFile(t), gorm.Config{})
	for name, c := range map[string]struct {
		db     q
		model  any
		index  string
		values []any
		want   error
	}{
		"unknown":             {db, &Guest{}, "nobody", []any{canary}, fieldcrypt.ErrUnsearchable},
		"exchanged":           {db, &Guest{}, canary, []any{"mrn"}, fieldcrypt.ErrUnsearchable},
		"a plain column":      {db, &Guest{}, "age", []any{canary}, fieldcrypt.ErrUnsearchable},
		"no index of its own": {db, &Guest{}, "name", []any{canary}, fieldcrypt.ErrUnsearchable},
		"a truncated one":     {db, &Member{}, "card", []any{canary}, fieldcrypt.ErrUnsearchable},
		"no value":            {db, &Guest{}, "mrn", nil, fieldcrypt.ErrUnsearchable},
		"too many":            {db, &Guest{}, "mrn", []any{canary, canary}, fieldcrypt.ErrUnsearchable},
		"nil":                 {db, &Guest{}, "mrn", []any{nil}, fieldcrypt.ErrUnsearchable},
		"nothing left":        {db, &Guest{}, "card", []any{"n/a"}, fieldcrypt.ErrUnsearchable},
		"a wrong type":        {db, &Guest{}, "mrn", []any{struct{ s string }{canary}}, fieldcrypt.ErrWrongType},
		"an expression":       {db, &Guest{}, "mrn", []any{gorm.Expr("lower(?)", canary)}, fieldcrypt.ErrQueryOnCiphertext},
		"a plain model":       {db, &Label{}, "name", []any{canary}, fieldcrypt.ErrNotRegistered},
		"no plugin":           {bare, &Guest{}, "mrn", []any{canary}, fieldcrypt.ErrNotRegistered},
	} {
		terms, err := gormcrypt.Terms(c.db, c.model, c.index, c.values...)
		if !errors.Is(err, c.want) || terms != nil {
			t.Errorf("%s: %d terms, %v", name, len(terms), err)
		}
		if e := (*fieldcrypt.Error)(nil); !errors.As(err, &e) {
			t.Errorf("%s: %T", name, err)
		}
		noCanary(t, name, err, l)
	}
	if terms, err := gormcrypt.Terms(db, &Member{}, "card_bidx", "7391 7"); err != nil || len(terms) != 1 || len(terms[0]) != 5 {
		t.Errorf("a truncated one by its column: %x, %v", terms, err)
	}
}

// TestTermsUseTheContext of the DB that they are asked of.
func TestTermsUseTheContext(t *testing.T) {
	db, keys, kek := oneConnection(t, sqliteFile, gorm.Config{})
	must(t, db.Create(&Doctor{Email: "who"}))
	release := kek.Block()
	defer release()
	evict(keys)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := gormcrypt.Terms(db.WithContext(ctx), &Doctor{}, "email", "who"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// TestRawIsRefusedWithoutAllowRaw: hand-written SQL that names an encrypted column
// is refused unless it is allowed, and the error names the way out.
func TestRawIsRefusedWithoutAllowRaw(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, _ := house(t, d)
		terms, err := gormcrypt.Terms(db, &Guest{}, "mrn", mrn(1))
		if err != nil {
			t.Fatal(err)
		}
		for name, run := range map[string]func(db q) q{
			"Exec":       func(db q) q { return db.Exec("UPDATE guests SET name = NULL WHERE mrn_bidx IN ?", terms) },
			"Raw Scan":   func(db q) q { return db.Raw("SELECT id, mrn FROM guests WHERE mrn_bidx IN ?", terms).Scan(&[]Guest{}) },
			"Raw, no *":  func(db q) q { return db.Raw("SELECT name FROM guests").Scan(&[]Guest{}) },
			"Raw a star": func(db q) q { return db.Raw("SELECT * FROM guests").Scan(&[]Guest{}) },
		} {
			err := run(fresh(db)).Error
			if e := (*fieldcrypt.Error)(nil); !errors.Is(err, fieldcrypt.ErrQueryOnCiphertext) || !errors.As(err, &e) || e.Hint == "" {
				t.Errorf("%s: %v", name, err)
			}
			if err := run(gormcrypt.AllowRaw(fresh(db))).Error; err != nil {
				t.Errorf("%s, allowed: %v", name, err)
			}
		}
	})
}

// An index column is compared with terms, or not at all: a value would find
// nothing and be logged.
func TestIndexColumnsAreComparedWithTermsOnly(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, l := practice(t, d, gorm.Config{})
		seed(t, db)
		l.reset()
		value := secret(1)
		for what, tx := range map[string]*gorm.DB{
			"text":      db.Where("mrn_bidx = ?", value),
			"qualified": db.Where("patients.mrn_bidx <> ?", value),
			"IN":        db.Where("mrn_bidx IN ?", []string{value}),
			"IN, apart": db.Where("mrn_bidx IN (?, ?)", value, value),
			"a map":     db.Where(map[string]any{"mrn_bidx": value}),
			"a list":    db.Where(map[string]any{"mrn_bidx": []string{value}}),
			"Eq":        db.Where(clause.Eq{Column: "mrn_bidx", Value: value}),
			"Not":       db.Not("mrn_bidx = ?", value),
			"LIKE":      db.Where("mrn_bidx LIKE ?", value),
			"a literal": db.Where("mrn_bidx = 'x'"),
			"named":     db.Where("mrn_bidx = @v", map[string]any{"v": value}),
		} {
			isRefused(t, what, tx.Find(&[]Patient{}).Error, fieldcrypt.ErrUnsearchable)
		}
		if leak(l.String()) != "" {
			t.Error("a value was logged")
		}
		terms, err := gormcrypt.Terms(db, &Patient{}, "mrn", patient(2).MRN)
		if err != nil {
			t.Fatal(err)
		}
		for what, tx := range map[string]*gorm.DB{
			"terms":    db.Where("mrn_bidx IN ?", terms),
			"a term":   db.Where("mrn_bidx = ?", terms[0]),
			"a map":    db.Where(map[string]any{"mrn_bidx": terms}),
			"NOT NULL": db.Where("mrn_bidx IS NOT NULL AND mrn_bidx IN ?", terms),
		} {
			var got []Patient
			if err := tx.Find(&got).Error; err != nil || len(got) != 1 || got[0].MRN != patient(2).MRN {
				t.Errorf("%s: %d rows, %v", what, len(got), err)
			}
		}
	})
}
