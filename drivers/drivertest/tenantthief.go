package drivertest

import (
	"slices"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
)

// tenantThief: a row that was given to another tenant opens for nobody, and
// neither does a value that was.
func (s *suite) tenantThief() {
	s.twoClinics()
	for tenant, want := range map[string][]error{
		hill:  {fieldcrypt.ErrUnknownKey, fieldcrypt.ErrAuthentication},
		none:  {fieldcrypt.ErrScopeNotFound},
		"":    {fieldcrypt.ErrNoTenant},
		"a b": {keymgr.ErrInvalidScope},
	} {
		s.ok(s.Overwrite(s.ctx, residents, "clinic", 1, []byte(tenant)))
		var r Resident
		s.fails("Get of a row given to "+tenant, s.Get(s.ctx, &r, 1), want...)
		var rows []Resident
		if err := s.Find(s.in(hill), &rows, "MRN", "MRN-1"); err != nil || len(rows) != 1 || rows[0].ID != 101 {
			s.Errorf("Find beside a row given to %s: %d rows, %v", tenant, len(rows), err)
		}
		if err := s.Find(s.in(acme), &rows, "MRN", "MRN-1"); err == nil && len(rows) > 0 {
			s.Errorf("a row given to %s is found", tenant)
		}
		if r.Name+r.MRN != "" {
			s.Errorf("a row given to %s came back", tenant)
		}
	}
	s.ok(s.Overwrite(s.ctx, residents, "clinic", 1, nil))
	for _, tenant := range []string{"", hill} {
		var r Resident
		if err := s.Get(s.in(tenant), &r, 1); err == nil || r.Name+r.MRN != "" {
			s.Errorf("a row that was taken from its tenant came back to %q: %v", tenant, err)
		}
	}
	s.ok(s.Overwrite(s.ctx, residents, "clinic", 1, []byte(acme)))
	s.same("the row, given back", getOf[Resident](s, s.ctx, 1), residentOf(acme, 1))

	for _, column := range []string{"name", "mrn", "notes"} {
		was := s.stored(residents, column, 1)
		s.ok(s.Overwrite(s.ctx, residents, column, 1, s.stored(residents, column, 101)))
		var r Resident
		s.fails("Get of another tenant's "+column, s.Get(s.in(hill), &r, 1), fieldcrypt.ErrUnknownKey, fieldcrypt.ErrAuthentication)
		s.ok(s.Overwrite(s.ctx, residents, column, 1, was))
	}
	s.same("the row, put back", getOf[Resident](s, s.ctx, 1), residentOf(acme, 1))
	scopes, err := s.store.Scopes(s.ctx, keymgr.Scope{}, 10)
	s.ok(err)
	if len(scopes) != 4 || slices.Contains(scopes, keymgr.Scope{Domain: "clinical", Tenant: none}) {
		s.Errorf("there are keys of %v", scopes)
	}
}
