package drivertest

import (
	"encoding/json"
	"slices"
)

// bulk: a thousand rows in one call, with NULLs and indexes that are NULL among
// them, come back each as itself.
func (s *suite) bulk() {
	const n = 1000
	sampleOf := func(id int64) Person {
		p := person(id)
		p.Name = "Same"
		if id%3 == 0 {
			p.Notes = nil
		}
		if id%7 == 0 {
			p.Card = "n/a" // its index is NULL
		}
		return p
	}
	var rows []Person
	for id := int64(n); id > 0; id-- { // not in order of ids
		rows = append(rows, sampleOf(id))
	}
	s.ok(s.InsertMany(s.ctx, &rows))
	for i, row := range rows {
		s.same("the caller's row", row, sampleOf(int64(n-i)))
	}
	var got []Person
	s.ok(s.Find(s.ctx, &got, "Name", "SAME"))
	if len(got) != n {
		s.Fatalf("%d rows, want %d", len(got), n)
	}
	for i, row := range got {
		s.same("the stored row", row, sampleOf(int64(i)+1))
	}
	if ids := s.found("MRN", "MRN-00999", "MRN-00003", "MRN-00500"); !slices.Equal(ids, []int64{3, 500, 999}) {
		s.Errorf("%v is found", ids)
	}
	var all []any
	for _, row := range got {
		all = append(all, row.MRN)
	}
	if ids := s.found("MRN", all...); len(ids) != n {
		s.Errorf("by their numbers %d rows are found, want %d", len(ids), n)
	}
	if count, err := s.Count(s.ctx, &Person{}, "Name", "same"); err != nil || count != n {
		s.Errorf("Count = %d, %v", count, err)
	}
	for _, id := range []int64{21, 22} {
		if isNull := s.stored(people, "card_bidx", id) == nil; isNull != (id%7 == 0) {
			s.Errorf("the index of row %d is NULL: %v", id, isNull)
		}
		if isNull := s.stored(people, "notes", id) == nil; isNull != (id%3 == 0) {
			s.Errorf("the notes of row %d are NULL: %v", id, isNull)
		}
	}
	s.bulkSalts()
	s.bulkValues()
}

// bulkSalts: each row has a salt per domain, which the fields of that domain share;
// an update takes a fresh one.
func (s *suite) bulkSalts() {
	used := map[string]bool{}
	salt := func(id int64, columns ...string) string {
		var all []string
		for _, column := range columns {
			if b := s.stored(people, column, id); b != nil {
				all = append(all, string(b[saltAt:ivAt]))
			}
		}
		if len(slices.Compact(slices.Clone(all))) != 1 {
			s.Errorf("the columns %v of row %d do not share a salt", columns, id)
		}
		if used[all[0]] {
			s.Errorf("the salt of the columns %v of row %d was used before", columns, id)
		}
		used[all[0]] = true
		return all[0]
	}
	for id := int64(1); id <= 1000; id += 1 + id/10 { // neighbours, then fewer
		salt(id, "name", "mrn", "notes")
		salt(id, "card")
	}
	for range 2 {
		p := s.getPerson(1)
		s.ok(s.Update(s.ctx, &p, "Name", "MRN", "Notes", "Card"))
		salt(1, "name", "mrn", "notes")
		salt(1, "card")
		p.Notes = ptr("alone")
		s.ok(s.Update(s.ctx, &p, "Notes"))
		salt(1, "notes")
		s.same("the updated row", s.getPerson(1), p)
	}
}

// bulkValues: rows of one call need not have their NULLs in the same columns.
func (s *suite) bulkValues() {
	valuesOf := func(id int64) Values {
		v := fullValues(id)
		switch id % 3 {
		case 0:
			v = Values{ID: id, Raw: json.RawMessage(`0`)}
		case 1:
			v.TextPtr, v.Bytes, v.NullTime.Valid, v.NullTime.V = nil, nil, false, Values{}.NullTime.V
		}
		return v
	}
	var rows []Values
	for id := int64(1); id <= 50; id++ {
		rows = append(rows, valuesOf(id))
	}
	s.ok(s.InsertMany(s.ctx, &rows))
	for id := int64(1); id <= 50; id++ {
		s.same("the caller's row", rows[id-1], valuesOf(id))
		s.same("the row", getOf[Values](s, s.ctx, id), valuesOf(id))
	}
	if ids := foundOf[Values](s, s.ctx, "TextPtr", "p"); len(ids) != 17 || ids[0] != 2 {
		s.Errorf("%v is found", ids)
	}
}
