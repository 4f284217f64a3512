package drivertest

import "github.com/fieldcrypt/go/fieldcrypt"

// upsert: an encrypted field's index is what rows conflict on. Where a row would
// be written that is another tenant's, or whose values are bound to something
// else, it is refused. The Driver must be an Upserter.
func (s *suite) upsert() {
	d, ok := s.Driver.(Upserter)
	if !ok {
		s.Skip("the driver is no Upserter")
	}
	fresh := person(1)
	s.ok(d.Upsert(s.ctx, &fresh, "MRN", "Card", "Notes"))
	s.same("the inserted row", s.getPerson(1), person(1))
	again := person(2)
	again.MRN, again.Notes = "MRN-00001", nil
	s.ok(d.Upsert(s.ctx, &again, "MRN", "Card", "Notes"))
	want := person(1)
	want.Card, want.Notes = again.Card, nil
	s.same("the updated row", s.getPerson(1), want)
	if ids := s.found("Card", again.Card); len(ids) != 1 || ids[0] != 1 {
		s.Errorf("it is found in %v", ids)
	}
	if ids := s.found("Card", fresh.Card); len(ids) != 0 {
		s.Errorf("its old value is found in %v", ids)
	}

	s.twoClinics()
	r := resident(201) // with the values of 1 and 101
	r.Name = "Upserted"
	s.ok(d.Upsert(s.in(hill), &r, "MRN", "Name"))
	s.same("the caller's row", r, Resident{ID: 201, Ward: "A", Name: "Upserted", MRN: "MRN-1", Notes: ptr("note"), Card: "4242 1", Clinic: hill})
	changed := residentOf(hill, 101)
	changed.Name = "Upserted"
	s.same("the updated row of a tenant", getOf[Resident](s, s.ctx, 101), changed)
	s.same("the other tenant's row", getOf[Resident](s, s.ctx, 1), residentOf(acme, 1))
	before := s.bytes()
	r = resident(1)
	s.fails("Upsert over whoever has the id", d.Upsert(s.in(hill), &r, "ID", "Name"), fieldcrypt.ErrUnsupported)
	s.unchanged("an upsert into another tenant", before)

	s.insertSamples(1, 2)
	b := sample(1)
	b.Dose, b.Result = 77, "not written"
	s.ok(d.Upsert(s.ctx, &b, "ID", "Dose", "Free"))
	bound := sample(1)
	bound.Dose = 77
	s.same("the updated row of bound values", getOf[Sample](s, s.ctx, 1), bound)
	before = s.bytes()
	b.Key[9] = 9
	s.fails("Upsert of a value bound to another column", d.Upsert(s.ctx, &b, "ID", "Result"), fieldcrypt.ErrUnsupported)
	s.fails("Upsert of a column that values are bound to", d.Upsert(s.ctx, &b, "ID", "Key"), fieldcrypt.ErrUnsupported)
	s.unchanged("an upsert of bound values", before)
	s.same("the row", getOf[Sample](s, s.ctx, 1), bound)
}
