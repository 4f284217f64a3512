package gorm_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/fieldcrypt/go/drivers/drivertest"
	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
)

// Guest has indexes that only their names lead to, and one over two fields of
// which one has no index for itself.
type Guest struct {
	gormcrypt.Encrypted
	ID      uint64
	Age     int
	Name    string  `fieldcrypt:"medical"`
	MRN     string  `fieldcrypt:"medical,index"`
	Email   *string `fieldcrypt:"medical,index"`
	Card    string  `fieldcrypt:"finance,index=digits"`
	HostID  *uint64
	Host    *Guest
	Stays   []Stay
	Deleted gorm.DeletedAt
}

func (Guest) FieldcryptIndexes() []fieldcrypt.Index {
	return []fieldcrypt.Index{
		{Column: "card_last4_bidx", Parts: []fieldcrypt.Part{{Field: "Card", Transform: "digits|last(4)"}}},
		{Column: "name_mrn_bidx", Parts: []fieldcrypt.Part{{Field: "Name", Transform: "fold|trim"}, {Field: "MRN"}}},
	}
}

type Stay struct {
	gormcrypt.Encrypted
	ID      uint64
	GuestID uint64
	Room    string `fieldcrypt:"medical,index"`
	Email   string `fieldcrypt:"medical,index"` // a name that guests have too
}

// house: guests 1 to 4; 4 has no email, and a card that digits leave nothing of.
func house(t testing.TB, d dialector) (*gorm.DB, *log) {
	t.Helper()
	db, l := use(t, d(t), &Doctor{}, &Guest{}, &Stay{})
	for n := 1; n <= 4; n++ {
		email := fmt.Sprint(secret(n), "@x")
		g := Guest{Age: 40 + n, Name: "Ada " + secret(n), MRN: mrn(n), Email: &email, Card: fmt.Sprintf("7391-7391 424%d", n)}
		g.Stays = []Stay{{Room: secret(n), Email: email}, {Room: "all", Email: "s"}}
		switch n {
		case 2:
			host := uint64(1)
			g.HostID = &host
		case 4:
			g.Email, g.Card = nil, "n/a"
		}
		must(t, db.Omit("Host").Create(&g))
	}
	must(t, db.Create(&Doctor{Name: "Who", Email: secret(1)}))
	l.reset()
	return db, l
}

func last4(n int) clause.Expression {
	return gormcrypt.Match("card_last4_bidx", fmt.Sprint("424", n))
}

func nameMRN(n int) clause.Expression {
	return gormcrypt.Match("name_mrn_bidx", "  ADA "+strings.ToUpper(secret(n)), mrn(n))
}

