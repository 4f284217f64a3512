package migratecmd

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/fieldcrypt/go/migrate"
)

// progress is how far a job is, for people and scripts. Its JSON is only added to.
type progress struct {
	Job       string  `json:"job"`
	Kind      string  `json:"kind"`
	Table     string  `json:"table"`
	Phase     string  `json:"phase"`
	Pass      int     `json:"pass"`
	Rows      int64   `json:"rows_estimate"`
	Scanned   int64   `json:"scanned"`
	Changed   int64   `json:"changed"`
	Conflicts int64   `json:"conflicts"`
	Failed    int64   `json:"failed"`
	Now       float64 `json:"rows_per_second"`
	Average   float64 `json:"rows_per_second_average"`
	// ETA is the least and the most that the pass still takes, in seconds; missing
	// where it cannot be told.
	ETA       []float64 `json:"eta_seconds,omitempty"`
	BatchRows int       `json:"batch_rows"`
	Workers   int       `json:"workers"`
	Waiting   string    `json:"waiting_for,omitempty"` // why nothing is done: a healthy state
	Throttled float64   `json:"throttled"`             // part of the time spent in waiting
}

// progressOf is what a status and the rates of its rows say.
func progressOf(s *migrate.Status, m *meter) progress {
	p := progress{
		Job: s.Job, Kind: s.Kind, Table: s.Target, Phase: s.Phase, Pass: s.Pass, Rows: max(s.Rows, 0), Scanned: s.Scanned,
		Changed: s.Changed, Conflicts: s.Conflicts, Failed: s.Failed,
	}
	var busy, wait int64
	batches := 0
	for _, sh := range s.Shards {
		busy += sh.BusyMicros
		wait += sh.WaitMicros
		if sh.Owner == "" || sh.Lease < 0 {
			continue
		}
		p.Workers++
		batches += sh.BatchRows
		p.Waiting = cmp.Or(p.Waiting, sh.Reason)
	}
	if p.Workers > 0 {
		p.BatchRows = batches / p.Workers
	}
	if busy+wait > 0 {
		p.Throttled = float64(wait) / float64(busy+wait)
	}
	if m != nil {
		p.Now, p.Average = m.rates()
		if least, most, ok := m.eta(p.Rows - p.Scanned); ok && s.Pass == 1 && s.Phase == migrate.PhaseSweeping && p.Waiting == "" {
			p.ETA = []float64{least.Seconds(), most.Seconds()}
		}
	}
	return p
}

// done is the part of the rows that were visited, of an estimate.
func (p progress) done() float64 {
	switch {
	case p.Phase != migrate.PhaseSweeping:
		return 1
	case p.Pass > 1 || p.Rows == 0:
		return 0.99
	}
	return min(float64(p.Scanned)/float64(p.Rows), 0.99)
}

// etaText is "ETA 2m to 3m", or why there is none.
func (p progress) etaText() string {
	switch {
	case p.Phase != migrate.PhaseSweeping:
		return p.Phase
	case p.Waiting != "":
		return fmt.Sprintf("ETA n/a (throttled %.0f %%)", 100*p.Throttled)
	case len(p.ETA) == 2:
		seconds := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
		return "ETA " + rangeText(seconds(p.ETA[0]), seconds(p.ETA[1]))
	case p.Pass > 1:
		return fmt.Sprintf("pass %d", p.Pass)
	}
	return "ETA n/a"
}

// line says it on one line, without the table.
func (p progress) line() string {
	parts := []string{fmt.Sprintf("%s of ~%s rows", countText(p.Scanned), countText(p.Rows))}
	if p.Kind != migrate.KindVerify {
		parts = append(parts, countText(p.Changed)+" changed")
	}
	if p.Phase == migrate.PhaseSweeping {
		parts = append(parts, countText(int64(p.Now))+"/s")
	}
	parts = append(parts, p.etaText())
	if p.Workers > 0 {
		parts = append(parts, fmt.Sprintf("batch %d", p.BatchRows), plural(p.Workers, "worker"))
	}
	if p.Conflicts > 0 {
		parts = append(parts, plural(int(p.Conflicts), "conflict"))
	}
	if p.Failed > 0 {
		parts = append(parts, countText(p.Failed)+" failed")
	}
	if p.Waiting != "" {
		parts = append(parts, "waiting: "+p.Waiting)
	}
	return strings.Join(parts, ", ")
}

// bar is the line for a terminal of so many columns.
func (p progress) bar(columns int) string {
	const cells = 20
	full := int(p.done() * cells)
	text := fmt.Sprintf("%s %s [%s%s] %3.0f%% ", p.Kind, p.Table, strings.Repeat("=", full), strings.Repeat(" ", cells-full), 100*p.done()) + p.line()
	if r := []rune(plain(text)); len(r) >= columns {
		return string(r[:columns-1])
	}
	return plain(text)
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%s %ss", countText(int64(n)), what)
}
