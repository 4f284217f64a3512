package migrate

import (
	"testing"
	"time"
)

func TestSizerFindsTheSizeThatTakesTheTarget(t *testing.T) {
	for name, c := range map[string]struct {
		perRow time.Duration
		want   int
	}{
		"cheap rows": {time.Microsecond, maxBatch}, "ordinary rows": {10 * time.Microsecond, 1000}, "dear rows": {time.Millisecond, minBatch},
	} {
		s := newSizer(0)
		for range 50 {
			s.note(s.rows, time.Duration(s.rows)*c.perRow, 10*time.Millisecond)
		}
		if s.rows < c.want*9/10 || s.rows > c.want*11/10 {
			t.Errorf("%s: %d, want %d", name, s.rows, c.want)
		}
	}
}

func TestSizerOutlivesASlowBatch(t *testing.T) {
	s := newSizer(1000)
	for range 20 {
		s.note(s.rows, time.Duration(s.rows)*10*time.Microsecond, 10*time.Millisecond)
	}
	before := s.rows
	s.note(s.rows, time.Second, 10*time.Millisecond)
	if s.rows < before*9/10 {
		t.Errorf("%d after %d", s.rows, before)
	}
	for range 20 {
		s.note(s.rows, time.Second, 10*time.Millisecond)
	}
	if s.rows != minBatch {
		t.Errorf("%d though all are slow", s.rows)
	}
}

func TestSpreadDealsEveryRowOnce(t *testing.T) {
	for _, interleaved := range []bool{false, true} {
		for n := range 50 {
			rows := make([]Row, n)
			for i := range rows {
				rows[i].Failed = string(rune('A' + i))
			}
			seen := map[string]bool{}
			for _, b := range spread(rows, 7, interleaved) {
				if len(b) > 7 || len(b) == 0 {
					t.Errorf("a batch of %d", len(b))
				}
				for i, r := range b {
					if seen[r.Failed] {
						t.Error("twice")
					}
					seen[r.Failed] = true
					if interleaved && n > 7 && i > 0 && r.Failed[0]-b[i-1].Failed[0] == 1 {
						t.Error("neighbours in one batch")
					}
				}
			}
			if len(seen) != n {
				t.Errorf("%d of %d", len(seen), n)
			}
		}
	}
}
