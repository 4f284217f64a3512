package drivertest

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/fieldcrypt/go/fieldcrypt"
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
	s.bulkBad(rows)
	s.bulkValues()
	s.bulkCompanions()
}

// bulkBad: one row of many that cannot be written or read is an error of the call.
func (s *suite) bulkBad(rows []Person) {
	for i := range rows {
		rows[i].ID, rows[i].MRN = rows[i].ID+5000, "again "+rows[i].MRN
	}
	rows[len(rows)*2/3].Name = "caf\xe9"
	before := s.bytes()
	s.fails("InsertMany with one bad row", s.InsertMany(s.ctx, &rows), fieldcrypt.ErrWrongType)
	s.unchanged("InsertMany with one bad row", before)

	was := s.stored(people, "card", 667)
	s.ok(s.Overwrite(s.ctx, people, "card", 667, s.stored(people, "mrn", 667)))
	var got []Person
	s.fails("Find of many rows with a bad one", s.Find(s.ctx, &got, "Name", "same"), fieldcrypt.ErrAuthentication, fieldcrypt.ErrUnknownKey)
	for _, p := range got {
		if p.ID == 667 && p.Card != "" {
			s.Errorf("a moved value came back as %q", p.Card)
		}
	}
	s.ok(s.Overwrite(s.ctx, people, "card", 667, was))
	if ids := s.found("Name", "same"); len(ids) != 1000 {
		s.Errorf("%d rows are left", len(ids))
	}
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

// bulkCompanions: rows of one call need not be of one tenant, and are bound each to
// its own columns.
func (s *suite) bulkCompanions() {
	const n = 400
	residentAt := func(id int64) Resident {
		r := residentOf([]string{acme, hill}[id%2], id)
		r.MRN = fmt.Sprint("MRN-", id)
		return r
	}
	sampleAt := func(id int64) Sample {
		b := sample(id)
		binary.BigEndian.PutUint32(b.Key[:], uint32(id))
		b.Result = "same"
		return b
	}
	var patients []Resident
	var bound []Sample
	for id := int64(1); id <= n; id++ {
		patients, bound = append(patients, residentAt(id)), append(bound, sampleAt(id))
	}
	s.ok(s.InsertMany(s.ctx, &patients))
	s.ok(s.InsertMany(s.ctx, &bound))
	for i, tenant := range []string{acme, hill} {
		var got []Resident
		s.ok(s.Find(s.in(tenant), &got, "Notes", "note"))
		if len(got) != n/2 {
			s.Fatalf("%d rows of a tenant, want %d", len(got), n/2)
		}
		for j, r := range got {
			s.same("the row of a tenant", r, residentAt(int64(2*j+2-i)))
		}
	}
	var got []Sample
	s.ok(s.Find(s.ctx, &got, "Result", "same"))
	if len(got) != n {
		s.Fatalf("%d rows of bound values, want %d", len(got), n)
	}
	for i, b := range got {
		s.same("the row of bound values", b, sampleAt(int64(i)+1))
	}
}
