package drivertest

import "github.com/fieldcrypt/go/fieldcrypt"

// boundThief: a bound value that was moved to another row, or whose row was given
// another key, does not open.
func (s *suite) boundThief() {
	s.insertSamples(1, 2)
	for _, column := range []string{"result", "remark", "dose"} {
		was := s.stored(samples, column, 1)
		s.ok(s.Overwrite(s.ctx, samples, column, 1, s.stored(samples, column, 2)))
		var got Sample
		s.fails("Get of another row's "+column, s.Get(s.ctx, &got, 1), fieldcrypt.ErrAuthentication)
		if got.Result == "result 2" || got.Remark != nil && *got.Remark == "remark 2" || got.Dose == 2 {
			s.Errorf("another row's %s came back", column)
		}
		s.ok(s.Overwrite(s.ctx, samples, column, 1, was))
	}
	for column, values := range map[string][][]byte{
		"key":  {s.stored(samples, "key", 2), make([]byte, 16)},
		"code": {s.stored(samples, "code", 2), {}, nil},
	} {
		was := s.stored(samples, column, 1)
		for _, value := range values {
			s.ok(s.Overwrite(s.ctx, samples, column, 1, value))
			var got Sample
			s.fails("Get of a row with another "+column, s.Get(s.ctx, &got, 1), fieldcrypt.ErrAuthentication, fieldcrypt.ErrWrongType)
			var rows []Sample
			s.fails("Find of a row with another "+column, s.Find(s.ctx, &rows, "Dose", 1), fieldcrypt.ErrAuthentication, fieldcrypt.ErrWrongType)
		}
		s.ok(s.Overwrite(s.ctx, samples, column, 1, was))
	}
	s.same("the row, put back", getOf[Sample](s, s.ctx, 1), sample(1))

	// What is not bound can be moved: the documentation says so.
	s.ok(s.Overwrite(s.ctx, samples, "free", 1, s.stored(samples, "free", 2)))
	if got := getOf[Sample](s, s.ctx, 1); got.Free != "free 2" {
		s.Errorf("an unbound value that was moved is %q", got.Free)
	}
}