var matches = []struct {
	name string
	run  func(db q) q
	want []uint64
}{
	{"Where", func(db q) q { return db.Where(last4(1)) }, []uint64{1}},
	{"with a transform", func(db q) q { return db.Where(gormcrypt.Match("card_last4_bidx", "99-42 43")) }, []uint64{3}},
	{"the tag's own index", func(db q) q { return db.Where(gormcrypt.Match("mrn_bidx", mrn(2))) }, []uint64{2}},
	{"upper case and quotes", func(db q) q { return db.Where(gormcrypt.Match(`"guests"."MRN_bidx"`, mrn(2))) }, []uint64{2}},
	{"several fields", func(db q) q { return db.Where(nameMRN(3)) }, []uint64{3}},
	{"several fields, one differs", func(db q) q { return db.Where(gormcrypt.Match("name_mrn_bidx", "ada "+secret(3), mrn(2))) }, nil},
	{"a pointer", func(db q) q { v := mrn(2); return db.Where(gormcrypt.Match("mrn_bidx", &v)) }, []uint64{2}},
	{"beside others", func(db q) q { return db.Where("age > ?", 40).Where(last4(1)) }, []uint64{1}},
	{"Or", func(db q) q { return db.Where(last4(1)).Or(nameMRN(2)).Or("mrn = ?", mrn(3)) }, []uint64{1, 2, 3}},
	{"Not", func(db q) q { return db.Not(gormcrypt.Match("mrn_bidx", mrn(1))) }, []uint64{2, 3, 4}},
	{"Not, of an index that is NULL where the transform leaves nothing", func(db q) q { return db.Not(last4(1)) }, []uint64{2, 3, 4}},
	{"Not, of NULL", func(db q) q { return db.Not(gormcrypt.Match("email_bidx", secret(1)+"@x")) }, []uint64{2, 3}},
	{"Not of several fields", func(db q) q { return db.Not(nameMRN(1)) }, []uint64{2, 3, 4}},
	{"Not twice", func(db q) q { return db.Where(clause.Not(clause.Not(last4(1)))) }, []uint64{1}},
	{"NOT of a group", func(db q) q { return db.Not(db.Where(last4(1)).Or("age = ?", 42)) }, []uint64{3, 4}},
	{"clause.Or", func(db q) q {
		return db.Where(clause.Or(last4(1), clause.And(last4(2), clause.Eq{Column: "age", Value: 42})))
	}, []uint64{1, 2}},
	{"Clauses", func(db q) q { return db.Clauses(clause.Where{Exprs: []clause.Expression{last4(2)}}) }, []uint64{2}},
	{"a value of text", func(db q) q { return db.Where("age < ? AND (? OR ?)", 44, last4(1), nameMRN(2)) }, []uint64{1, 2}},
	{"a value of text beside a column", func(db q) q { return db.Where("mrn = ? OR ?", mrn(3), last4(1)) }, []uint64{1, 3}},
	{"NOT in text", func(db q) q { return db.Where("NOT ?", last4(1)) }, []uint64{2, 3, 4}},
	{"NOT in text beside a column", func(db q) q { return db.Where("mrn <> ? AND NOT (?)", mrn(2), last4(1)) }, []uint64{3, 4}},
	{"qualified by the table", func(db q) q { return db.Where(gormcrypt.Match("guests.card_last4_bidx", "4242")) }, []uint64{2}},
	{"sub-query", func(db q) q {
		return db.Where("id IN (?)", fresh(db).Model(&Stay{}).Select("guest_id").Where(gormcrypt.Match("room_bidx", secret(3))))
	}, []uint64{3}},
	{"correlated sub-query", func(db q) q {
		return db.Where("EXISTS (?)", fresh(db).Table("stays AS s").Select("1").Where("s.guest_id = guests.id").Where(gormcrypt.Match("s.room_bidx", "all")).Where(gormcrypt.Match("guests.mrn_bidx", mrn(2))))
	}, []uint64{2}},
	{"sub-select in text", func(db q) q {
		return db.Where("id IN (SELECT s.guest_id FROM stays s WHERE ?)", gormcrypt.Match("s.room_bidx", secret(2)))
	}, []uint64{2}},
	{"sub-select in text, a name of both tables", func(db q) q {
		return db.Where("id IN (SELECT guest_id FROM stays WHERE ?)", gormcrypt.Match("email_bidx", secret(2)+"@x"))
	}, []uint64{2}},
	{"sub-select in text, the table around it", func(db q) q {
		return db.Where("EXISTS (SELECT 1 FROM stays s WHERE s.guest_id = guests.id AND ?)", gormcrypt.Match("guests.email_bidx", secret(2)+"@x"))
	}, []uint64{2}},
	{"raw join", func(db q) q {
		return db.Joins("JOIN stays s ON s.guest_id = guests.id AND ?", gormcrypt.Match("s.room_bidx", secret(1)))
	}, []uint64{1}},
	{"raw join, condition outside", func(db q) q {
		return db.Joins("JOIN stays s ON s.guest_id = guests.id").Where(gormcrypt.Match("s.email_bidx", secret(1)+"@x"))
	}, []uint64{1}},
	{"Joins, condition outside", func(db q) q { return db.Joins("Host").Where(gormcrypt.Match("Host.mrn_bidx", mrn(1))) }, []uint64{2}},
	{"InnerJoins with a condition", func(db q) q { return db.InnerJoins("Host", fresh(db).Where(gormcrypt.Match("Host.mrn_bidx", mrn(1)))) }, []uint64{2}},
	{"InnerJoins with two", func(db q) q {
		return db.InnerJoins("Host", fresh(db).Where(gormcrypt.Match("Host.mrn_bidx", mrn(1))).Where(`"Host"."email" = ?`, secret(1)+"@x").Where("? OR 1 = 0", gormcrypt.Match("Host.card_last4_bidx", "4241")))
	}, []uint64{2}},
	{"InnerJoins, nobody", func(db q) q { return db.InnerJoins("Host", fresh(db).Where(gormcrypt.Match("Host.mrn_bidx", mrn(2)))) }, nil},
	{"InnerJoins, Not", func(db q) q { return db.InnerJoins("Host", fresh(db).Not(gormcrypt.Match("Host.mrn_bidx", mrn(2)))) }, []uint64{2}},
	{"Table with an alias", func(db q) q {
		return db.Where("id IN (?)", fresh(db).Table("guests AS g").Select("g.id").Where(gormcrypt.Match("g.name_mrn_bidx", "ada "+secret(2), mrn(2))))
	}, []uint64{2}},
	{"Having", func(db q) q { return db.Select("guests.*").Group("guests.id").Having(last4(2)) }, []uint64{2}},
	{"Scopes", func(db q) q { return db.Scopes(func(db q) q { return db.Where(last4(2)) }) }, []uint64{2}},
	{"a list of conditions", func(db q) q { return db.Where([]clause.Expression{last4(2), nameMRN(2)}) }, []uint64{2}},
}

