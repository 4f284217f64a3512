package drivertest

import (
	"slices"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// tenantSearch: searches, counts and deletions stay in the context's tenant.
func (s *suite) tenantSearch() {
	s.twoClinics()
	for _, c := range []struct {
		tenant, field string
		values        []any
		want          []int64
	}{
		{acme, "MRN", []any{"MRN-1"}, []int64{1}},
		{hill, "MRN", []any{"MRN-1"}, []int64{101}},
		{acme, "MRN", []any{"MRN-1", "MRN-2", "MRN-9"}, []int64{1, 2}},
		{hill, "Name", []any{"ÜNAL 2"}, []int64{102}},
		{hill, "Name", []any{"ünal 2", "ünal 1"}, []int64{101, 102}},
		{acme, "Notes", []any{"note"}, []int64{1, 2}},
		{acme, "MRN", []any{"MRN-9"}, []int64{}},
	} {
		if got := foundOf[Resident](s, s.in(c.tenant), c.field, c.values...); !slices.Equal(got, c.want) {
			s.Errorf("%s: %s in %v is found in %v, want %v", c.tenant, c.field, c.values, got, c.want)
		}
	}
	n, err := s.Count(s.in(acme), &Resident{}, "Notes", "note")
	s.ok(err)
	if n != 2 {
		s.Errorf("Count = %d, want 2", n)
	}

	before := s.bytes()
	var rows []Resident
	for tenant, want := range map[string]error{"": fieldcrypt.ErrNoTenant, none: fieldcrypt.ErrScopeNotFound} {
		ctx := s.in(tenant)
		s.fails("Find for "+tenant, s.Find(ctx, &rows, "MRN", "MRN-1"), want)
		s.fails("Find of several for "+tenant, s.Find(ctx, &rows, "MRN", "MRN-1", "MRN-2"), want)
		_, err = s.Count(ctx, &Resident{}, "MRN", "MRN-1")
		s.fails("Count for "+tenant, err, want)
		_, err = s.Delete(ctx, &Resident{}, "MRN", "MRN-1")
		s.fails("Delete for "+tenant, err, want)
	}
	s.unchanged("a search without keys", before)

	// Who can write the database gives another tenant's row the index of one's own.
	s.ok(s.Overwrite(s.ctx, residents, "name_bidx", 102, s.stored(residents, "name_bidx", 1)))
	if got := foundOf[Resident](s, s.in(acme), "Name", "ünal 1"); !slices.Equal(got, []int64{1}) {
		s.Errorf("with a copied index %v is found", got)
	}
	n, err = s.Delete(s.in(acme), &Resident{}, "Name", "ünal 1")
	s.ok(err)
	if n != 1 {
		s.Errorf("Delete of %d", n)
	}
	n, err = s.Delete(s.in(hill), &Resident{}, "MRN", "MRN-1")
	s.ok(err)
	s.same("a row of the other tenant", getOf[Resident](s, s.ctx, 102), residentOf(hill, 102))
	if got := foundOf[Resident](s, s.in(acme), "MRN", "MRN-1", "MRN-2"); n != 1 || !slices.Equal(got, []int64{2}) {
		s.Errorf("Delete of %d leaves %v", n, got)
	}
}
