package migratecmd

import (
	"strings"
	"testing"
	"time"

	"github.com/fieldcrypt/go/migrate"
)

func TestTheTimeThatIsLeftIsARange(t *testing.T) {
	var m meter
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	m.add(at, 0)
	if _, _, ok := m.eta(1000); ok {
		t.Error("told after one look")
	}
	rows := int64(0)
	for range 20 { // 100 rows a second, and then 50
		at, rows = at.Add(time.Second), rows+100
		m.add(at, rows)
	}
	for range 20 {
		at, rows = at.Add(time.Second), rows+50
		m.add(at, rows)
	}
	if now, average := m.rates(); now != 50 || average != 75 {
		t.Errorf("%v rows a second now, %v on average", now, average)
	}
	least, most, ok := m.eta(1500)
	if want := 18 * time.Second; !ok || least != want || most != 36*time.Second {
		t.Errorf("%v to %v, %v", least, most, ok)
	}
	if _, _, ok := m.eta(0); ok {
		t.Error("told of nothing")
	}
	for range 30 { // nothing moves any more
		at = at.Add(time.Second)
		m.add(at, rows)
	}
	if _, _, ok := m.eta(1500); ok {
		t.Error("told of work that stands still")
	}
}

func TestProgressSaysWhatItWaitsFor(t *testing.T) {
	s := &migrate.Status{
		Job: "j", Kind: migrate.KindReencrypt, Target: "patients", Phase: migrate.PhaseSweeping, Pass: 1, Rows: 10000, Scanned: 2500, Changed: 2400, Conflicts: 1,
		Shards: []migrate.Shard{
			{Owner: "a", Lease: 3, BatchRows: 100, BusyMicros: 250, WaitMicros: 750},
			{Owner: "b", Lease: 3, BatchRows: 300},
			{Owner: "dead", Lease: -1, BatchRows: 7, Reason: "of one that is dead"},
		},
	}
	var m meter
	at := time.Now()
	m.add(at, 0)
	m.add(at.Add(5*time.Second), 2500)
	line := progressOf(s, &m).line()
	if want := "2,500 of ~10,000 rows, 2,400 changed, 500/s, ETA 14s to 18s, batch 200, 2 workers, 1 conflict"; line != want {
		t.Errorf("got  %s\nwant %s", line, want)
	}
	s.Shards[1].Reason = "a replica is 9s behind"
	p := progressOf(s, &m)
	if line = p.line(); !strings.Contains(line, "ETA n/a (throttled 75 %)") || !strings.HasSuffix(line, "waiting: a replica is 9s behind") || p.ETA != nil {
		t.Error(line)
	}
	if bar := p.bar(60); len([]rune(bar)) != 59 || !strings.HasPrefix(bar, "reencrypt patients [=====               ]  25% ") {
		t.Errorf("bar %q", bar)
	}
	s.Phase = migrate.PhaseSwept
	if bar := progressOf(s, &m).bar(200); !strings.Contains(bar, "100%") || strings.Contains(bar, "ETA") {
		t.Errorf("bar %q", bar)
	}
}

func TestTextsForPeople(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "under 1s", 59 * time.Second: "59s", 61 * time.Second: "1m01s", 90 * time.Minute: "1h30m", 49 * time.Hour: "2d01h",
	} {
		if got := spanText(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1234: "-1,234"} {
		if got := countText(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
	for s, want := range map[string]byteSize{"50MB": 50e6, "64MiB": 64 << 20, "1000": 1000, "1.5 GB": 15e8, "2kB": 2000, "7B": 7} {
		var b byteSize
		if err := b.Set(s); err != nil || b != want {
			t.Errorf("%s: %d, %v", s, b, err)
		}
	}
	for _, s := range []string{"", "MB", "-1", "1TB", "9e30", "NaN", "x"} {
		var b byteSize
		if b.Set(s) == nil {
			t.Errorf("%q: taken as %d", s, b)
		}
	}
	if got := plain("a\x1b[2Jb\tc"); strings.ContainsAny(got, "\x1b\t") {
		t.Errorf("%q", got)
	}
}