func TestMatch(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, l := house(t, d)
		for _, m := range matches {
			t.Run(m.name, func(t *testing.T) {
				l.reset()
				var got []Guest
				must(t, m.run(fresh(db)).Order("guests.id").Find(&got))
				var ids []uint64
				for _, g := range got {
					ids = append(ids, g.ID)
					if g.MRN != mrn(int(g.ID)) {
						t.Errorf("%d came back as %q", g.ID, g.MRN)
					}
				}
				if !slices.Equal(ids, m.want) {
					t.Errorf("found %v, want %v\n%s", ids, m.want, l)
				}
				noCanary(t, "query", nil, l)
			})
		}
	})
}

// TestMatchInEveryStatement: the other statements that take conditions.
func TestMatchInEveryStatement(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, l := house(t, d)
		var g Guest
		must(t, db.First(&g, last4(2)))
		if g.ID != 2 {
			t.Errorf("First found %d", g.ID)
		}
		var n int64
		must(t, db.Model(&Guest{}).Where(last4(2)).Count(&n))
		var mrns []string
		must(t, db.Model(&Guest{}).Where(nameMRN(3)).Pluck("mrn", &mrns))
		if n != 1 || !slices.Equal(mrns, []string{mrn(3)}) {
			t.Errorf("Count %d, Pluck %v", n, mrns)
		}
		var rows []map[string]any
		must(t, db.Model(&Guest{}).Where(last4(1)).Find(&rows))
		if len(rows) != 1 || rows[0]["mrn"] != mrn(1) {
			t.Errorf("%d rows into maps", len(rows))
		}
		g = Guest{}
		must(t, db.Preload("Stays", gormcrypt.Match("room_bidx", "all")).Preload("Host", func(db q) q { return db.Where(gormcrypt.Match("mrn_bidx", mrn(9))) }).First(&g, 2))
		if len(g.Stays) != 1 || g.Stays[0].Room != "all" || g.Host != nil {
			t.Errorf("Preload brought %d stays, host %v", len(g.Stays), g.Host != nil)
		}
		var stays []Stay
		if err := db.Model(&g).Association("Stays").Find(&stays, gormcrypt.Match("room_bidx", secret(2))); err != nil || len(stays) != 1 {
			t.Errorf("Association found %d: %v", len(stays), err)
		}
		one, err := gorm.G[Guest](db).Where(last4(3)).First(ctx)
		if err != nil || one.ID != 3 {
			t.Errorf("generics First: %d, %v", one.ID, err)
		}
		joined, err := gorm.G[Guest](db).Joins(clause.InnerJoin.Association("Host"), func(b gorm.JoinBuilder, j, _ clause.Table) error {
			b.Where(gormcrypt.Match(j.Name+".mrn_bidx", mrn(1)))
			return nil
		}).Find(ctx)
		if err != nil || len(joined) != 1 || joined[0].Host == nil || joined[0].Host.MRN != mrn(1) {
			t.Errorf("generics Joins: %d, %v", len(joined), err)
		}
		count, err := gorm.G[Guest](db).Where("? OR ?", last4(1), last4(2)).Count(ctx, "*")
		if err != nil || count != 2 {
			t.Errorf("generics Count: %d, %v", count, err)
		}
		affected, err := gorm.G[Guest](db).Where(last4(1)).Update(ctx, "age", 7)
		if err != nil || affected != 1 {
			t.Errorf("generics Update: %d, %v", affected, err)
		}
		if tx := db.Model(&Guest{}).Where(nameMRN(2)).Updates(map[string]any{"age": 8, "card": secret(8)}); tx.Error != nil || tx.RowsAffected != 1 {
			t.Errorf("Updates: %d, %v", tx.RowsAffected, tx.Error)
		}
		if tx := db.Where("age = ?", 8).Delete(&Guest{}, gormcrypt.Match("mrn_bidx", mrn(2))); tx.Error != nil || tx.RowsAffected != 1 {
			t.Errorf("Delete: %d, %v", tx.RowsAffected, tx.Error)
		}
		if tx := db.Unscoped().Where(gormcrypt.Match("room_bidx", "all")).Delete(&Stay{}); tx.Error != nil || tx.RowsAffected != 4 {
			t.Errorf("Unscoped Delete: %d, %v", tx.RowsAffected, tx.Error)
		}
		tx := db.Model(&Guest{}).Where(last4(1)).Session(&gorm.Session{})
		for range 2 { // a statement that is used again
			if must(t, tx.Count(&n)); n != 1 {
				t.Errorf("Count again: %d", n)
			}
		}
		noCanary(t, "statements", nil, l)
	})
}

