package migrate

import (
	"context"
	"fmt"
	"time"
)

// signals are what a worker knows of the database between two looks.
type signals struct {
	lsn  int64     // end of the WAL, in bytes
	at   time.Time // when that was
	debt float64   // bytes of WAL written beyond what was allowed
}

// reason says what to wait for, "" for nothing. A signal that is asked for and
// cannot be read is a reason.
func (s *signals) reason(ctx context.Context, db *DB, l Limits) string {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	checks := []struct {
		name  string
		asked bool
		check func(ctx context.Context, db *DB, l Limits) (string, error)
	}{
		{"windows", len(l.Windows) > 0, checkWindows},
		{"max_wal", l.MaxWAL > 0, s.checkWAL},
		{"max_lag", l.MaxLag > 0, checkLag},
		{"max_waiting", l.MaxWaiting != nil, checkWaiting},
		{"max_active", l.MaxActive != nil, checkActive},
		{"probe", l.Probe != "", checkProbe},
	}
	for _, c := range checks {
		if !c.asked {
			continue
		}
		if db.dialect == sqlite && c.name != "windows" && c.name != "probe" {
			return c.name + ": SQLite has no such signal"
		}
		why, err := c.check(ctx, db, l)
		if err != nil {
			return c.name + ": cannot be read" // the error may quote what the probe saw
		}
		if why != "" {
			return c.name + ": " + why
		}
	}
	return ""
}

// parseWindow reads "22:00-05:30" into minutes of the day.
func parseWindow(w string) (from, to int, err error) {
	var h1, m1, h2, m2 int
	n, err := fmt.Sscanf(w, "%d:%d-%d:%d", &h1, &m1, &h2, &m2)
	from, to = 60*h1+m1, 60*h2+m2
	if err != nil || n != 4 || fmt.Sprintf("%02d:%02d-%02d:%02d", h1, m1, h2, m2) != w || m1 > 59 || m2 > 59 || from >= 24*60 || to > 24*60 || from < 0 || to < 0 {
		return 0, 0, fmt.Errorf("limits: a window is written as 22:00-05:30, not %.20q: %w", w, ErrRefused)
	}
	return from, to, nil
}

// within reports whether a time of the day is in one of the windows.
func within(windows []string, t time.Time) bool {
	now := 60*t.UTC().Hour() + t.UTC().Minute()
	for _, w := range windows {
		from, to, err := parseWindow(w)
		if err != nil {
			return false
		}
		if from <= to && from <= now && now < to || from > to && (now >= from || now < to) {
			return true
		}
	}
	return false
}

func checkWindows(ctx context.Context, db *DB, l Limits) (string, error) {
	var now stamp
	if _, err := one(ctx, db.q(), `SELECT {now}`, nil, &now); err != nil {
		return "", err
	}
	if !within(l.Windows, now.Time) {
		return fmt.Sprintf("not now, but at %v UTC", l.Windows), nil
	}
	return "", nil
}

// checkWAL keeps a balance of the bytes that the server wrote and was allowed to.
func (s *signals) checkWAL(ctx context.Context, db *DB, l Limits) (string, error) {
	var lsn int64
	if _, err := one(ctx, db.q(), `SELECT (pg_current_wal_insert_lsn() - '0/0')::int8`, nil, &lsn); err != nil {
		return "", err
	}
	now := time.Now()
	if !s.at.IsZero() {
		s.debt = max(0, s.debt+float64(lsn-s.lsn)-float64(l.MaxWAL)*now.Sub(s.at).Seconds())
	}
	s.lsn, s.at = lsn, now
	if s.debt > 0 {
		return fmt.Sprintf("the server writes more than %d bytes of WAL a second", l.MaxWAL), nil
	}
	return "", nil
}

// checkLag takes a replica that has replayed all for one that has no lag; a NULL is
// what a role without pg_monitor sees.
func checkLag(ctx context.Context, db *DB, l Limits) (string, error) {
	var replicas, unknown int
	var lag float64
	_, err := one(ctx, db.q(), `SELECT count(*), count(*) FILTER (WHERE replay_lsn IS NULL),
		coalesce(max(CASE WHEN replay_lsn >= pg_current_wal_lsn() THEN 0 ELSE coalesce(extract(epoch FROM replay_lag), 0) END), 0)::float8
		FROM pg_stat_replication WHERE state IS DISTINCT FROM 'backup'`, nil, &replicas, &unknown, &lag)
	switch {
	case err != nil:
		return "", err
	case replicas == 0:
		return "no replica is connected", nil
	case unknown > 0:
		return "the lag of a replica is not known: is this role in pg_monitor?", nil
	case lag > l.MaxLag.Seconds():
		return fmt.Sprintf("a replica is %.1f s behind", lag), nil
	}
	return "", nil
}

func checkWaiting(ctx context.Context, db *DB, l Limits) (string, error) {
	var n int
	if _, err := one(ctx, db.q(), `SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted`, nil, &n); err != nil {
		return "", err
	}
	if n > *l.MaxWaiting {
		return fmt.Sprintf("%d sessions wait for locks", n), nil
	}
	return "", nil
}

func checkActive(ctx context.Context, db *DB, l Limits) (string, error) {
	var n, hidden int
	_, err := one(ctx, db.q(), `SELECT count(*) FILTER (WHERE state = 'active' AND backend_type = 'client backend'), count(*) FILTER (WHERE query = '<insufficient privilege>')
		FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND application_name NOT LIKE 'fieldcrypt migrate %'`, nil, &n, &hidden)
	switch {
	case err != nil:
		return "", err
	case hidden > 0:
		return "what other sessions do is not known: is this role in pg_monitor?", nil
	case n > *l.MaxActive:
		return fmt.Sprintf("%d sessions are at work", n), nil
	}
	return "", nil
}

// checkProbe asks the operator's own query. What it returns is shown to who may
// see the job, and cut at 200 bytes.
func checkProbe(ctx context.Context, db *DB, l Limits) (string, error) {
	var why *string
	found, err := one(ctx, db.q(), l.Probe, nil, &why)
	switch {
	case err != nil:
		return "", err
	case !found || why == nil:
		return "no answer", nil
	}
	return (*why)[:min(len(*why), 200)], nil
}
