package drivertest

import (
	"slices"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// tenantUpdate: updates stay in the tenant too.
func (s *suite) tenantUpdate() {
	s.twoClinics()
	before := s.bytes()
	row := resident(1)
	row.Name, row.MRN, row.Notes = "x", "x", nil
	for _, fields := range [][]string{{"Name"}, {"Name", "MRN", "Notes"}} {
		r := row
		_ = s.Update(s.in(hill), &r, fields...) // whether that is an error is the driver's choice
		s.unchanged("Update of another tenant's row", before)
	}
	row.Clinic = acme
	r := row
	s.fails("Update of a row that names another tenant", s.Update(s.in(hill), &r, "Name"), fieldcrypt.ErrTenantMismatch)
	s.same("the caller's row", r, row)
	if _, ok := s.Driver.(UpdateGuard); ok {
		moved := residentOf(hill, 1)
		s.fails("Update of the tenant alone", s.Update(s.ctx, &moved, "Clinic"), fieldcrypt.ErrUnsupported)
		_ = s.Update(s.ctx, &moved, "Clinic", "Name") // refused, or a row of that tenant is meant
	}
	s.unchanged("what was refused", before)

	row = resident(1)
	row.Name, row.Notes, row.Ward = "New Name", nil, "B"
	s.ok(s.Update(s.in(acme), &row, "Name", "Notes", "Ward"))
	want := residentOf(acme, 1)
	want.Name, want.Notes, want.Ward = "New Name", nil, "B"
	s.same("the updated row", getOf[Resident](s, s.ctx, 1), want)
	row = residentOf(hill, 101)
	row.MRN = "MRN-NEW"
	s.ok(s.Update(s.ctx, &row, "MRN")) // the row's own tenant
	s.same("the updated row of the other tenant", getOf[Resident](s, s.ctx, 101), row)
	s.same("a row that was not updated", getOf[Resident](s, s.ctx, 102), residentOf(hill, 102))
	if got := foundOf[Resident](s, s.in(hill), "MRN", "MRN-1", "MRN-NEW"); !slices.Equal(got, []int64{101}) {
		s.Errorf("it is found in %v", got)
	}
	if got := foundOf[Resident](s, s.in(acme), "Name", "ünal 1", "new name"); !slices.Equal(got, []int64{1}) {
		s.Errorf("it is found in %v", got)
	}
}