// TestMatchRefused: each is an error of its class that says nothing of what was
// looked for.
func TestMatchRefused(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, l := house(t, d)
		for name, c := range map[string]struct {
			run  func(db q) q
			want error
		}{
			"no such index":             {func(db q) q { return db.Where(gormcrypt.Match("nobody_bidx", canary)) }, fieldcrypt.ErrUnsearchable},
			"the values are exchanged":  {func(db q) q { return db.Where(gormcrypt.Match(canary, "mrn_bidx")) }, fieldcrypt.ErrUnsearchable},
			"the column, not the index": {func(db q) q { return db.Where(gormcrypt.Match("mrn", canary)) }, fieldcrypt.ErrUnsearchable},
			"an unknown table":          {func(db q) q { return db.Where(gormcrypt.Match("x.mrn_bidx", canary)) }, fieldcrypt.ErrUnsearchable},
			"of another table":          {func(db q) q { return db.Where(gormcrypt.Match("room_bidx", canary)) }, fieldcrypt.ErrUnsearchable},
			"no value":                  {func(db q) q { return db.Where(gormcrypt.Match("mrn_bidx")) }, fieldcrypt.ErrUnsearchable},
			"too many values":           {func(db q) q { return db.Where(gormcrypt.Match("mrn_bidx", canary, canary)) }, fieldcrypt.ErrUnsearchable},
			"too few values":            {func(db q) q { return db.Where(gormcrypt.Match("name_mrn_bidx", canary)) }, fieldcrypt.ErrUnsearchable},
			"nil":                       {func(db q) q { return db.Where(gormcrypt.Match("mrn_bidx", nil)) }, fieldcrypt.ErrUnsearchable},
			"a nil pointer":             {func(db q) q { return db.Where(gormcrypt.Match("email_bidx", (*string)(nil))) }, fieldcrypt.ErrUnsearchable},
			"nil among several":         {func(db q) q { return db.Where(gormcrypt.Match("name_mrn_bidx", canary, nil)) }, fieldcrypt.ErrUnsearchable},
			"nothing left":              {func(db q) q { return db.Where(gormcrypt.Match("card_last4_bidx", "n/a")) }, fieldcrypt.ErrUnsearchable},
			"a wrong type":              {func(db q) q { return db.Where(gormcrypt.Match("mrn_bidx", []string{canary})) }, fieldcrypt.ErrWrongType},
			"an expression":             {func(db q) q { return db.Where(gormcrypt.Match("mrn_bidx", gorm.Expr("lower(?)", canary))) }, fieldcrypt.ErrQueryOnCiphertext},
			"a sub-query":               {func(db q) q { return db.Where(gormcrypt.Match("mrn_bidx", fresh(db).Model(&Guest{}).Select("mrn"))) }, fieldcrypt.ErrQueryOnCiphertext},
			"a name of two tables": {func(db q) q {
				return db.Joins("JOIN stays ON stays.guest_id = guests.id").Where(gormcrypt.Match("email_bidx", canary))
			}, fieldcrypt.ErrUnsearchable},
			"in a join": {func(db q) q { return db.Joins("Host", fresh(db).Where(gormcrypt.Match("Host.nobody_bidx", canary))) }, fieldcrypt.ErrUnsearchable},
			"in a sub-select of another": {func(db q) q {
				return db.Where("id IN (SELECT id FROM doctors WHERE ?)", gormcrypt.Match("mrn_bidx", canary))
			}, fieldcrypt.ErrQueryOnCiphertext},
			"in a named value": {func(db q) q { return db.Where("age = @m", map[string]any{"m": gormcrypt.Match("mrn_bidx", canary)}) }, fieldcrypt.ErrQueryOnCiphertext},
			"in a list":        {func(db q) q { return db.Where("age IN ?", []clause.Expression{gormcrypt.Match("mrn_bidx", canary)}) }, fieldcrypt.ErrQueryOnCiphertext},
			"in a comment":     {func(db q) q { return db.Where("age = 1 -- ?", gormcrypt.Match("mrn_bidx", canary)) }, fieldcrypt.ErrQueryOnCiphertext},
			"inside another's": {func(db q) q { return db.Where(wrapping{gormcrypt.Match("mrn_bidx", canary)}) }, fieldcrypt.ErrQueryOnCiphertext},
			"in Raw":           {func(db q) q { return db.Raw("SELECT id FROM doctors WHERE ?", gormcrypt.Match("mrn_bidx", canary)) }, fieldcrypt.ErrUnsearchable},
			"in Raw, allowed": {func(db q) q {
				return gormcrypt.AllowRaw(db).Raw("SELECT * FROM guests WHERE ?", gormcrypt.Match("mrn_bidx", canary))
			}, fieldcrypt.ErrUnsearchable},
		} {
			t.Run(name, func(t *testing.T) {
				l.reset()
				var got []Guest
				tx := c.run(fresh(db)).Find(&got)
				if !errors.Is(tx.Error, c.want) || len(got) > 0 {
					t.Errorf("%d rows, %v\n%s", len(got), tx.Error, l)
				}
				if e := (*fieldcrypt.Error)(nil); !errors.As(tx.Error, &e) {
					t.Errorf("%T: %v", tx.Error, tx.Error)
				}
				noCanary(t, "query", tx.Error, l)
				if tx := c.run(fresh(db)).Delete(&Guest{}); tx.Error == nil && !strings.HasPrefix(name, "in Raw") && name != "a name of two tables" { // GORM deletes without joins

					t.Error("Delete was not refused")
				}
			})
		}
		if err := db.Exec("DELETE FROM doctors WHERE ?", gormcrypt.Match("mrn_bidx", canary)).Error; !errors.Is(err, fieldcrypt.ErrUnsearchable) {
			t.Errorf("Exec: %v", err)
		}
		if err := db.Where(gormcrypt.Match("mrn_bidx", canary)).Find(&[]Label{}).Error; !errors.Is(err, fieldcrypt.ErrUnsearchable) {
			t.Errorf("of a plain model: %v", err)
		}
		var n int64
		must(t, db.Model(&Guest{}).Count(&n))
		if n != 4 {
			t.Errorf("%d guests are left", n)
		}
		noCanary(t, "Exec", nil, l)
	})
}

