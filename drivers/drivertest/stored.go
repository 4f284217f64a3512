package drivertest

import (
	"bytes"
	"fmt"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// Places in a stored value of the default key type (FORMAT.md).
const (
	keyIDAt = 3
	saltAt  = 7
	ivAt    = 19
)

// storedForm: what the database holds are stored values, with one salt per row,
// domain and statement.
func (s *suite) storedForm() {
	s.insertPeople(1, 2)
	salts := map[string]string{}
	for _, id := range []int64{1, 2} {
		for _, column := range []string{"name", "mrn", "notes", "card"} {
			b := s.stored(people, column, id)
			if len(b) < fieldcrypt.Overhead || !bytes.HasPrefix(b, []byte{0xFC, 1, 1}) {
				s.Fatalf("%s of %d is no stored value", column, id)
			}
			domain := "medical"
			if column == "card" {
				domain = "finance"
			}
			group := fmt.Sprint(id, domain)
			salt := string(b[saltAt:ivAt])
			if salts[group] == "" {
				for other, used := range salts {
					if used == salt {
						s.Errorf("%s and %s share a salt", group, other)
					}
				}
				salts[group] = salt
			}
			if salts[group] != salt {
				s.Errorf("the fields of %s do not share a salt", group)
			}
		}
	}
	if n := len(s.stored(people, "notes", 1)) - fieldcrypt.Overhead; n%64 != 0 {
		s.Errorf("a padded value has %d bytes of plaintext", n)
	}
	before := map[string][]byte{}
	for _, column := range []string{"mrn", "card", "card_bidx"} {
		before[column] = s.stored(people, column, 1)
	}
	p := person(1)
	s.ok(s.Update(s.ctx, &p, "Card"))
	if !bytes.Equal(s.stored(people, "mrn", 1), before["mrn"]) {
		s.Error("a field that was not updated was sealed again")
	}
	if now := s.stored(people, "card", 1); bytes.Equal(now[saltAt:ivAt], before["card"][saltAt:ivAt]) {
		s.Error("an update took the row's old salt")
	}
	if !bytes.Equal(s.stored(people, "card_bidx", 1), before["card_bidx"]) {
		s.Error("the index of one value is not always the same")
	}
	for column, size := range map[string]int{"mrn_bidx": 20, "name_bidx": 20, "card_bidx": 20, "name_mrn_bidx": 20, "card_last4_bidx": 6} {
		if n := len(s.stored(people, column, 1)); n != size {
			s.Errorf("%s has %d bytes, want %d", column, n, size)
		}
	}
}

// batch: many rows in one call are sealed one by one.
func (s *suite) batch() {
	var rows []Person
	for id := int64(1); id <= 300; id++ {
		rows = append(rows, person(id))
	}
	s.ok(s.InsertMany(s.ctx, &rows))
	seen := map[string]bool{}
	for _, id := range []int64{1, 2, 150, 300} {
		want := person(id)
		s.same("the caller's row", rows[id-1], want)
		s.same("the stored row", s.getPerson(id), want)
		if ids := s.found("MRN", want.MRN); len(ids) != 1 || ids[0] != id {
			s.Errorf("%s is found in %v", want.MRN, ids)
		}
		salt := string(s.stored(people, "mrn", id)[saltAt:ivAt])
		if seen[salt] {
			s.Error("two rows share a salt")
		}
		seen[salt] = true
	}
}

// update: an update moves the indexes along, and leaves other rows alone.
func (s *suite) update() {
	s.insertPeople(1, 2)
	p := person(1)
	p.Name, p.MRN, p.Card, p.Notes, p.Ward = "New Name", "MRN-NEW", "5555", nil, "B"
	s.ok(s.Update(s.ctx, &p, "Name", "MRN", "Card", "Notes", "Ward"))
	s.same("the caller's row", p, Person{1, "B", "New Name", "MRN-NEW", "5555", nil})
	s.same("the updated row", s.getPerson(1), p)
	s.same("the other row", s.getPerson(2), person(2))
	for field, values := range map[string][2]any{"MRN": {"MRN-00001", "MRN-NEW"}, "Name": {"ünal 1", "NEW name"}, "Card": {"4242 4242 0001", "55-55"}} {
		if ids := s.found(field, values[0]); len(ids) != 0 {
			s.Errorf("the old %s is found in %v", field, ids)
		}
		if ids := s.found(field, values[1]); len(ids) != 1 || ids[0] != 1 {
			s.Errorf("the new %s is found in %v", field, ids)
		}
	}
	// Without the other fields of an index over several it would no longer fit.
	bad := person(2)
	bad.MRN = "MRN-ALONE"
	s.fails("Update of one field of an index over two", s.Update(s.ctx, &bad, "MRN"), fieldcrypt.ErrUnsupported)
	s.same("the row", s.getPerson(2), person(2))
}
