package keymgr

import (
	"context"
	"sync/atomic"
)

// Stats counts what a [Manager] has done since it was opened.
type Stats struct {
	// Hits are uses that cached keys served without waiting. Counted only if
	// Config.CountHits.
	Hits uint64
	// KMSCalls are calls of KEKs, whether they succeeded or not. A KEK may
	// send more than one request for a call: the AWS SDK tries again when it is
	// throttled.
	KMSCalls uint64
	// KMSDenied and KMSUnavailable are those of KMSCalls that ended so.
	KMSDenied, KMSUnavailable uint64
	// Opens are scopes that were opened through the KMS.
	Opens uint64
	// Coalesced are uses that joined an opening that another use had started.
	Coalesced uint64
	// Refused are uses that got the last error at once, because too many
	// openings of their scope had failed.
	Refused uint64
	// Throttled are calls of KEKs that Config.KMSRate made wait, or kept from
	// being made.
	Throttled uint64
	// Evictions are scopes whose cached keys were dropped.
	Evictions uint64
	// OpenScopes is how many scopes have cached keys now.
	OpenScopes int
}

// counts are the counters behind Stats.
type counts struct {
	_    [64]byte // hits on a cache line of their own: all the others are rare
	hits atomic.Uint64
	_    [56]byte

	calls, denied, unavailable atomic.Uint64
	opens, coalesced, refused  atomic.Uint64
	throttled, evictions       atomic.Uint64
}

// Stats returns the counters of now. It looks at every scope that the Manager
// knows, so it is for metrics, not for each request.
func (m *Manager) Stats() Stats {
	c := &m.counts
	s := Stats{
		Hits:     c.hits.Load(),
		KMSCalls: c.calls.Load(), KMSDenied: c.denied.Load(), KMSUnavailable: c.unavailable.Load(),
		Opens: c.opens.Load(), Coalesced: c.coalesced.Load(), Refused: c.refused.Load(),
		Throttled: c.throttled.Load(), Evictions: c.evictions.Load(),
	}
	m.entries.Range(func(_, e any) bool {
		if e.(*entry).cached.Load() != nil {
			s.OpenScopes++
		}
		return true
	})
	return s
}

// hit counts a use that cached keys serve.
func (m *Manager) hit() {
	if m.cfg.CountHits {
		m.counts.hits.Add(1)
	}
}

// called counts and observes a call of a KEK.
func (m *Manager) called(ctx context.Context, c KMSCall) {
	m.counts.calls.Add(1)
	switch c.Class {
	case ClassDenied:
		m.counts.denied.Add(1)
	case ClassUnavailable:
		m.counts.unavailable.Add(1)
	}
	m.observe(ctx, c)
}

// evicted counts and observes that cached keys were dropped.
func (m *Manager) evicted(ctx context.Context, e *entry, class Class) {
	m.counts.evictions.Add(1)
	m.observe(ctx, ScopeEvicted{Domain: e.scope.Domain, Scope: e.label, Class: class})
}
