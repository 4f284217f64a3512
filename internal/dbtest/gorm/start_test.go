package gorm_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
)

// Models that are wrong, one thing each.
type (
	noDomain struct {
		gormcrypt.Encrypted
		ID   uint64
		Name string `fieldcrypt:",index"`
	}
	unknownOption struct {
		gormcrypt.Encrypted
		ID   uint64
		Name string `fieldcrypt:"medical,indx"`
	}
	unknownDomain struct {
		gormcrypt.Encrypted
		ID   uint64
		Name string `fieldcrypt:"legal"`
	}
	unsupportedType struct {
		gormcrypt.Encrypted
		ID   uint64
		Name chan int `fieldcrypt:"medical"`
	}
	primaryKey struct {
		gormcrypt.Encrypted
		ID string `fieldcrypt:"medical"`
	}
	taggedPrimaryKey struct {
		gormcrypt.Encrypted
		MRN string `fieldcrypt:"medical" gorm:"primaryKey"`
	}
	unexported struct {
		gormcrypt.Encrypted
		ID   uint64
		name string `fieldcrypt:"medical"`
	}
	noMarker struct {
		ID   uint64
		Name string `fieldcrypt:"medical"`
	}
	noTags struct {
		gormcrypt.Encrypted
		ID uint64
	}
	serializer struct {
		gormcrypt.Encrypted
		ID   uint64
		Name []string `fieldcrypt:"medical" gorm:"serializer:json"`
	}
	hasDefault struct {
		gormcrypt.Encrypted
		ID   uint64
		Name string `fieldcrypt:"medical" gorm:"default:x"`
	}
	hasCheck struct {
		gormcrypt.Encrypted
		ID   uint64
		Name string `fieldcrypt:"medical" gorm:"check:name <> ''"`
	}
	autoCreateTime struct {
		gormcrypt.Encrypted
		ID uint64
		At time.Time `fieldcrypt:"medical" gorm:"autoCreateTime"`
	}
	createdAt struct {
		gormcrypt.Encrypted
		ID        uint64
		CreatedAt time.Time `fieldcrypt:"medical"`
	}
	hasType struct {
		gormcrypt.Encrypted
		ID   uint64
		Name string `fieldcrypt:"medical" gorm:"type:varchar(20)"`
	}
	uniqueWithoutIndex struct {
		gormcrypt.Encrypted
		ID   uint64
		Name string `fieldcrypt:"medical" gorm:"unique"`
	}
	indexWithoutIndex struct {
		gormcrypt.Encrypted
		ID   uint64
		Name string `fieldcrypt:"medical" gorm:"index:idx_x,unique"`
	}
	indexExpression struct {
		gormcrypt.Encrypted
		ID   uint64
		Name string `fieldcrypt:"medical,index" gorm:"index:,expression:lower(name)"`
	}
	ignored struct {
		gormcrypt.Encrypted
		ID   uint64
		Name string `fieldcrypt:"medical" gorm:"-"`
	}
	softDelete struct {
		gormcrypt.Encrypted
		ID        uint64
		DeletedAt gorm.DeletedAt `fieldcrypt:"medical"`
	}
	lateMarker struct {
		ID     uint64
		Vitals Vitals `fieldcrypt:"medical"`
		gormcrypt.Encrypted
	}
	longColumn struct {
		gormcrypt.Encrypted
		ID uint64
		X  string `fieldcrypt:"medical,index" gorm:"column:a_name_that_is_longer_than_what_a_postgres_identifier_may_be"`
	}
	oddColumn struct {
		gormcrypt.Encrypted
		ID uint64
		X  string `fieldcrypt:"medical" gorm:"column:odd name"`
	}
	sameColumn struct {
		gormcrypt.Encrypted
		ID uint64
		X  string `fieldcrypt:"medical" gorm:"column:x"`
		Y  string `gorm:"column:x"`
	}
	owner struct {
		gormcrypt.Encrypted
		ID   uint64
		MRN  string `fieldcrypt:"medical,index"`
		Pets []pet  `gorm:"foreignKey:OwnerMRN;references:MRN"`
	}
	pet struct {
		ID       uint64
		OwnerMRN string
	}
)

var _ = unexported{}.name

