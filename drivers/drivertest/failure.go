package drivertest

import (
	"slices"

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
		s.cold() // or a second passes: a scope that failed often is not tried at each use
		s.same("the row, with the KMS back", s.getPerson(1), person(1))
	}
	s.oneDomainDenied()
}

// oneDomainDenied: without the keys of one domain, what does without them goes on.
func (s *suite) oneDomainDenied() {
	s.kms["finance"].Deny()
	s.kms["clinical"].Deny()
	s.cold()
	t := Twin{ID: 1, Name: "Ünal", MRN: "1"}
	s.ok(s.Insert(s.ctx, &t))
	if ids := foundOf[Twin](s, s.ctx, "MRN", "1"); !slices.Equal(ids, []int64{1}) {
		s.Errorf("%v is found", ids)
	}
	p := person(1)
	p.Notes = nil
	s.ok(s.Update(s.ctx, &p, "Name", "MRN", "Notes"))
	n, err := s.Count(s.ctx, &Person{}, "MRN", p.MRN)
	s.ok(err)
	if n != 1 {
		s.Errorf("Count = %d, want 1", n)
	}
	s.fails("Get with the keys of one domain denied", s.Get(s.ctx, &Person{}, 1), fieldcrypt.ErrKMSDenied)
	r := resident(1)
	s.fails("Insert of a row with the keys of its domains denied", s.Insert(s.in(acme), &r), fieldcrypt.ErrKMSDenied)
	s.kms["finance"].Recover()
	s.kms["clinical"].Recover()
	s.cold()
	s.same("the row, with all keys back", s.getPerson(1), p)
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

	clinic := s.in(acme)
	patient := resident(2)
	s.fails(state+": Insert for a tenant", s.Insert(clinic, &patient), want)
	s.same(state+": the caller's row of a tenant", clearTenant(patient), resident(2))
	s.fails(state+": Update for a tenant", s.Update(clinic, &patient, "Name"), want)
	s.fails(state+": Find for a tenant", s.Find(clinic, &[]Resident{}, "MRN", "MRN-1"), want)
	bound := sample(2)
	s.fails(state+": Insert of bound values", s.Insert(s.ctx, &bound), want)
	s.same(state+": the caller's row of bound values", bound, sample(2))
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
