package drivertest

import (
	"encoding/binary"
	"slices"

	"github.com/fieldcrypt/go/keymgr"
)

// rotation: rows of before and after a change of keys are read and found, and new
// ones are written under the new keys.
func (s *suite) rotation() {
	s.insertPeople(1)
	added := map[keymgr.Purpose]uint32{}
	for _, purpose := range []keymgr.Purpose{keymgr.Seal, keymgr.Index} {
		id, err := s.keys.AddKey(s.ctx, medical, purpose)
		s.ok(err)
		added[purpose] = id
	}
	s.insertPeople(2) // the new keys are pending: nothing is written under them
	s.clock.Advance(maxStale + cacheTTL + 1)
	for purpose, id := range added {
		s.ok(s.keys.PromoteKey(s.ctx, medical, purpose, id))
	}
	s.insertPeople(3)

	for id := int64(1); id <= 3; id++ {
		want := person(id)
		s.same("the row", s.getPerson(id), want)
		if ids := s.found("MRN", want.MRN); !slices.Equal(ids, []int64{id}) {
			s.Errorf("%s is found in %v", want.MRN, ids)
		}
		sealKey := binary.BigEndian.Uint32(s.stored(people, "mrn", id)[keyIDAt:])
		indexKey := binary.BigEndian.Uint32(s.stored(people, "mrn_bidx", id))
		if isNew := id == 3; (sealKey == added[keymgr.Seal]) != isNew || (indexKey == added[keymgr.Index]) != isNew {
			s.Errorf("row %d is written under the keys %08x and %08x; the new ones are %08x", id, sealKey, indexKey, added)
		}
	}
	if ids := s.found("MRN", "MRN-00001", "MRN-00002", "MRN-00003"); !slices.Equal(ids, []int64{1, 2, 3}) {
		s.Errorf("a list finds %v", ids)
	}
	// Writing an old row moves it to the new keys.
	p := s.getPerson(1)
	s.ok(s.Update(s.ctx, &p, "Name", "MRN", "Notes"))
	if key := binary.BigEndian.Uint32(s.stored(people, "mrn", 1)[keyIDAt:]); key != added[keymgr.Seal] {
		s.Errorf("an update wrote under key %08x", key)
	}
	if ids := s.found("MRN", p.MRN); !slices.Equal(ids, []int64{1}) {
		s.Errorf("%s is found in %v", p.MRN, ids)
	}
}
