package drivertest

import (
	"errors"
	"math"
	"slices"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// bound: bound values are written for their row and read in it. Any value but
// NULL can be bound to, an empty one too.
func (s *suite) bound() {
	first := sample(1)
	s.ok(s.Insert(s.ctx, &first))
	s.same("the caller's row", first, sample(1))
	s.insertSamples(2, 3)
	for id := int64(1); id <= 3; id++ {
		s.same("the row", getOf[Sample](s, s.ctx, id), sample(id))
	}
	if got := foundOf[Sample](s, s.ctx, "Result", "result 1", "result 3"); !slices.Equal(got, []int64{1, 3}) {
		s.Errorf("%v is found", got)
	}
	if got := foundOf[Sample](s, s.ctx, "Dose", 2); !slices.Equal(got, []int64{2}) {
		s.Errorf("%v is found by a number", got)
	}

	nothing := Sample{ID: 4}                                         // NULL bound to NULL, and values to a zero key
	empty := Sample{ID: 5, Code: ptr(""), Remark: ptr("of no code")} // NULL and an empty text are two things
	unbound := Sample{ID: 6, Code: ptr("code-6")}
	low, high := sample(math.MinInt64), sample(math.MaxInt64)
	rows := []Sample{nothing, empty, unbound, low, high}
	s.ok(s.InsertMany(s.ctx, &rows))
	for _, want := range []Sample{nothing, empty, unbound, low, high} {
		s.same("the row", getOf[Sample](s, s.ctx, want.ID), want)
	}

	before := s.bytes()
	orphan := Sample{ID: 7, Remark: ptr("x")}
	s.fails("Update of a value bound to NULL", s.Update(s.ctx, &Sample{ID: 4, Remark: ptr("x")}, "Remark"), fieldcrypt.ErrWrongType, fieldcrypt.ErrUnsupported)
	noText := Sample{ID: 7, Remark: ptr("x"), Code: ptr("caf\xe9")}
	s.fails("Insert of a value bound to invalid UTF-8", s.Insert(s.ctx, &noText), fieldcrypt.ErrWrongType)
	s.fails("Insert of a value bound to NULL", s.Insert(s.ctx, &orphan), fieldcrypt.ErrWrongType, fieldcrypt.ErrUnsupported)
	rows = []Sample{sample(8), orphan}
	s.fails("InsertMany of a value bound to NULL", s.InsertMany(s.ctx, &rows), fieldcrypt.ErrWrongType, fieldcrypt.ErrUnsupported)
	s.unchanged("a value bound to NULL", before)
	s.boundToZero(empty)
	if err := s.Get(s.ctx, &orphan, 8); !errors.Is(err, ErrNoRow) {
		s.Errorf("the row beside it was stored: %v", err)
	}
}

// boundToZero updates a row whose bound columns have empty values.
func (s *suite) boundToZero(row Sample) {
	row.Remark = ptr("updated")
	s.ok(s.Update(s.ctx, &row, "Remark"))
	s.same("the updated row", getOf[Sample](s, s.ctx, row.ID), row)
	before := s.bytes()
	row.Result = "updated"
	if err := s.Update(s.ctx, &row, "Result"); err != nil { // a driver may take a zero key for none
		s.fails("Update of a value bound to a zero key", err, fieldcrypt.ErrUnsupported)
		s.unchanged("what was refused", before)
		return
	}
	s.same("the updated row", getOf[Sample](s, s.ctx, row.ID), row)
}

// boundUpdate: an update seals for the row that it writes. What would leave values
// that do not open is refused.
func (s *suite) boundUpdate() {
	s.insertSamples(1, 2)
	row := sample(1)
	row.Result, row.Remark, row.Dose = "new", nil, -5
	s.ok(s.Update(s.ctx, &row, "Result", "Remark", "Dose"))
	s.same("the updated row", getOf[Sample](s, s.ctx, 1), row)
	row.Free = "freed"
	s.ok(s.Update(s.ctx, &row, "Free"))
	s.same("the row after another update", getOf[Sample](s, s.ctx, 1), row)
	if got := foundOf[Sample](s, s.ctx, "Result", "result 1", "new"); !slices.Equal(got, []int64{1}) {
		s.Errorf("%v is found", got)
	}

	before := s.bytes()
	stale := sample(2)
	stale.Key[3], stale.Result = 1, "x"
	_ = s.Update(s.ctx, &stale, "Result") // whether that is an error is the driver's choice
	s.unchanged("Update of a row that has another key by now", before)
	if _, ok := s.Driver.(UpdateGuard); ok {
		s.boundUpdateRefused()
	}
	s.unchanged("what was refused", before)
	s.same("the other row", getOf[Sample](s, s.ctx, 2), sample(2))

	// With all that is bound to it, it may change.
	rekeyed := sample(2)
	rekeyed.Key, rekeyed.Result = Key{9}, "rekeyed"
	s.ok(s.Update(s.ctx, &rekeyed, "Key", "Result"))
	s.same("the row under its new key", getOf[Sample](s, s.ctx, 2), rekeyed)
}

// boundUpdateRefused: a bound column does not change alone.
func (s *suite) boundUpdateRefused() {
	rekeyed, recoded := sample(2), sample(2)
	rekeyed.Key[3], rekeyed.Free, recoded.Code = 1, "x", nil
	s.fails("Update of the bound column alone", s.Update(s.ctx, &rekeyed, "Key"), fieldcrypt.ErrUnsupported)
	s.fails("Update of the bound column with other values", s.Update(s.ctx, &rekeyed, "Key", "Free", "Remark"), fieldcrypt.ErrUnsupported)
	s.fails("Update of a bound column to NULL", s.Update(s.ctx, &recoded, "Code"), fieldcrypt.ErrUnsupported)
	recoded.Code = ptr("")
	s.fails("Update of a bound column to an empty text", s.Update(s.ctx, &recoded, "Code"), fieldcrypt.ErrUnsupported)
}
