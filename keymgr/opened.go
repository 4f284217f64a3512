package keymgr

import (
	"crypto/rand"
	"encoding/binary"
	"sync/atomic"
	"time"
)

// opened is a successful opening of a scope and the times that bound its use,
// in this order.
type opened struct {
	keys      *Keys
	claimed   atomic.Bool // a use has started the refresh
	refreshAt time.Time   // from here on a use starts an opening, and does not wait
	waitAt    time.Time   // from here on a use waits for the opening
	deadAt    time.Time   // from here on the keys do not serve
	failures  int         // openings since then that were not answered
}

// fresh is an opening that began at the given time. The moment of its refresh
// is spread, so that neither scopes nor instances move in step.
func (m *Manager) fresh(keys *Keys, began time.Time) *opened {
	ttl, limit := m.cfg.CacheTTL, m.cfg.Now().Add(m.trusted())
	return &opened{
		keys:      keys,
		refreshAt: earlier(began.Add(spread(ttl, 0.75, 0.95)), limit),
		waitAt:    earlier(began.Add(ttl), limit),
		deadAt:    began.Add(m.cfg.MaxStale),
	}
}

const (
	firstRetry = time.Second
	lastRetry  = time.Minute
)

// extended is o after an opening at the given time that was not answered:
// it serves on, and tries again in the background after a pause that grows.
func (m *Manager) extended(o *opened, now time.Time) *opened {
	ttl, limit := m.cfg.CacheTTL, earlier(o.deadAt, now.Add(m.trusted()))
	pause := min(firstRetry<<min(o.failures, 10), lastRetry, ttl/4)
	return &opened{
		keys:      o.keys,
		refreshAt: earlier(now.Add(spread(pause, 0.5, 1)), limit),
		waitAt:    earlier(now.Add(ttl), limit),
		deadAt:    o.deadAt,
		failures:  o.failures + 1,
	}
}

// spread is a random part of d between the fractions from and to.
func spread(d time.Duration, from, to float64) time.Duration {
	var b [4]byte
	rand.Read(b[:]) // never fails
	fraction := float64(binary.BigEndian.Uint32(b[:])) / (1 << 32)
	return time.Duration(float64(d) * (from + (to-from)*fraction))
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
