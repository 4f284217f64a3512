package gorm_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// One DB, and one session with conditions, serve goroutines of several tenants;
// each finds its own rows, and nothing is left running.
func TestHostileManyGoroutines(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, _ := clinics(t, d, gorm.Config{PrepareStmt: true})
		members, _ := clubhouse(t, d, 60)
		searched := members.Where("card = ?", card(3)).Session(&gorm.Session{})
		before := runtime.NumGoroutine()
		var wg sync.WaitGroup
		for g := range 6 {
			tenant := []string{acme, hill}[g%2]
			wg.Go(func() {
				own := db.WithContext(fieldcrypt.WithTenant(context.Background(), tenant))
				for i := range 8 {
					number := fmt.Sprint(tenant, "-", g, "-", i)
					rows := make([]Resident, 17)
					for j := range rows {
						rows[j] = Resident{Name: number, MRN: fmt.Sprint(number, "-", j), Ward: tenant}
					}
					if err := own.Create(&rows).Error; err != nil {
						t.Error(err)
						return
					}
					if err := own.Model(&Resident{}).Where("name = ?", number).Update("name", number+"!").Error; err != nil {
						t.Error(err)
					}
					var got []Resident
					if err := own.Where("name = ?", number+"!").Find(&got).Error; err != nil || len(got) != 17 || got[0].Clinic != tenant || got[0].Ward != tenant {
						t.Errorf("%d rows, %v", len(got), err)
					}
					var some []Member
					if err := searched.Order("id").Limit(2).Find(&some).Error; err != nil || len(some) != 2 || some[1].ID != 23 {
						t.Errorf("%v, %v", idsOf(some), err)
					}
					short, cancel := context.WithTimeout(own.Statement.Context, time.Nanosecond)
					if err := own.WithContext(short).Where("name = ?", number).Find(&got).Error; err == nil || !errors.Is(err, context.DeadlineExceeded) {
						t.Logf("a context that has ended: %v", err)
					}
					cancel()
				}
			})
		}
		wg.Wait()
		for range 100 {
			if runtime.NumGoroutine() <= before+4 {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
		t.Errorf("%d goroutines, before %d", runtime.NumGoroutine(), before)
	})
}
