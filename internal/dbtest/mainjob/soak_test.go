package mainjob_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
)

// soak returns how much to do: FIELDCRYPT_SOAK is unset, "short" or "long".
func soak(t *testing.T, short, long int) int {
	switch os.Getenv("FIELDCRYPT_SOAK") {
	case "short":
		return short
	case "long":
		return long
	}
	t.Skip("FIELDCRYPT_SOAK is not set (make soak)")
	return 0
}

// TestSoakRandomOperations drives a database and a map side by side with random
// writes, reads, searches, deletions, key rotations, evictions and KMS failures.
// At every step they agree, and at the end every row is readable and found.
func TestSoakRandomOperations(t *testing.T) {
	steps := soak(t, 400, 100_000)
	onEachDatabase(t, func(t *testing.T, e *env) {
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		s := &soaker{env: e, rng: rand.New(rand.NewPCG(seed, 0)), rows: map[uint64]patient{}}
		s.db, s.keys = e.app(t)
		for i := range steps {
			s.step(t, i)
			if t.Failed() {
				t.Fatalf("at step %d of seed %d", i, seed)
			}
		}
		s.env.kms.Recover()
		s.env.kms.Throttle(0)
		s.checkAll(t)
		e.noPlaintext(t)
	})
}

type soaker struct {
	env  *env
	rng  *rand.Rand
	db   *gorm.DB
	keys *keymgr.Manager
	rows map[uint64]patient // what the database must hold
	next int
}

func (s *soaker) step(t *testing.T, i int) {
	ok := func(err error) bool {
		t.Helper()
		switch {
		case err == nil:
			return true
		case errors.Is(err, fieldcrypt.ErrKMSUnavailable) || errors.Is(err, fieldcrypt.ErrKMSDenied):
			return false // the KMS was made to fail, and nothing may have changed
		}
		t.Errorf("step %d: %v", i, err)
		return false
	}
	switch n := s.rng.IntN(100); {
	case n < 30:
		p := s.fresh()
		if ok(s.db.Create(&p).Error) {
			s.rows[p.ID] = p
		}
	case n < 40:
		batch := []patient{s.fresh(), s.fresh(), s.fresh()}
		if ok(s.db.Create(&batch).Error) {
			for _, p := range batch {
				s.rows[p.ID] = p
			}
		}
	case n < 50:
		if p, found := s.any(); found {
			p.Name, p.Notes = s.text(), nil
			if ok(s.db.Save(&p).Error) {
				s.rows[p.ID] = p
			}
		}
	case n < 60:
		if p, found := s.any(); found {
			p.Card = s.text()
			if ok(s.db.Model(&patient{}).Where("mrn = ?", p.MRN).Update("card", p.Card).Error) {
				s.rows[p.ID] = p
			}
		}
	case n < 65:
		if p, found := s.any(); found {
			if ok(s.db.Where("mrn = ?", p.MRN).Delete(&patient{}).Error) {
				delete(s.rows, p.ID)
			}
		}
	case n < 90:
		if p, found := s.any(); found {
			var got patient
			if ok(s.db.Where("mrn = ?", p.MRN).First(&got).Error) {
				same(t, got, p)
			}
		}
	case n < 93:
		for _, d := range domains {
			s.keys.Evict(keymgr.Scope{Domain: d})
		}
	case n < 95:
		s.env.kms.Throttle(0.5)
	case n < 98:
		s.env.kms.Throttle(0)
	default:
		s.rotate(ok)
	}
}

// rotate adds a key and makes it the primary when it is old enough.
func (s *soaker) rotate(ok func(error) bool) {
	s.env.kms.Throttle(0)
	scope := keymgr.Scope{Domain: domains[s.rng.IntN(len(domains))]}
	ctx := s.db.Statement.Context
	id, err := s.keys.AddKey(ctx, scope, keymgr.Seal) // the unique index allows no two index keys
	if !ok(err) {
		return
	}
	s.env.clock.Advance(2 * time.Hour)
	ok(s.keys.PromoteKey(ctx, scope, keymgr.Seal, id))
}

func (s *soaker) fresh() patient {
	s.next++
	notes := s.text()
	return patient{Name: s.text(), MRN: fmt.Sprintf("%s MRN-%d", canary, s.next), Card: s.text(), Notes: &notes}
}

func (s *soaker) text() string {
	return canary + string(make([]rune, s.rng.IntN(3))) + fmt.Sprint(s.rng.Uint64())
}

func (s *soaker) any() (patient, bool) {
	for _, p := range s.rows {
		return p, true
	}
	return patient{}, false
}

func (s *soaker) checkAll(t *testing.T) {
	var all []patient
	if err := s.db.Find(&all).Error; err != nil || len(all) != len(s.rows) {
		t.Fatalf("%d rows, %v; want %d", len(all), err, len(s.rows))
	}
	for _, p := range all {
		same(t, p, s.rows[p.ID])
		var found patient
		if err := s.db.Where(&patient{MRN: p.MRN}).First(&found).Error; err != nil || found.ID != p.ID {
			t.Errorf("row %d is not found: %v", p.ID, err)
		}
	}
}

func same(t *testing.T, got, want patient) {
	t.Helper()
	notes := func(p patient) string {
		if p.Notes == nil {
			return "NULL"
		}
		return "=" + *p.Notes
	}
	if got.ID != want.ID || got.Name != want.Name || got.MRN != want.MRN || got.Card != want.Card || notes(got) != notes(want) {
		t.Errorf("row %d is not what was written", want.ID)
	}
}

// TestSoakManyRows writes many rows and reads all of them back, in pages.
func TestSoakManyRows(t *testing.T) {
	n := soak(t, 5_000, 1_000_000)
	onEachDatabase(t, func(t *testing.T, e *env) {
		db, _ := e.app(t)
		e.kms.ResetCalls()
		const page = 500
		name := func(i int) string { return fmt.Sprintf("Name %d", i) }
		for at := 0; at < n; at += page {
			var batch []patient
			for i := at; i < at+page; i++ {
				batch = append(batch, patient{Name: name(i), MRN: fmt.Sprint("MRN-", i), Card: fmt.Sprint(i)})
			}
			if err := db.Create(&batch).Error; err != nil {
				t.Fatal(err)
			}
		}
		read := 0
		var rows []patient
		err := db.FindInBatches(&rows, page, func(tx *gorm.DB, batch int) error {
			for _, p := range rows {
				if i := int(p.ID) - 1; p.Name != name(i) || p.MRN != fmt.Sprint("MRN-", i) || p.Card != fmt.Sprint(i) {
					return fmt.Errorf("row %d is not what was written", p.ID)
				}
				read++
			}
			return nil
		}).Error
		if err != nil || read != n {
			t.Errorf("read %d of %d rows, %v", read, n, err)
		}
		if calls := len(e.kms.Calls()); calls != 0 {
			t.Errorf("%d KMS calls", calls)
		}
	})
}
