package migrate

import "time"

// Bounds of a batch, in rows.
const (
	minBatch = 50
	maxBatch = 5000
)

// sizer finds how many rows of a table make a batch that takes as long as it
// should: by the moving average of the time a row takes, in steps of at most
// half up and to a half down. Of three batches the fastest counts: a busy machine
// makes some of them slow, whatever their size.
type sizer struct {
	rows   int
	perRow float64    // µs
	last   [3]float64 // of the last batches; 0 for none
	at     int
}

func newSizer(last int) *sizer {
	if last == 0 {
		last = 100
	}
	return &sizer{rows: min(max(last, minBatch), maxBatch)}
}

func (s *sizer) note(rows int, took, target time.Duration) {
	if rows < minBatch {
		return // says more about the round trip than about the rows
	}
	now := float64(took.Microseconds()) / float64(rows)
	s.last[s.at%len(s.last)] = max(now, 0.01)
	s.at++
	for _, other := range s.last {
		if other > 0 {
			now = min(now, other)
		}
	}
	if s.perRow == 0 {
		s.perRow = now
	}
	s.perRow += 0.4 * (now - s.perRow)
	want := int(float64(target.Microseconds()) / max(s.perRow, 0.01))
	s.rows = min(max(want, s.rows/2, minBatch), s.rows*3/2+1, maxBatch)
}

func (s *sizer) halve() { s.rows = max(s.rows/2, minBatch) }

// spread deals rows out to batches of n: one after another, or row j, j+k,
// j+2k... to batch j, so that rows of one page go into different transactions.
func spread(rows []Row, n int, interleaved bool) [][]Row {
	k := (len(rows) + n - 1) / n
	batches := make([][]Row, k)
	for j := range batches {
		if !interleaved {
			batches[j] = rows[j*n : min((j+1)*n, len(rows))]
			continue
		}
		for i := j; i < len(rows); i += k {
			batches[j] = append(batches[j], rows[i])
		}
	}
	return batches
}
