package gorm_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
)

// Resident has keys per tenant. Its tenant column stands behind the encrypted
// ones, where a row that is read in order meets it last.
type Resident struct {
	gormcrypt.Encrypted
	ID     uint64
	Name   string `fieldcrypt:"tenants,index=fold"`
	MRN    string `fieldcrypt:"tenants,index" gorm:"uniqueIndex"`
	Ward   string
	Clinic string `fieldcrypt:",tenant" gorm:"column:clinic"`
	HeadID *uint64
	Head   *Resident
	Notes  []Note
}

type Note struct {
	gormcrypt.Encrypted
	ID         uint64
	ResidentID uint64
	Text       string `fieldcrypt:"tenants,index"`
	Clinic     string `fieldcrypt:",tenant"`
}

const (
	acme  = "acme"
	hill  = "hill"
	other = "other" // has no keys
)

// clinics opens a database with the keys of two tenants.
func clinics(t testing.TB, d dialector, cfg gorm.Config) (*gorm.DB, *log) {
	t.Helper()
	keys := keymgrtest.NewPerTenant(t, "tenants")
	for _, tenant := range []string{acme, hill} {
		if err := keys.Ensure(ctx, keymgr.Scope{Domain: "tenants", Tenant: tenant}); err != nil {
			t.Fatal(err)
		}
	}
	db, l := open(t, d(t), cfg)
	if err := db.Use(gormcrypt.New(fieldcrypt.New(keys, fieldcrypt.Config{}), &Resident{}, &Note{})); err != nil {
		t.Fatal(err)
	}
	if err := db.AutoMigrate(&Resident{}, &Note{}); err != nil {
		t.Fatal(err)
	}
	l.reset()
	return db, l
}

func in(db *gorm.DB, tenant string) *gorm.DB {
	return db.WithContext(fieldcrypt.WithTenant(context.Background(), tenant))
}

// twoClinics are a resident of each tenant, with one name and number.
func twoClinics(t testing.TB, db *gorm.DB) (a, h Resident) {
	t.Helper()
	a, h = Resident{Name: "Ann", MRN: "1", Ward: "A"}, Resident{Name: "Ann", MRN: "1", Ward: "H"}
	must(t, in(db, acme).Create(&a))
	must(t, in(db, hill).Create(&h))
	return a, h
}

func TestTheContextsTenantIsWritten(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, _ := clinics(t, d, gorm.Config{})
		a, h := twoClinics(t, db)
		if a.Clinic != acme || h.Clinic != hill {
			t.Errorf("the structs name the tenants %q and %q", a.Clinic, h.Clinic)
		}
		many := []*Resident{{MRN: "2"}, {MRN: "3", Clinic: acme}}
		must(t, in(db, acme).Create(&many))
		must(t, in(db, acme).Model(&Resident{}).Create(map[string]any{"mrn": "4", "Name": "Map"}))
		must(t, in(db, acme).Model(&Resident{}).Create(&[]map[string]any{{"mrn": "5"}, {"mrn": "6", "clinic": acme}}))
		must(t, in(db, acme).Select("MRN").Create(&Resident{MRN: "7"}))
		must(t, db.Create(&[]Resident{{MRN: "8", Clinic: acme}, {MRN: "9", Clinic: hill}})) // the rows' own
		for tenant, want := range map[string]string{acme: "12345678", hill: "19"} {
			var got []Resident
			must(t, db.Where("clinic = ?", tenant).Order("id").Find(&got))
			numbers := ""
			for _, m := range got {
				numbers += m.MRN
			}
			if numbers != want {
				t.Errorf("%s has the numbers %s, want %s", tenant, numbers, want)
			}
		}
		for what, tx := range map[string]*gorm.DB{
			"a struct":  in(db, acme).Create(&Resident{MRN: "x", Clinic: hill}),
			"in a list": in(db, acme).Create(&[]Resident{{MRN: "x"}, {MRN: "y", Clinic: hill}}),
			"a map":     in(db, acme).Model(&Resident{}).Create(map[string]any{"mrn": "x", "clinic": hill}),
		} {
			isRefused(t, "Create of another tenant's row, "+what, tx.Error, fieldcrypt.ErrTenantMismatch)
		}
		isRefused(t, "Create without a tenant", db.Create(&Resident{MRN: "x"}).Error, fieldcrypt.ErrNoTenant)
		isRefused(t, "Create for a tenant without keys", in(db, other).Create(&Resident{MRN: "x"}).Error, fieldcrypt.ErrScopeNotFound)
		isRefused(t, "Create with a computed tenant", db.Model(&Resident{}).Create(map[string]any{"mrn": "x", "clinic": gorm.Expr("'acme'")}).Error, fieldcrypt.ErrUnsupported)
		var n int64
		must(t, db.Model(&Resident{}).Count(&n))
		if n != 10 {
			t.Errorf("there are %d rows", n)
		}
	})
}