// wrapping is an expression of another package around ours.
type wrapping struct{ clause.Expression }

// TestMatchWithoutThePlugin fails closed, in every kind of statement.
func TestMatchWithoutThePlugin(t *testing.T) {
	type room struct {
		ID      uint64
		MRNBidx string
	}
	onEach(t, func(t *testing.T, d dialector) {
		db, l := open(t, d(t), gorm.Config{})
		if err := db.AutoMigrate(&room{}); err != nil {
			t.Fatal(err)
		}
		must(t, db.Create(&room{ID: 1, MRNBidx: canary}))
		l.reset()
		m := gormcrypt.Match("mrn_bidx", canary)
		for name, tx := range map[string]q{
			"Find":   db.Where(m).Find(&[]room{}),
			"Or":     db.Where("id = 1").Or(m).Find(&[]room{}),
			"Not":    db.Not(m).Find(&[]room{}),
			"text":   db.Where("id = ? OR ?", 1, m).Find(&[]room{}),
			"Update": db.Model(&room{}).Where(m).Update("id", 2),
			"Delete": db.Where(m).Delete(&room{}),
			"Count":  db.Model(&room{}).Where(m).Count(new(int64)),
			"Table":  db.Table("rooms").Where(m).Find(&[]map[string]any{}),
			"Exec":   db.Exec("DELETE FROM rooms WHERE ?", m),
			"DryRun": db.Session(&gorm.Session{DryRun: true}).Where(m).Find(&[]room{}),
			"marked": db.Where(m).Find(&[]Guest{}),
		} {
			if e := (*fieldcrypt.Error)(nil); tx.Error == nil || !errors.As(tx.Error, &e) {
				t.Errorf("%s: %v", name, tx.Error)
			}
			noCanary(t, name, tx.Error, l)
		}
		row := ""
		if err := db.Model(&room{}).Where(m).Select("mrn_bidx").Row().Scan(&row); err == nil || row != "" {
			t.Errorf("Row: %v", err)
		}
		if _, err := db.Model(&room{}).Where(m).Rows(); !errors.Is(err, fieldcrypt.ErrUnsearchable) {
			t.Errorf("Rows: %v", err)
		}
		sub := db.Where("id IN (?)", db.Model(&room{}).Select("id").Where(m)).Find(&[]room{})
		if sub.Error == nil {
			t.Error("a sub-query was not refused")
		}
		var n int64
		must(t, db.Model(&room{}).Where("id = 1").Count(&n))
		if n != 1 {
			t.Error("a row was changed")
		}
		var b builder
		m.Build(&b)
		if len(b.errs) != 1 || !errors.Is(b.errs[0], fieldcrypt.ErrUnsearchable) || len(b.vars) > 0 {
			t.Errorf("another builder: errors %v, values %d", b.errs, len(b.vars))
		}
		noCanary(t, "another builder", fmt.Errorf("%s %v", b.String(), b.errs), l)
	})
}