// TestWrongUseIsAnErrorAtStart: it names the struct, the field and the cure.
func TestWrongUseIsAnErrorAtStart(t *testing.T) {
	keys := keymgrtest.New(t, "medical")
	for _, c := range []struct {
		model any
		class error
		field string
		says  string
	}{
		{&noDomain{}, fieldcrypt.ErrModel, "Name", "must begin with a key domain"},
		{&unknownOption{}, fieldcrypt.ErrModel, "Name", "unknown option"},
		{&unknownDomain{}, fieldcrypt.ErrUnknownDomain, "Name", "legal"},
		{&unsupportedType{}, fieldcrypt.ErrModel, "Name", "not supported"},
		{&primaryKey{}, fieldcrypt.ErrModel, "ID", "surrogate key"},
		{&taggedPrimaryKey{}, fieldcrypt.ErrModel, "MRN", "surrogate key"},
		{&unexported{}, fieldcrypt.ErrModel, "name", "export it"},
		{&noMarker{}, fieldcrypt.ErrModel, "Name", "embed gormcrypt.Encrypted"},
		{&noTags{}, fieldcrypt.ErrModel, "", "tags no field"},
		{&serializer{}, fieldcrypt.ErrModel, "Name", "remove the gorm serializer"},
		{&hasDefault{}, fieldcrypt.ErrModel, "Name", "remove default:"},
		{&hasCheck{}, fieldcrypt.ErrModel, "Name", "remove check:"},
		{&autoCreateTime{}, fieldcrypt.ErrModel, "At", "remove autoCreateTime"},
		{&createdAt{}, fieldcrypt.ErrModel, "CreatedAt", "autoCreateTime:false"},
		{&hasType{}, fieldcrypt.ErrModel, "Name", "remove type:"},
		{&uniqueWithoutIndex{}, fieldcrypt.ErrModel, "Name", "add the option index"},
		{&indexWithoutIndex{}, fieldcrypt.ErrModel, "Name", "add the option index"},
		{&indexExpression{}, fieldcrypt.ErrModel, "Name", "remove it"},
		{&ignored{}, fieldcrypt.ErrModel, "Name", "remove one of the tags"},
		{&softDelete{}, fieldcrypt.ErrModel, "DeletedAt", "do not encrypt it"},
		{&lateMarker{}, fieldcrypt.ErrModel, "Vitals", "the first field"},
		{&longColumn{}, fieldcrypt.ErrModel, "X", "shorten it"},
		{&oddColumn{}, fieldcrypt.ErrModel, "X", "plain identifier"},
		{&sameColumn{}, fieldcrypt.ErrModel, "X", "column x"},
		{&owner{}, fieldcrypt.ErrModel, "Pets", "refer to a plain key"},
		{"a string", fieldcrypt.ErrModel, "", "not a struct"},
	} {
		fc := fieldcrypt.New(keys, fieldcrypt.Config{})
		db, _ := open(t, sqliteFile(t), gorm.Config{})
		err := db.Use(gormcrypt.New(fc, c.model))
		e := (*fieldcrypt.Error)(nil)
		if !errors.As(err, &e) || !errors.Is(err, c.class) {
			t.Errorf("%T: %v, want %v", c.model, err, c.class)
			continue
		}
		name := strings.TrimPrefix(fmt.Sprintf("%T", c.model), "*")
		if c.field != "" && (e.Field != c.field || e.Model != name) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%T: %v: names %s.%s; want %s.%s and %q", c.model, err, e.Model, e.Field, name, c.field, c.says)
		}
		// Whoever goes on regardless stores nothing.
		switch c.model.(type) {
		case string, *lateMarker: // GORM itself refuses the second, and says so on stdout
			continue
		}
		if err := db.AutoMigrate(c.model); err == nil {
			if err := db.Create(c.model).Error; err == nil {
				t.Errorf("%T: a row was stored after all", c.model)
			}
		}
	}
}

