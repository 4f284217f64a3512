package drivertest

// partRead: what a value depends on is read along with it. The Driver must be a
// PartReader.
func (s *suite) partRead() {
	d, ok := s.Driver.(PartReader)
	if !ok {
		s.Skip("the driver is no PartReader")
	}
	s.insertPeople(1)
	s.twoClinics()
	s.insertSamples(1)
	var p Person
	s.ok(d.GetFields(s.ctx, &p, 1, "MRN", "Ward"))
	if p.MRN != "MRN-00001" || p.Ward != "A" || p.Name != "" {
		s.Errorf("of a person %q, %q, %q were read", p.MRN, p.Ward, p.Name)
	}
	for _, tenant := range []string{"", acme, hill} {
		var r Resident
		s.ok(d.GetFields(s.in(tenant), &r, 101, "Name"))
		if r.Name != "Ünal 1" || r.MRN != "" || r.Clinic != "" && r.Clinic != hill {
			s.Errorf("of a resident %q, %q, %q were read", r.Name, r.MRN, r.Clinic)
		}
	}
	var b Sample
	s.ok(d.GetFields(s.ctx, &b, 1, "Result"))
	if b.Result != "result 1" || b.Free != "" {
		s.Errorf("of a sample %q, %q were read", b.Result, b.Free)
	}
	b = Sample{Key: Key{7}, Code: ptr("other")} // what is in the struct already does not count
	s.ok(d.GetFields(s.ctx, &b, 1, "Remark", "Dose"))
	if b.Remark == nil || *b.Remark != "remark 1" || b.Dose != 1 {
		s.Errorf("of a sample %d was read", b.Dose)
	}
}
