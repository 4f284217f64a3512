package drivertest

import (
	"encoding/binary"
	"fmt"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// refusals are the classes of what does not open.
var refusals = []error{fieldcrypt.ErrNotSealed, fieldcrypt.ErrAuthentication, fieldcrypt.ErrUnknownKey, fieldcrypt.ErrWrongType}

// tampering: no byte of a stored value can be changed or cut off.
func (s *suite) tampering() {
	s.insertPeople(1)
	was := s.stored(people, "mrn", 1)
	for i := range was {
		changed := append([]byte(nil), was...)
		changed[i] ^= 1 << (i % 8)
		s.overwritten(fmt.Sprintf("with a bit of byte %d flipped", i), changed)
		s.overwritten(fmt.Sprintf("cut off after %d bytes", i), was[:i])
	}
	s.overwritten("with a byte more", append(was[:len(was):len(was)], 0))
	s.overwritten("as plaintext", []byte("MRN-00001"))
	s.overwritten("as long plaintext", []byte("MRN-00001, which is longer than a stored value is at least"))
	s.overwritten("of another version", append([]byte{0xFC, 2}, was[2:]...))
	s.ok(s.Overwrite(s.ctx, people, "mrn", 1, was))
	s.same("the row, put back", s.getPerson(1), person(1))
}

// overwritten reads a row whose column mrn was overwritten.
func (s *suite) overwritten(how string, value []byte) {
	s.Helper()
	s.ok(s.Overwrite(s.ctx, people, "mrn", 1, value))
	var p Person
	s.fails("Get of a value "+how, s.Get(s.ctx, &p, 1), refusals...)
	if p.MRN != "" {
		s.Errorf("a value %s came back", how)
	}
	var rows []Person
	s.fails("Find of a value "+how, s.Find(s.ctx, &rows, "Name", "ünal 1"), refusals...)
	for _, p := range rows {
		if p.MRN != "" {
			s.Errorf("a value %s came back in a list", how)
		}
	}
}

// swapping: a value opens in its own column only.
func (s *suite) swapping() {
	s.insertPeople(1)
	t := Twin{ID: 1, Name: "Ünal 1", MRN: "MRN-00001"}
	s.ok(s.Insert(s.ctx, &t))
	name, mrn, card := s.stored(people, "name", 1), s.stored(people, "mrn", 1), s.stored(people, "card", 1)

	var p Person
	s.ok(s.Overwrite(s.ctx, people, "mrn", 1, name))
	s.fails("Get of another column's value", s.Get(s.ctx, &p, 1), fieldcrypt.ErrAuthentication)
	s.ok(s.Overwrite(s.ctx, people, "mrn", 1, s.stored(twins, "mrn", 1)))
	s.fails("Get of another table's value", s.Get(s.ctx, &p, 1), fieldcrypt.ErrAuthentication)
	s.ok(s.Overwrite(s.ctx, people, "mrn", 1, card))
	s.fails("Get of another domain's value", s.Get(s.ctx, &p, 1), fieldcrypt.ErrUnknownKey, fieldcrypt.ErrAuthentication)
	s.ok(s.Overwrite(s.ctx, people, "mrn", 1, mrn))
	s.same("the row, put back", s.getPerson(1), person(1))
}

// foreignKeys: an id of no key is an unknown key, however often it is planted.
func (s *suite) foreignKeys() {
	s.insertPeople(1)
	was := s.stored(people, "mrn", 1)
	calls := s.kms["medical"].Calls().Total()
	for i := range 20 {
		planted := append([]byte(nil), was...)
		binary.BigEndian.PutUint32(planted[keyIDAt:], binary.BigEndian.Uint32(was[keyIDAt:])+uint32(i)+1)
		s.ok(s.Overwrite(s.ctx, people, "mrn", 1, planted))
		s.fails("Get of a value with an id of no key", s.Get(s.ctx, &Person{}, 1), fieldcrypt.ErrUnknownKey)
	}
	if n := s.kms["medical"].Calls().Total() - calls; n != 0 {
		s.Errorf("planted key ids made %d KMS calls", n)
	}
}
