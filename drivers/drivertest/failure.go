package drivertest

import (
	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
)

// kmsFailures: with cold keys and a KMS that says no, or nothing, nothing is
// written or read, and all goes on when it is back.
func (s *suite) kmsFailures() {
	s.insertPeople(1)
	for _, c := range []struct {
		name string
		fail func(*keymgrtest.KEK)
		want error
	}{
		{"denied", (*keymgrtest.KEK).Deny, fieldcrypt.ErrKMSDenied},
		{"unavailable", (*keymgrtest.KEK).Unavailable, fieldcrypt.ErrKMSUnavailable},
	} {
		for _, kek := range s.kms {
			c.fail(kek)
		}
		s.withoutKeys("KMS "+c.name, c.want)
		for _, kek := range s.kms {
			kek.Recover()
		}
		s.same("the row, with the KMS back", s.getPerson(1), person(1))
	}
}

// storeGone: the same without the store.
func (s *suite) storeGone() {
	s.insertPeople(1)
	s.store.gone.Store(true)
	s.withoutKeys("store gone", fieldcrypt.ErrStoreUnavailable)
	s.store.gone.Store(false)
	s.same("the row, with the store back", s.getPerson(1), person(1))
}

// withoutKeys does everything while no key can be had.
func (s *suite) withoutKeys(state string, want error) {
	s.Helper()
	s.cold()
	dump, err := s.Dump(s.ctx)
	s.ok(err)

	row := person(2)
	s.fails(state+": Insert", s.Insert(s.ctx, &row), want)
	s.same(state+": the caller's row", row, person(2))
	rows := []Person{person(3), person(4)}
	s.fails(state+": InsertMany", s.InsertMany(s.ctx, &rows), want)
	s.same(state+": the caller's rows", rows[1], person(4))
	row = person(1)
	row.Card = "1"
	s.fails(state+": Update", s.Update(s.ctx, &row, "Card"), want)
	if row.Card != "1" {
		s.Errorf("%s: the caller's row was changed", state)
	}
	var got Person
	s.fails(state+": Get", s.Get(s.ctx, &got, 1), want)
	var found []Person
	s.fails(state+": Find", s.Find(s.ctx, &found, "MRN", "MRN-00001"), want)
	_, err = s.Count(s.ctx, &Person{}, "MRN", "MRN-00001")
	s.fails(state+": Count", err, want)
	_, err = s.Delete(s.ctx, &Person{}, "MRN", "MRN-00001")
	s.fails(state+": Delete", err, want)

	after, err := s.Dump(s.ctx)
	s.ok(err)
	if string(after) != string(dump) {
		s.Errorf("%s: something was written", state)
	}
	if got.MRN != "" || len(found) > 0 && found[0].MRN != "" {
		s.Errorf("%s: something was read", state)
	}
}