func isRefused(t testing.TB, what string, err error, class error) {
	t.Helper()
	e := (*fieldcrypt.Error)(nil)
	if !errors.Is(err, class) || !errors.As(err, &e) {
		t.Errorf("%s: %v, want %v", what, err, class)
	}
}

func TestRowsAreReadUnderTheirOwnTenant(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		for _, prepared := range []bool{false, true} {
			db, _ := clinics(t, d, gorm.Config{PrepareStmt: prepared})
			a, h := twoClinics(t, db)
			must(t, db.Model(&a).Update("head_id", h.ID))
			must(t, in(db, acme).Create(&Note{ResidentID: a.ID, Text: "n"}))

			var all []Resident
			must(t, db.Order("id").Find(&all))
			if len(all) != 2 || all[0].MRN != "1" || all[1].Name != "Ann" || all[0].Clinic != acme {
				t.Errorf("Find: %+v", all)
			}
			for what, read := range map[string]func(m *Resident) *gorm.DB{
				"a part":         func(m *Resident) *gorm.DB { return db.Select("id", "mrn").First(m, a.ID) },
				"a part as text": func(m *Resident) *gorm.DB { return db.Select("id, mrn").First(m, a.ID) },
				"with values":    func(m *Resident) *gorm.DB { return db.Select("id, mrn, ? AS ward", "w").First(m, a.ID) },
				"qualified":      func(m *Resident) *gorm.DB { return db.Select("residents.mrn, residents.id").First(m, a.ID) },
				"by Go names":    func(m *Resident) *gorm.DB { return db.Select("MRN", "Ward").Where("id = ?", a.ID).Take(m) },
				"without a part": func(m *Resident) *gorm.DB { return db.Omit("clinic", "name").First(m, a.ID) },
				"distinct":       func(m *Resident) *gorm.DB { return db.Distinct("id", "mrn").First(m, a.ID) },
				"with an alias": func(m *Resident) *gorm.DB {
					return db.Table("residents AS m").Select("m.id", "m.mrn").Where("m.id = ?", a.ID).Take(m)
				},
				"Scan": func(m *Resident) *gorm.DB { return db.Model(&Resident{}).Where("id = ?", a.ID).Scan(m) },
				"Scan of a part": func(m *Resident) *gorm.DB {
					return db.Model(&Resident{}).Select("mrn").Where("id = ?", a.ID).Limit(1).Find(m)
				},
				"QueryFields":      func(m *Resident) *gorm.DB { return db.Session(&gorm.Session{QueryFields: true}).First(m, a.ID) },
				"Joins":            func(m *Resident) *gorm.DB { return db.Joins("Head").First(m, a.ID) },
				"in its tenant":    func(m *Resident) *gorm.DB { return in(db, acme).First(m, a.ID) },
				"another tenant's": func(m *Resident) *gorm.DB { return in(db, hill).First(m, a.ID) },
			} {
				var m Resident
				if err := read(&m).Error; err != nil || m.MRN != "1" {
					t.Errorf("%s: %+v, %v", what, m, err)
				}
			}
			var m Resident
			must(t, db.Joins("Head").Preload("Notes").First(&m, a.ID))
			if m.Head == nil || m.Head.MRN != "1" || m.Head.Clinic != hill || len(m.Notes) != 1 || m.Notes[0].Text != "n" {
				t.Errorf("relations: %+v, %+v", m.Head, m.Notes)
			}
			m = Resident{}
			must(t, db.Joins("Head").First(&m, h.ID))
			if m.Head != nil {
				t.Errorf("a relation that is not there: %+v", m.Head)
			}
			rows, err := db.Model(&Resident{}).Order("id").Rows()
			if err != nil {
				t.Fatal(err)
			}
			for rows.Next() {
				var m Resident
				if err := db.ScanRows(rows, &m); err != nil || m.MRN != "1" {
					t.Errorf("ScanRows: %+v, %v", m, err)
				}
			}
			rows.Close()

			var numbers []string
			must(t, db.Model(&Resident{}).Order("id").Pluck("mrn", &numbers))
			var names []*string
			must(t, db.Model(&Resident{}).Select("name").Find(&names))
			if !slices.Equal(numbers, []string{"1", "1"}) || len(names) != 2 || *names[1] != "Ann" {
				t.Errorf("Pluck: %v, %v", numbers, names)
			}
			var maps []map[string]any
			must(t, db.Model(&Resident{}).Order("id").Find(&maps))
			one := map[string]any{}
			must(t, db.Model(&Resident{}).Select("id", "name").Where("id = ?", h.ID).Take(&one))
			if len(maps) != 2 || maps[1]["mrn"] != "1" || maps[0]["clinic"] != acme || one["name"] != "Ann" || len(one) != 2 {
				t.Errorf("maps: %v, %v", maps, one)
			}
			generic, err := gorm.G[Resident](db).Where("id = ?", a.ID).Select("id, name").First(ctx)
			if err != nil || generic.Name != "Ann" {
				t.Errorf("generics: %+v, %v", generic, err)
			}
		}
	})
}

