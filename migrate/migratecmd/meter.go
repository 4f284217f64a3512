package migratecmd

import (
	"fmt"
	"time"
)

// recent is over how long the rate of now is measured.
const recent = 10 * time.Second

// meter measures how fast rows go by.
type meter struct {
	first, last mark
	marks       []mark // of the last few seconds, oldest first
}

type mark struct {
	at   time.Time
	rows int64
}

func (m *meter) add(at time.Time, rows int64) {
	now := mark{at, rows}
	if m.first.at.IsZero() {
		m.first = now
	}
	m.last = now
	m.marks = append(m.marks, now)
	for len(m.marks) > 2 && at.Sub(m.marks[0].at) > recent {
		m.marks = m.marks[1:]
	}
}

// rates are rows a second of late and from the first mark on; 0: not known yet.
func (m *meter) rates() (now, average float64) {
	if len(m.marks) < 2 {
		return 0, 0
	}
	return rate(m.marks[0], m.last), rate(m.first, m.last)
}

func rate(from, to mark) float64 {
	if d := to.at.Sub(from.at).Seconds(); d > 0 && to.rows > from.rows {
		return float64(to.rows-from.rows) / d
	}
	return 0
}

// eta is how long so many rows still take: a range, because neither the rate nor
// the number of rows is certain. ok: it can be told.
func (m *meter) eta(rows int64) (least, most time.Duration, ok bool) {
	now, average := m.rates()
	if rows <= 0 || now == 0 || average == 0 {
		return 0, 0, false
	}
	seconds := func(rows, rate float64) time.Duration {
		return time.Duration(min(rows/rate, 1e9) * float64(time.Second)).Round(time.Second)
	}
	return seconds(float64(rows)*0.9, max(now, average)), seconds(float64(rows)*1.2, min(now, average)), true
}

// rangeText is "2m to 3m10s".
func rangeText(least, most time.Duration) string {
	if a, b := spanText(least), spanText(most); a != b {
		return a + " to " + b
	}
	return spanText(most)
}

// spanText is a duration in its two largest units.
func spanText(d time.Duration) string {
	switch {
	case d < time.Second:
		return "under 1s"
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%02dh", int(d.Hours())/24, int(d.Hours())%24)
}
