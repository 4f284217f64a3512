package gorm_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
)

// firstUses are what a program may do first with a model, each on a room of its
// own number. They give the name that they read.
var firstUses = []func(db q, n int) (string, error){
	func(db q, n int) (string, error) {
		r := Room{Name: secret(n)}
		return r.Name, db.Create(&r).Error
	},
	func(db q, n int) (string, error) {
		return secret(n), db.Model(&Room{}).Create(map[string]any{"name": secret(n)}).Error
	},
	func(db q, n int) (string, error) {
		var r []Room
		err := db.Where("name = ?", secret(n)).Find(&r).Error
		return r[0].Name, err
	},
	func(db q, n int) (string, error) {
		var c Clinic
		err := db.Preload("Rooms", "name = ?", secret(n)).Joins("Parent").First(&c, "clinics.name = ?", secret(1)).Error
		return c.Rooms[0].Name, err
	},
	func(db q, n int) (string, error) {
		r, err := gorm.G[Room](db).Where(&Room{Name: secret(n)}).First(ctx)
		return r.Name, err
	},
	func(db q, n int) (string, error) {
		var names []string
		err := db.Model(&Room{}).Where(clause.Eq{Column: "name", Value: secret(n)}).Pluck("name", &names).Error
		return names[0], err
	},
	func(db q, n int) (string, error) {
		rows, err := db.Model(&Room{}).Where(map[string]any{"name": secret(n)}).Rows()
		if err != nil {
			return "", err
		}
		defer rows.Close()
		var r Room
		for rows.Next() {
			err = errors.Join(err, db.ScanRows(rows, &r))
		}
		return r.Name, errors.Join(err, rows.Err())
	},
	func(db q, n int) (string, error) {
		var r Room
		err := db.Where(Room{Name: secret(n)}).Assign(Room{Floor: n}).FirstOrCreate(&r).Error
		return r.Name, err
	},
}

// TestColdSchemas: eight goroutines use a model at once that GORM has not parsed
// yet, in each order.
func TestColdSchemas(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		fc := newCrypter(t)
		primary := d(t)
		warm, _ := open(t, primary, gorm.Config{})
		if err := warm.Use(gormcrypt.New(fc)); err != nil {
			t.Fatal(err)
		}
		if err := warm.AutoMigrate(&Clinic{}, &Director{}, &Room{}, &Partner{}, &Remark{}); err != nil {
			t.Fatal(err)
		}
		clinic := Clinic{Name: secret(1)}
		for n := range firstUses {
			clinic.Rooms = append(clinic.Rooms, Room{Name: secret(n)})
		}
		must(t, warm.Create(&clinic))
		for round := range 4 {
			db, l := open(t, again(primary), gorm.Config{PrepareStmt: round%2 == 1})
			if err := db.Use(gormcrypt.New(fc)); err != nil {
				t.Fatal(err)
			}
			start := make(chan struct{})
			var wg sync.WaitGroup
			for n, use := range firstUses {
				wg.Go(func() {
					<-start
					if got, err := use(db, n); err != nil || got != secret(n) {
						t.Errorf("%d: %q, %v", n, got, err)
					}
				})
			}
			close(start)
			wg.Wait()
			noCanary(t, "first use", nil, l)
		}
		var n int64
		must(t, warm.Model(&Room{}).Where("name IN ?", []string{secret(0), secret(1)}).Count(&n))
		if n != 2+2*4 {
			t.Errorf("%d rooms are found by their names, want 10", n)
		}
		leaked := false
		checkClinics(t, warm, &leaked)
	})
}

// TestTwoDatabases: one process writes the same models to two databases with keys
// of their own, at the same time. Each reads its own rows, and not the other's.
func TestTwoDatabases(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		dbs := [2]*gorm.DB{}
		logs := [2]*log{}
		for i := range dbs {
			dbs[i], logs[i] = mode{}.clinics(t, d)
		}
		var wg sync.WaitGroup
		for i, db := range dbs {
			for worker := range 4 {
				wg.Go(func() {
					for n := range 10 {
						name := fmt.Sprintf("%s of %d by %d, %d", canary, i, worker, n)
						if err := errors.Join(db.Create(&Room{Name: name}).Error, findRoom(db, name)); err != nil {
							t.Error(err)
							return
						}
						name += "!"
						if err := errors.Join(db.Model(&Room{}).Where("name = ?", name[:len(name)-1]).Update("name", name).Error, findRoom(db, name)); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
		}
		wg.Wait()
		for i, db := range dbs {
			noCanary(t, "two databases", nil, logs[i])
			leaked := false
			checkClinics(t, db, &leaked)
		}
		copyRoom(t, dbs[0], dbs[1])
		var r Room
		if err := dbs[1].First(&r, 1).Error; !errors.Is(err, fieldcrypt.ErrUnknownKey) && !errors.Is(err, fieldcrypt.ErrAuthentication) {
			t.Errorf("the other database's value: %q, %v", r.Name, err)
		}
	})
}

func findRoom(db *gorm.DB, name string) error {
	var rooms []Room
	err := db.Where("name = ?", name).Find(&rooms).Error
	if err == nil && (len(rooms) != 1 || rooms[0].Name != name) {
		err = fmt.Errorf("found %d rooms", len(rooms))
	}
	return err
}

// copyRoom copies what is stored of the first room's name to another database.
func copyRoom(t *testing.T, from, to *gorm.DB) {
	t.Helper()
	source, err := from.DB()
	if err != nil {
		t.Fatal(err)
	}
	target, err := to.DB()
	if err != nil {
		t.Fatal(err)
	}
	stored, err := column[[]byte](source, "SELECT name FROM rooms WHERE id = 1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := target.Exec("UPDATE rooms SET name = $1 WHERE id = 1", stored[0]); err != nil {
		t.Fatal(err)
	}
}