// ResidentNumber is read from residents.
type ResidentNumber struct {
	gormcrypt.Encrypted
	MRN    string `fieldcrypt:"tenants,id=residents.mrn" gorm:"column:mrn"`
	Clinic string `fieldcrypt:",tenant"`
}

func TestSmallerStructsWithTenants(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, _ := clinics(t, d, gorm.Config{})
		twoClinics(t, db)
		var list []ResidentNumber
		must(t, db.Model(&Resident{}).Order("id").Find(&list))
		if len(list) != 2 || list[1].MRN != "1" || list[1].Clinic != hill {
			t.Errorf("%+v", list)
		}
	})
}

func TestSearchStaysInTheTenant(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, _ := clinics(t, d, gorm.Config{})
		a, _ := twoClinics(t, db)
		b := Resident{Name: "Bob", MRN: "2", HeadID: &a.ID}
		must(t, in(db, acme).Create(&b))
		must(t, in(db, hill).Create(&Resident{Name: "Cyd", MRN: "2"}))
		must(t, in(db, acme).Create(&Note{ResidentID: a.ID, Text: "n"}))
		must(t, in(db, hill).Create(&Note{ResidentID: a.ID, Text: "m"}))
		tx := in(db, acme).Order("residents.id").Session(&gorm.Session{})
		for what, c := range map[string]struct {
			tx   *gorm.DB
			want string
		}{
			"=":              {tx.Where("mrn = ?", "1"), "1"},
			"struct":         {tx.Where(&Resident{MRN: "1"}), "1"},
			"IN":             {tx.Where("mrn IN ?", []string{"1", "2"}), "12"},
			"<>":             {tx.Where("mrn <> ?", "1"), "2"},
			"NOT IN":         {tx.Where("mrn NOT IN ?", []string{"9"}), "12"},
			"Not":            {tx.Not("mrn = ?", "1"), "2"},
			"Not struct":     {tx.Not(&Resident{MRN: "1"}), "2"},
			"NOT as text":    {tx.Where("NOT (mrn = ?)", "1"), "2"},
			"Or":             {tx.Where("mrn = ?", "1").Or("name = ?", "BOB"), "12"},
			"NOT of an OR":   {tx.Where("NOT (mrn = ? OR name = ?)", "1", "x"), "2"},
			"NOT of NOT":     {tx.Where("NOT (NOT (mrn = ?))", "1"), "1"},
			"Joins":          {tx.Joins("Head").Where(`"Head"."mrn" = ?`, "1"), "2"},
			"Joins ON":       {tx.InnerJoins("Head", in(db, acme).Where(&Resident{MRN: "1"})), "2"},
			"EXISTS":         {tx.Where("EXISTS (SELECT 1 FROM notes WHERE notes.resident_id = residents.id AND notes.text IN ?)", []string{"n", "m"}), "1"},
			"NOT EXISTS":     {tx.Where("clinic = ?", acme).Where("NOT EXISTS (SELECT 1 FROM notes n WHERE n.resident_id = residents.id AND n.text = ?)", "m"), "12"},
			"a sub-query":    {tx.Where("id IN (?)", in(db, acme).Model(&Note{}).Select("resident_id").Where("text = ?", "n")), "1"},
			"named by WHERE": {db.Where("clinic = ? AND ward = ?", acme, "A").Order("id"), "1"},
			"fixed by WHERE": {db.Where("clinic = ?", acme).Where("mrn = ?", "2"), "2"},
		} {
			var got []Resident
			err := c.tx.Find(&got).Error
			numbers := ""
			for _, m := range got {
				numbers += m.MRN
				if m.Clinic != acme {
					t.Errorf("%s: found a row of %s", what, m.Clinic)
				}
			}
			if err != nil || numbers != c.want {
				t.Errorf("%s: %s, %v; want %s", what, numbers, err, c.want)
			}
		}
		var n int64
		must(t, in(db, acme).Model(&Resident{}).Where("mrn <> ?", "9").Count(&n))
		if n != 2 {
			t.Errorf("Count: %d", n)
		}
		isRefused(t, "a search without a tenant", db.First(&Resident{}, "mrn = ?", "1").Error, fieldcrypt.ErrNoTenant)
		isRefused(t, "a search in two tenants", db.Where("clinic = ? OR clinic = ?", acme, hill).First(&Resident{}, "mrn = ?", "1").Error, fieldcrypt.ErrNoTenant)
		isRefused(t, "a search without keys", in(db, other).First(&Resident{}, "mrn = ?", "1").Error, fieldcrypt.ErrScopeNotFound)
		isRefused(t, "a NOT around a relation's", in(db, acme).Joins("Head").Where(`NOT ("Head"."mrn" = ?)`, "1").Find(&[]Resident{}).Error, fieldcrypt.ErrUnsearchable)
		del := in(db, acme).Where("mrn <> ?", "1").Delete(&Resident{})
		must(t, db.Model(&Resident{}).Count(&n))
		if del.Error != nil || del.RowsAffected != 1 || n != 3 {
			t.Errorf("Delete: %d rows, %v; %d are left", del.RowsAffected, del.Error, n)
		}
	})
}

