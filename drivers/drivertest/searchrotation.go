package drivertest

import (
	"encoding/binary"
	"reflect"
	"slices"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
)

// searchRotation: rows are found under whatever index key of theirs, also that of
// an instance which is ahead of this one.
func (s *suite) searchRotation() {
	s.insertPeople(1, 2)
	added := map[keymgr.Purpose]uint32{}
	for _, purpose := range []keymgr.Purpose{keymgr.Seal, keymgr.Index} {
		id, err := s.keys.AddKey(s.ctx, medical, purpose)
		s.ok(err)
		added[purpose] = id
	}
	s.clock.Advance(maxStale + cacheTTL + 1)
	s.insertPeople(3) // reads the keys again: the new ones are pending still

	// Another instance promotes them and writes row 2.
	ahead := s.manager()
	for purpose, id := range added {
		s.ok(ahead.PromoteKey(s.ctx, medical, purpose, id))
	}
	s.written(ahead, 2)
	s.insertPeople(4)
	s.writtenUnder("mrn_bidx", added[keymgr.Index], 2)
	s.findsAll("with a key that is pending", 1, 2, 3, 4)

	s.cold()
	s.insertPeople(5)
	s.writtenUnder("mrn_bidx", added[keymgr.Index], 2, 5)
	s.findsAll("with a new key", 1, 2, 3, 4, 5)
	for _, id := range []int64{4, 5} { // one value is unique under either key
		again := person(6)
		again.MRN = person(id).MRN
		if id == 4 {
			s.written(ahead, 4)
		}
		if err := s.Insert(s.ctx, &again); err == nil {
			s.Errorf("row %d has a value that is unique, and so has another", id)
		}
	}
	n, err := s.Count(s.ctx, &Person{}, "MRN", person(1).MRN)
	s.ok(err)
	if n != 1 {
		s.Errorf("Count of a row under the old key = %d", n)
	}
	for _, id := range []int64{1, 5} {
		n, err = s.Delete(s.ctx, &Person{}, "MRN", person(id).MRN)
		s.ok(err)
		if n != 1 {
			s.Errorf("Delete of row %d deletes %d", id, n)
		}
	}
	s.findsAll("after deletions", 2, 3, 4)
}

// written writes the number of a row as an instance with other keys would.
func (s *suite) written(keys *keymgr.Manager, id int64) {
	s.Helper()
	fc := fieldcrypt.New(keys, fieldcrypt.Config{})
	m, err := fc.Model(Person{})
	s.ok(err)
	mrn := m.Field("MRN")
	sealer, value := fc.Sealer(s.ctx, fieldcrypt.Row{}), reflect.ValueOf(person(id).MRN)
	stored, err := sealer.Seal(mrn, value)
	s.ok(err)
	term, err := sealer.Index(mrn.SearchIndex(), value)
	s.ok(err)
	s.ok(s.Overwrite(s.ctx, people, "mrn", id, stored))
	s.ok(s.Overwrite(s.ctx, people, "mrn_bidx", id, term))
}

// writtenUnder checks which rows' indexes are under a key.
func (s *suite) writtenUnder(column string, key uint32, ids ...int64) {
	s.Helper()
	for id := int64(1); id <= 5; id++ {
		b, err := s.Stored(s.ctx, people, column, id)
		if err != nil {
			continue // there is no such row yet
		}
		if is := binary.BigEndian.Uint32(b) == key; is != slices.Contains(ids, id) {
			s.Errorf("row %d is written under the key: %v; want that of %v", id, is, ids)
		}
	}
}

// findsAll looks for every row among all, and reads each.
func (s *suite) findsAll(when string, want ...int64) {
	s.Helper()
	var numbers []any
	for id := int64(1); id <= 5; id++ {
		numbers = append(numbers, person(id).MRN)
	}
	if got := s.found("MRN", numbers...); !slices.Equal(got, want) {
		s.Errorf("%s %v is found, want %v", when, got, want)
	}
	for _, id := range want {
		if got := s.found("MRN", person(id).MRN); !slices.Equal(got, []int64{id}) {
			s.Errorf("%s row %d is found in %v", when, id, got)
		}
		s.same("the row "+when, s.getPerson(id), person(id))
	}
}
