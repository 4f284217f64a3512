package drivertest

import (
	"encoding/binary"
	"slices"

	"github.com/fieldcrypt/go/keymgr"
)

// tenantRotation: one tenant's keys change, and nothing of the other's.
func (s *suite) tenantRotation() {
	s.twoClinics()
	added := map[keymgr.Purpose]uint32{}
	for _, purpose := range []keymgr.Purpose{keymgr.Seal, keymgr.Index} {
		id, err := s.keys.AddKey(s.ctx, ofAcme, purpose)
		s.ok(err)
		added[purpose] = id
	}
	s.clock.Advance(maxStale + cacheTTL + 1)
	for purpose, id := range added {
		s.ok(s.keys.PromoteKey(s.ctx, ofAcme, purpose, id))
	}
	rows := []Resident{residentOf(acme, 3), residentOf(hill, 103)}
	s.ok(s.InsertMany(s.ctx, &rows))
	for id := int64(1); id <= 3; id++ {
		s.same("the row", getOf[Resident](s, s.ctx, id), residentOf(acme, id))
		s.same("the other tenant's row", getOf[Resident](s, s.ctx, id+100), residentOf(hill, id+100))
		for _, row := range []int64{id, id + 100} {
			sealKey := binary.BigEndian.Uint32(s.stored(residents, "mrn", row)[keyIDAt:])
			indexKey := binary.BigEndian.Uint32(s.stored(residents, "mrn_bidx", row))
			if isNew := row == 3; (sealKey == added[keymgr.Seal]) != isNew || (indexKey == added[keymgr.Index]) != isNew {
				s.Errorf("row %d is written under the keys %08x and %08x; the new ones are %08x", row, sealKey, indexKey, added)
			}
		}
	}
	all := []any{"MRN-1", "MRN-2", "MRN-3"}
	if got := foundOf[Resident](s, s.in(acme), "MRN", all...); !slices.Equal(got, []int64{1, 2, 3}) {
		s.Errorf("%v is found", got)
	}
	if got := foundOf[Resident](s, s.in(hill), "MRN", all...); !slices.Equal(got, []int64{101, 102, 103}) {
		s.Errorf("%v is found of the other tenant", got)
	}
	n, err := s.Count(s.in(acme), &Resident{}, "Notes", "note")
	s.ok(err)
	if n != 3 {
		s.Errorf("Count = %d, want 3", n)
	}
}