func TestUpdatesStayInTheTenant(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, l := clinics(t, d, gorm.Config{})
		a, h := twoClinics(t, db)
		read := func(id uint64) (m Resident) {
			t.Helper()
			must(t, db.First(&m, id))
			return m
		}
		// Another tenant's row is not there.
		for what, tx := range map[string]*gorm.DB{
			"Update":  in(db, hill).Model(&Resident{ID: a.ID}).Update("name", "x"),
			"Updates": in(db, hill).Model(&Resident{}).Where("id = ?", a.ID).Updates(map[string]any{"name": "x"}),
			"bulk":    in(db, hill).Model(&Resident{}).Where("ward = ?", "A").Update("mrn", "x"),
			"columns": in(db, hill).Model(&Resident{}).Where("id = ?", a.ID).UpdateColumn("name", "x"),
		} {
			if tx.Error != nil || tx.RowsAffected != 0 {
				t.Errorf("%s of another tenant's row: %d rows, %v", what, tx.RowsAffected, tx.Error)
			}
		}
		stolen := Resident{ID: a.ID, Name: "x", MRN: "x"}
		isRefused(t, "Save over another tenant's row", in(db, hill).Save(&stolen).Error, fieldcrypt.ErrUnsupported)
		isRefused(t, "an upsert over another tenant's row", in(db, hill).Save(&[]Resident{{ID: a.ID, Name: "x"}}).Error, fieldcrypt.ErrUnsupported)
		if got := read(a.ID); got.Name != "Ann" || got.MRN != "1" || got.Clinic != acme {
			t.Errorf("the row is now %+v", got)
		}
		must(t, in(db, acme).Model(&Resident{}).Where("1 = 1").Update("name", "All"))
		must(t, in(db, acme).Session(&gorm.Session{AllowGlobalUpdate: true}).Model(&Resident{}).Update("name", "Every"))
		if err := in(db, acme).Model(&Resident{}).Update("name", "x").Error; !errors.Is(err, gorm.ErrMissingWhereClause) {
			t.Errorf("an update of everything: %v", err)
		}
		if read(a.ID).Name != "Every" || read(h.ID).Name != "Ann" {
			t.Errorf("a bulk update: %s, %s", read(a.ID).Name, read(h.ID).Name)
		}
		// The row's own tenant serves where the context names none.
		a = read(a.ID)
		a.Name = "Own"
		must(t, db.Save(&a))
		must(t, db.Model(&h).Update("name", "Mine"))
		must(t, db.Model(&Resident{}).Where("clinic = ?", hill).Where("id = ?", h.ID).Update("mrn", "7"))
		if read(a.ID).Name != "Own" || read(h.ID).Name != "Mine" || read(h.ID).MRN != "7" {
			t.Errorf("%+v, %+v", read(a.ID), read(h.ID))
		}
		isRefused(t, "Update without a tenant", db.Model(&Resident{ID: a.ID}).Update("name", "x").Error, fieldcrypt.ErrNoTenant)
		isRefused(t, "Update of the tenant alone", db.Model(&Resident{}).Where("id = ?", a.ID).Update("clinic", hill).Error, fieldcrypt.ErrUnsupported)
		isRefused(t, "Update into another tenant", in(db, acme).Model(&a).Updates(map[string]any{"clinic": hill, "name": "x", "mrn": "x"}).Error, fieldcrypt.ErrTenantMismatch)
		must(t, in(db, acme).Model(&Resident{ID: a.ID}).Updates(map[string]any{"ward": "B", "head_id": nil})) // nothing sealed
		must(t, in(db, acme).Save(&Resident{ID: a.ID, Name: "Saved", MRN: "1"}))                              // fills the tenant
		if got := read(a.ID); got.Name != "Saved" || got.Clinic != acme {
			t.Errorf("Save: %+v", got)
		}
		// A whole row may move, where no tenant is named but its own.
		a = read(a.ID)
		a.Clinic, a.MRN = hill, "8"
		must(t, db.Model(&Resident{}).Where("id = ?", a.ID).Select("*").Updates(&a))
		if got := read(a.ID); got.Clinic != hill || got.MRN != "8" {
			t.Errorf("moved: %+v", got)
		}
		if strings.Contains(l.String(), "Saved") {
			t.Error("a value was logged")
		}
	})
}

