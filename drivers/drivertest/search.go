package drivertest

import (
	"database/sql"
	"net/netip"
	"slices"
	"time"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// search: equality, through the transforms of the index.
func (s *suite) search() {
	s.insertPeople(1, 2, 3)
	twin := person(4)
	twin.Name, twin.Card = "ünal 1", "n/a"
	s.ok(s.Insert(s.ctx, &twin))

	for _, c := range []struct {
		field  string
		values []any
		want   []int64
	}{
		{"MRN", []any{"MRN-00002"}, []int64{2}},
		{"MRN", []any{"mrn-00002"}, nil}, // no transform: as it is
		{"MRN", []any{"MRN-00001", "MRN-00003", "MRN-99999"}, []int64{1, 3}},
		{"MRN", []any{[]byte("MRN-00002")}, []int64{2}},
		{"MRN", []any{ptr("MRN-00002")}, []int64{2}},
		{"MRN", []any{sql.NullString{String: "MRN-00002", Valid: true}}, []int64{2}},
		{"Name", []any{"ÜNAL 1"}, []int64{1, 4}},
		{"Name", []any{"u\u0308nal 1"}, []int64{1, 4}},
		{"Card", []any{"424242420003"}, []int64{3}},
		{"Card", []any{"4242-4242-0003"}, []int64{3}},
		{"Card", []any{"4242"}, nil},
	} {
		if got := s.found(c.field, c.values...); !slices.Equal(got, c.want) {
			s.Errorf("%s in %v is found in %v, want %v", c.field, c.values, got, c.want)
		}
	}
	n, err := s.Count(s.ctx, &Person{}, "Name", "ünal 1")
	s.ok(err)
	if n != 2 {
		s.Errorf("Count = %d, want 2", n)
	}
	n, err = s.Delete(s.ctx, &Person{}, "Card", "4242 4242 0002")
	s.ok(err)
	if ids := s.found("MRN", "MRN-00001", "MRN-00002", "MRN-00003"); n != 1 || !slices.Equal(ids, []int64{1, 3}) {
		s.Errorf("Delete of %d leaves %v", n, ids)
	}
	s.searchTypes()
}

func (s *suite) searchTypes() {
	v := fullValues(1)
	s.ok(s.Insert(s.ctx, &v))
	other := Values{ID: 2, Bytes: []byte{}}
	s.ok(s.Insert(s.ctx, &other))
	for field, value := range map[string]any{
		"Text": "x", "Bytes": []byte{0, 0xFC, 1}, "Int": v.Int, "Uint": v.Uint, "Level": -7, "Grade": "A+",
		"Time": v.Time.UTC(), "UUID": v.UUID, "Addr": netip.MustParseAddr("fe80::1"), "TextPtr": "p", "NullText": "n",
	} {
		var rows []Values
		if err := s.Find(s.ctx, &rows, field, value); err != nil {
			s.Errorf("Find by %s: %v", field, err)
		} else if len(rows) != 1 || rows[0].ID != 1 {
			s.Errorf("Find by %s: %d rows", field, len(rows))
		}
	}
	for field, value := range map[string]any{"Int": "0", "Bytes": []byte{}, "Time": time.Time{}} {
		var rows []Values
		if err := s.Find(s.ctx, &rows, field, value); err != nil || len(rows) != 1 || rows[0].ID != 2 {
			s.Errorf("Find by the zero of %s: %d rows, %v", field, len(rows), err)
		}
	}
}

// searchRefused: what cannot be answered is an error, not an empty answer.
func (s *suite) searchRefused() {
	s.insertPeople(1)
	var rows []Person
	s.fails("Find by a field without an index", s.Find(s.ctx, &rows, "Notes", "note of 1"), fieldcrypt.ErrUnsearchable, fieldcrypt.ErrQueryOnCiphertext)
	s.fails("Find by a value that the transforms leave nothing of", s.Find(s.ctx, &rows, "Card", "n/a"), fieldcrypt.ErrUnsearchable)
	s.fails("Find by a value of another type", s.Find(s.ctx, &rows, "MRN", time.Now()), fieldcrypt.ErrWrongType)
	var values []Values
	s.fails("Find by text that is no number", s.Find(s.ctx, &values, "Int", "seven"), fieldcrypt.ErrWrongType)
	s.fails("Find by a number that does not fit", s.Find(s.ctx, &values, "Level", 1<<20), fieldcrypt.ErrWrongType)
	_, err := s.Count(s.ctx, &Person{}, "Notes", "x")
	s.fails("Count by a field without an index", err, fieldcrypt.ErrUnsearchable, fieldcrypt.ErrQueryOnCiphertext)
	_, err = s.Delete(s.ctx, &Person{}, "Notes", "x")
	s.fails("Delete by a field without an index", err, fieldcrypt.ErrUnsearchable, fieldcrypt.ErrQueryOnCiphertext)
	s.same("the row", s.getPerson(1), person(1))
}

// unique: a unique index holds for the plaintext.
func (s *suite) unique() {
	s.insertPeople(1)
	again := person(2)
	again.MRN = "MRN-00001"
	if err := s.Insert(s.ctx, &again); err == nil {
		s.Error("two rows have one value of a unique field")
	}
	if again.MRN != "MRN-00001" || again.Name != "Ünal 2" {
		s.Error("the caller's struct was changed")
	}
	if ids := s.found("MRN", "MRN-00001"); !slices.Equal(ids, []int64{1}) {
		s.Errorf("it is found in %v", ids)
	}
	before := s.bytes()
	rows := []Person{person(3), again, person(4)}
	if err := s.InsertMany(s.ctx, &rows); err == nil {
		s.Error("two rows have one value of a unique field")
	}
	s.unchanged("InsertMany with a row that cannot be", before)
	for i, want := range []Person{person(3), again, person(4)} {
		s.same("the caller's row", rows[i], want)
	}
}
