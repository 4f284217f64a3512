package drivertest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"slices"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
)

// tenants: the context's tenant rules over what is written, and a row is read as
// its own tenant's.
func (s *suite) tenants() {
	a, h := resident(1), resident(101)
	s.ok(s.Insert(s.in(acme), &a))
	s.ok(s.Insert(s.in(hill), &h))
	s.same("the caller's row", a, residentOf(acme, 1))
	s.same("the caller's row of the other tenant", h, residentOf(hill, 101))
	many := []Resident{resident(2), residentOf(acme, 3)}
	s.ok(s.InsertMany(s.in(acme), &many))
	s.same("a caller's row of many", many[0], residentOf(acme, 2))
	many = []Resident{residentOf(acme, 4), residentOf(hill, 104)}
	s.ok(s.InsertMany(s.ctx, &many)) // the rows' own
	for _, ctx := range []context.Context{s.ctx, s.in(acme), s.in(hill)} {
		for _, id := range []int64{1, 2, 3, 4} {
			s.same("a row", getOf[Resident](s, ctx, id), residentOf(acme, id))
		}
		for _, id := range []int64{101, 104} {
			s.same("a row of the other tenant", getOf[Resident](s, ctx, id), residentOf(hill, id))
		}
	}

	for _, index := range []string{"name_bidx", "mrn_bidx", "notes_bidx"} {
		x, y := s.stored(residents, index, 1), s.stored(residents, index, 101)
		if binary.BigEndian.Uint32(x) == binary.BigEndian.Uint32(y) || bytes.Equal(x[4:], y[4:]) {
			s.Errorf("%s shows that two tenants have one value", index)
		}
	}
	if !bytes.Equal(s.stored(residents, "card_bidx", 1), s.stored(residents, "card_bidx", 101)) {
		s.Error("a domain without tenants has an index for each")
	}
	s.tenantsRefused()
}

// tenantsRefused: another tenant's row, no tenant and one without keys. Nothing of
// it is written, and no keys are made.
func (s *suite) tenantsRefused() {
	before := s.bytes()
	for _, c := range []struct {
		name string
		ctx  context.Context
		row  Resident
		want error
	}{
		{"another tenant's row", s.in(acme), residentOf(hill, 9), fieldcrypt.ErrTenantMismatch},
		{"a row of no tenant", s.ctx, resident(9), fieldcrypt.ErrNoTenant},
		{"a tenant without keys", s.in(none), resident(9), fieldcrypt.ErrScopeNotFound},
		{"a row's own tenant without keys", s.ctx, residentOf(none, 9), fieldcrypt.ErrScopeNotFound},
		{"a tenant of no name", s.in("a b"), resident(9), keymgr.ErrInvalidScope},
	} {
		row := c.row
		s.fails("Insert, "+c.name, s.Insert(c.ctx, &row), c.want)
		rows := []Resident{residentOf(cmp.Or(fieldcrypt.TenantFrom(c.ctx), acme), 8), c.row}
		s.fails("InsertMany, "+c.name, s.InsertMany(c.ctx, &rows), c.want)
		s.same("the caller's row", clearTenant(row), clearTenant(c.row))
		row = c.row
		row.ID = 1
		s.fails("Update, "+c.name, s.Update(c.ctx, &row, "Name", "MRN"), c.want)
	}
	s.unchanged("what tenants refuse", before)
	scopes, err := s.store.Scopes(s.ctx, keymgr.Scope{}, 10)
	s.ok(err)
	if want := []keymgr.Scope{ofAcme, ofHill, finance, medical}; !slices.Equal(scopes, want) {
		s.Errorf("there are keys of %v, want %v", scopes, want)
	}
}

// clearTenant forgets a tenant, which a call that failed may have filled in.
func clearTenant(r Resident) Resident {
	r.Clinic = ""
	return r
}