func TestUpsertsStayInTheTenant(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, _ := clinics(t, d, gorm.Config{})
		a, h := twoClinics(t, db)
		// The index hashes the tenant: who conflicts on it is of the same.
		onMRN := clause.OnConflict{Columns: []clause.Column{{Name: "mrn"}}, DoUpdates: clause.AssignmentColumns([]string{"name", "ward", "clinic"})}
		must(t, in(db, acme).Clauses(onMRN).Create(&Resident{MRN: "1", Name: "Upserted", Ward: "U"}))
		onMRN.DoUpdates = clause.Assignments(map[string]any{"name": "Assigned"})
		must(t, in(db, hill).Clauses(onMRN).Create(&Resident{MRN: "1", Name: "x"}))
		var got []Resident
		must(t, db.Order("id").Find(&got))
		if len(got) != 2 || got[0].ID != a.ID || got[0].Name != "Upserted" || got[1].ID != h.ID || got[1].Name != "Assigned" {
			t.Errorf("%+v", got)
		}
		for what, on := range map[string]clause.OnConflict{
			"on the id":         {Columns: []clause.Column{{Name: "id"}}, DoUpdates: clause.AssignmentColumns([]string{"name"})},
			"on everything":     {UpdateAll: true},
			"to another tenant": {Columns: []clause.Column{{Name: "mrn"}}, DoUpdates: clause.Assignments(map[string]any{"name": "x", "clinic": hill})},
		} {
			isRefused(t, "an upsert "+what, in(db, acme).Clauses(on).Create(&Resident{ID: h.ID, MRN: "1", Name: "x"}).Error, fieldcrypt.ErrUnsupported)
		}
		must(t, in(db, acme).Clauses(clause.OnConflict{DoNothing: true}).Create(&Resident{ID: h.ID, MRN: "5"}))
	})
}