// TestUnmarkedModelIsRefused: also if it was not named at start.
func TestUnmarkedModelIsRefused(t *testing.T) {
	db, l := open(t, sqliteFile(t), gorm.Config{})
	if err := db.Use(gormcrypt.New(newCrypter(t))); err != nil {
		t.Fatal(err)
	}
	must(t, db.Exec("CREATE TABLE no_markers (id integer primary key, name text)"))
	for name, run := range map[string]func() error{
		"Create":   func() error { return db.Create(&noMarker{Name: canary}).Error },
		"Unscoped": func() error { return db.Unscoped().Create(&noMarker{Name: canary}).Error },
		"map":      func() error { return db.Model(&noMarker{}).Create(map[string]any{"name": canary}).Error },
		"Save":     func() error { return db.Save(&noMarker{ID: 1, Name: canary}).Error },
		"Updates":  func() error { return db.Model(&noMarker{ID: 1}).Updates(map[string]any{"name": canary}).Error },
		"Find":     func() error { return db.Find(&[]noMarker{}).Error },
		"Rows":     func() error { _, err := db.Model(&noMarker{}).Rows(); return err },
	} {
		l.reset()
		err := run()
		if !errors.Is(err, fieldcrypt.ErrModel) || !strings.Contains(err.Error(), "embed gormcrypt.Encrypted") {
			t.Errorf("%s: %v", name, err)
		}
		noCanary(t, name, err, l)
	}
}

// TestPluginMissing: a marked model on a DB without the plugin, or one that was
// used before it, cannot be used at all.
func TestPluginMissing(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		for state, prepare := range map[string]func(t *testing.T, db q){
			"missing": func(*testing.T, q) {},
			"too late": func(t *testing.T, db q) {
				db.Find(&[]Doctor{})
				if err := db.Use(gormcrypt.New(newCrypter(t))); err != nil {
					t.Fatal(err)
				}
			},
		} {
			db, l := open(t, d(t), gorm.Config{})
			prepare(t, db)
			if err := db.AutoMigrate(&Doctor{}); err == nil {
				t.Errorf("%s: AutoMigrate made a table", state)
			}
			must(t, db.Exec("CREATE TABLE doctors (id integer primary key, name text, email text)"))
			must(t, db.Exec("INSERT INTO doctors VALUES (1, 'x', 'x')"))
			for name, run := range map[string]func() error{
				"Create":          func() error { return db.Create(&Doctor{Email: canary}).Error },
				"Create Unscoped": func() error { return db.Unscoped().Create(&Doctor{Email: canary}).Error },
				"Create a map":    func() error { return db.Model(&Doctor{}).Create(map[string]any{"email": canary}).Error },
				"Create a map Unscoped": func() error {
					return db.Unscoped().Model(&Doctor{}).Create(map[string]any{"email": canary}).Error
				},
				"Save":         func() error { return db.Save(&Doctor{ID: 1, Email: canary}).Error },
				"Update":       func() error { return db.Model(&Doctor{ID: 1}).Update("email", canary).Error },
				"UpdateColumn": func() error { return db.Model(&Doctor{ID: 1}).UpdateColumn("email", canary).Error },
				"Updates":      func() error { return db.Unscoped().Model(&Doctor{ID: 1}).Updates(Doctor{Email: canary}).Error },
				"upsert": func() error {
					return db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&Doctor{ID: 1, Email: canary}).Error
				},
				"Delete":   func() error { return db.Delete(&Doctor{ID: 1}).Error },
				"Find":     func() error { return db.Find(&[]Doctor{}).Error },
				"Where":    func() error { return db.Where(&Doctor{Email: canary}).Find(&[]Doctor{}).Error },
				"First":    func() error { return db.First(&Doctor{}, "email = ?", canary).Error },
				"Count":    func() error { var n int64; return db.Model(&Doctor{}).Count(&n).Error },
				"Pluck":    func() error { return db.Model(&Doctor{}).Pluck("email", &[]string{}).Error },
				"Rows":     func() error { _, err := db.Model(&Doctor{}).Rows(); return err },
				"Scan":     func() error { return db.Model(&Doctor{}).Scan(&[]Doctor{}).Error },
				"Row":      func() error { var s string; return db.Model(&Doctor{}).Select("email").Row().Scan(&s) },
				"generics": func() error { _, err := gorm.G[Doctor](db).Find(ctx); return err },
			} {
				l.reset()
				err := run()
				if err == nil {
					t.Errorf("%s: %s: not refused", state, name)
				} else if name != "Row" && !strings.Contains(name, "map Unscoped") && !errors.Is(err, fieldcrypt.ErrNotRegistered) {
					t.Errorf("%s: %s: %v", state, name, err)
				}
				if !strings.Contains(name, "map Unscoped") { // GORM logs the caller's map there
					noCanary(t, state+": "+name, err, l)
				}
			}
			pool, _ := db.DB()
			var n int
			if err := pool.QueryRow("SELECT count(*) FROM doctors WHERE email <> 'x'").Scan(&n); err != nil || n != 0 {
				t.Errorf("%s: %d rows were written, %v", state, n, err)
			}
		}
	})
}

