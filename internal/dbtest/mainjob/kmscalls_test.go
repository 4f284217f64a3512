package mainjob_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/fieldcrypt/go/keymgr"
)

func insertMany(n int) []patient {
	var out []patient
	for i := range n {
		out = append(out, patient{Name: fmt.Sprintf("Name %d", i), MRN: fmt.Sprintf("MRN-%d", i), Card: fmt.Sprintf("4111 1111 1111 %04d", i)})
	}
	return out
}

func TestAPageOfRowsCostsOneKMSCallPerScope(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, e *env) {
		db, keys := e.app(t)
		rows := insertMany(1000)
		if err := db.CreateInBatches(&rows, 200).Error; err != nil {
			t.Fatal(err)
		}
		read := func() {
			t.Helper()
			var got []patient
			if err := db.Find(&got).Error; err != nil || len(got) != 1000 {
				t.Fatalf("%d rows, %v", len(got), err)
			}
			for i, p := range got {
				if p.Name != rows[i].Name || p.Card != rows[i].Card {
					t.Fatalf("row %d is not what was written", i)
				}
			}
		}
		e.kms.ResetCalls()
		read()
		if n := len(e.kms.Calls()); n != 0 {
			t.Errorf("a cached page made %d KMS calls", n)
		}
		for _, d := range domains {
			keys.Evict(keymgr.Scope{Domain: d})
		}
		read()
		calls := e.kms.Calls()
		opened := map[string]int{}
		for _, c := range calls {
			if c.Operation != "Decrypt" {
				t.Errorf("a read made a %s call", c.Operation)
			}
			opened[c.EncryptionContext["fieldcrypt:domain"]]++
		}
		if len(calls) != 2 || opened["medical"] != 1 || opened["finance"] != 1 {
			t.Errorf("a cold page made the calls %v", opened)
		}
	})
}

func TestAHundredColdGoroutinesMakeOneCallPerScope(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, e *env) {
		db, keys := e.app(t)
		if err := db.Create(&patient{Name: "Ann", MRN: "MRN-1", Card: "4111"}).Error; err != nil {
			t.Fatal(err)
		}
		for _, d := range domains {
			keys.Evict(keymgr.Scope{Domain: d})
		}
		e.kms.SetLatency(50 * time.Millisecond) // so that they meet
		e.kms.ResetCalls()
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				var p patient
				if err := db.Where("mrn = ?", "MRN-1").First(&p).Error; err != nil || p.Name != "Ann" {
					t.Errorf("%q, %v", p.Name, err)
				}
			})
		}
		wg.Wait()
		if n := len(e.kms.Calls()); n != len(domains) {
			t.Errorf("%d KMS calls; want %d", n, len(domains))
		}
	})
}