// TestATenantThatIsChangedOpensNothing: the tenant of a row is authenticated.
func TestATenantThatIsChangedOpensNothing(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, _ := clinics(t, d, gorm.Config{})
		a, _ := twoClinics(t, db)
		must(t, gormcrypt.AllowRaw(db).Exec("UPDATE residents SET clinic = ? WHERE id = ?", hill, a.ID))
		var m Resident
		err := db.First(&m, a.ID).Error
		if !errors.Is(err, fieldcrypt.ErrUnknownKey) && !errors.Is(err, fieldcrypt.ErrAuthentication) || m.MRN != "" {
			t.Errorf("%+v, %v", m, err)
		}
	})
}

// TestTenantsWithOneConnection: cold keys are opened before the one connection is
// taken, whoever names the tenant.
func TestTenantsWithOneConnection(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, _ := open(t, d(t), gorm.Config{})
		pool, err := db.DB()
		if err != nil {
			t.Fatal(err)
		}
		pool.SetMaxOpenConns(1)
		if err := sqlstore.Migrate(ctx, pool); err != nil {
			t.Fatal(err)
		}
		keys, err := keymgr.Open(ctx, keymgr.Config{
			Store: sqlstore.New(pool), StoreTimeout: time.Second,
			Domains: map[string]keymgr.Domain{"tenants": {KEKs: []keymgr.KEK{keymgrtest.NewKEK("k")}, PerTenant: true}},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { keys.Close() })
		for _, tenant := range []string{acme, hill} {
			if err := keys.Create(ctx, keymgr.Scope{Domain: "tenants", Tenant: tenant}); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Use(gormcrypt.New(fieldcrypt.New(keys, fieldcrypt.Config{}), &Resident{}, &Note{})); err != nil {
			t.Fatal(err)
		}
		if err := db.AutoMigrate(&Resident{}, &Note{}); err != nil {
			t.Fatal(err)
		}
		r := Resident{MRN: "1"}
		for _, step := range []struct {
			name string
			run  func() error
		}{
			{"Create in a tenant", func() error { return in(db, acme).Create(&r).Error }},
			{"Create of rows of two", func() error { return db.Create(&[]Resident{{MRN: "2", Clinic: acme}, {MRN: "3", Clinic: hill}}).Error }},
			{"Create of a map", func() error { return db.Model(&Resident{}).Create(map[string]any{"mrn": "4", "clinic": hill}).Error }},
			{"First in a tenant", func() error { return in(db, acme).First(&Resident{}, "mrn = ?", "1").Error }},
			{"First by WHERE", func() error { return db.Where("clinic = ?", hill).First(&Resident{}, "mrn = ?", "3").Error }},
			{"Save", func() error { return db.Save(&r).Error }},
			{"Update", func() error { return db.Model(&r).Update("name", "x").Error }},
		} {
			for _, tenant := range []string{acme, hill} {
				keys.Evict(keymgr.Scope{Domain: "tenants", Tenant: tenant})
			}
			if err := step.run(); err != nil {
				t.Errorf("%s: %v", step.name, err)
			}
		}
	})
}