// builder is a clause.Builder of another package.
type builder struct {
	strings.Builder
	vars []any
	errs []error
}

func (b *builder) WriteByte(c byte) error                { return b.Builder.WriteByte(c) }
func (b *builder) WriteQuoted(field any)                 { fmt.Fprintf(b, "%q", fmt.Sprint(field)) }
func (b *builder) AddVar(_ clause.Writer, values ...any) { b.vars = append(b.vars, values...) }
func (b *builder) AddError(err error) error              { b.errs = append(b.errs, err); return err }

// TestMatchPrintsNoValues: not by itself, in a statement, or in what it is in.
func TestMatchPrintsNoValues(t *testing.T) {
	db, l := house(t, sqliteFile)
	m := gormcrypt.Match("mrn_bidx", canary)
	var out strings.Builder
	for _, v := range []any{m, []any{m}, struct{ E clause.Expression }{m}, map[string]any{"m": m}, clause.Expr{SQL: "?", Vars: []any{m}}} {
		fmt.Fprintf(&out, "%v %+v %#v %s %q\n", v, v, v, v, v)
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "m", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "m", v)
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(b)
	}
	dry := db.Session(&gorm.Session{DryRun: true}).Where(m).Joins("Host", fresh(db).Where(m)).Find(&[]Guest{})
	fmt.Fprintf(&out, "%v %+v %#v %v", dry.Statement.Vars, dry.Statement.Vars, dry.Statement.Clauses, dry.Error)
	out.WriteString(db.ToSQL(func(tx q) q { return tx.Where(m).Find(&[]Guest{}) }))
	if form := drivertest.FindCanary([]byte(out.String())); form != "" {
		t.Errorf("the canary was printed: %s\n%s", form, out.String())
	}
	if !strings.Contains(out.String(), "<encrypted>") {
		t.Error("nothing was printed at all")
	}
	noCanary(t, "DryRun", dry.Error, l)
}