func TestPluginPlaces(t *testing.T) {
	fc := newCrypter(t)
	t.Run("two plugins", func(t *testing.T) {
		db, _ := open(t, sqliteFile(t), gorm.Config{})
		if err := db.Use(gormcrypt.New(fc, &Doctor{})); err != nil {
			t.Fatal(err)
		}
		err := db.Use(gormcrypt.New(fc, &Visit{}))
		if !errors.Is(err, fieldcrypt.ErrNotRegistered) || !strings.Contains(err.Error(), "plugin already") {
			t.Errorf("%v", err)
		}
	})
	t.Run("one model parsed before", func(t *testing.T) {
		db, _ := open(t, sqliteFile(t), gorm.Config{})
		db.Find(&[]Doctor{})
		err := db.Use(gormcrypt.New(fc, &Doctor{}))
		if !errors.Is(err, fieldcrypt.ErrNotRegistered) || !strings.Contains(err.Error(), "right after gorm.Open") {
			t.Errorf("%v", err)
		}
	})
	t.Run("in the config", func(t *testing.T) {
		p := gormcrypt.New(fc, &Doctor{})
		db, _ := open(t, sqliteFile(t), gorm.Config{Plugins: map[string]gorm.Plugin{p.Name(): p}})
		if err := db.AutoMigrate(&Doctor{}); err != nil {
			t.Fatal(err)
		}
		must(t, db.Create(&Doctor{Email: "x"}))
		must(t, db.First(&Doctor{}, "email = ?", "x"))
	})
	t.Run("initialized again for a replica", func(t *testing.T) {
		db, _ := use(t, sqliteFile(t), &Doctor{})
		config := *db.Config // what dbresolver does
		if _, err := gorm.Open(sqliteFile(t), &config); err != nil {
			t.Fatal(err)
		}
		for _, p := range db.Plugins {
			if err := p.Initialize(db); err != nil {
				t.Fatal(err)
			}
		}
		must(t, db.Create(&Doctor{Email: "x"}))
		var got Doctor
		must(t, db.First(&got, "email = ?", "x"))
		if got.Email != "x" {
			t.Errorf("it was sealed more than once: %q", got.Email)
		}
	})
	t.Run("a builder replaced later", func(t *testing.T) {
		db, _ := use(t, sqliteFile(t), &Doctor{})
		db.ClauseBuilders["VALUES"] = func(c clause.Clause, b clause.Builder) { c.Build(b) }
		if err := db.Create(&Doctor{Email: canary}).Error; !errors.Is(err, fieldcrypt.ErrNotRegistered) {
			t.Errorf("%v", err)
		}
		if err := db.Exec("SELECT 1").Error; err != nil {
			t.Error(err)
		}
	})
	t.Run("an unknown dialect", func(t *testing.T) {
		db, _ := open(t, dummy{sqliteFile(t)}, gorm.Config{})
		if err := db.Use(gormcrypt.New(fc)); !errors.Is(err, fieldcrypt.ErrNotRegistered) {
			t.Errorf("%v", err)
		}
	})
	t.Run("a marked model that was not named", func(t *testing.T) {
		db, l := open(t, sqliteFile(t), gorm.Config{})
		if err := db.Use(gormcrypt.New(fc)); err != nil {
			t.Fatal(err)
		}
		if err := db.AutoMigrate(&Doctor{}); err != nil {
			t.Fatal(err)
		}
		must(t, db.Create(&Doctor{Email: canary}))
		must(t, db.First(&Doctor{}, "email = ?", canary))
		noCanary(t, "statement", nil, l)
	})
}

type dummy struct{ gorm.Dialector }

func (dummy) Name() string { return "oracle" }
