package drivertest

import (
	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
)

// reindex: an index that moves to another key is written in both columns, and
// stays unique across the move. The Driver must be a Reindexer.
func (s *suite) reindex() {
	d, ok := s.Driver.(Reindexer)
	if !ok {
		s.Skip("the driver is no Reindexer")
	}
	const next = "mrn_bidx" + fieldcrypt.NextSuffix
	s.insertPeople(1)
	s.ok(d.AddUnique(s.ctx, people, next))
	s.insertPeople(2)
	if s.stored(people, next, 2) != nil {
		s.Error("the second column is written before the index moves")
	}
	key, err := s.keys.AddKey(s.ctx, medical, keymgr.Index)
	s.ok(err)
	s.ok(s.keys.BeginReindex(s.ctx, medical, "drivertest_people.mrn_bidx", key))
	s.insertPeople(3)
	s.writtenUnder("mrn_bidx", key)
	for id := int64(1); id <= 2; id++ { // the backfill
		p := s.getPerson(id)
		s.ok(s.Update(s.ctx, &p, "Name", "MRN", "Notes"))
	}
	s.writtenUnder("mrn_bidx", key)
	s.writtenUnder(next, key, 1, 2, 3)

	s.clock.Advance(maxStale + cacheTTL + 1)
	s.ok(s.keys.PromoteKey(s.ctx, medical, keymgr.Index, key))
	s.insertPeople(4)
	s.writtenUnder("mrn_bidx", key, 4)
	s.writtenUnder(next, key, 1, 2, 3, 4)
	for id := int64(1); id <= 4; id++ {
		again := person(5)
		again.MRN = person(id).MRN
		if err := s.Insert(s.ctx, &again); err == nil {
			s.Errorf("row %d has a value that is unique, and so has another", id)
		}
	}
	s.findsAll("during the move", 1, 2, 3, 4)
	s.ok(s.keys.EndReindex(s.ctx, medical, "drivertest_people.mrn_bidx"))
	s.insertPeople(5)
	if s.stored(people, next, 5) != nil {
		s.Error("the second column is written after the move")
	}
	s.findsAll("after the move", 1, 2, 3, 4, 5)
}
