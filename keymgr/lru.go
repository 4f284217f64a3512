package keymgr

import (
	"context"
	"sync"
)

// openScopes bounds how many scopes of per-tenant domains are open: CLOCK, or
// second chance. A use sets the entry's bit if that is not set, and takes no
// lock; who opens a scope more than there is room for walks the hand over the
// ring, clears bits, and evicts the first entry that has none.
//
// Locks are taken in this order: an entry's, then this one's.
type openScopes struct {
	mu       sync.Mutex
	freed    sync.Cond // on mu: a place was given back, or an entry joined the ring
	bound    int
	reserved int      // places that are neither in the ring nor free
	ring     []*entry // with reserved, at most bound
	hand     int
}

func (l *openScopes) init(bound int) { l.bound, l.freed.L = bound, &l.mu }

// reserve takes a place. If there is none it also takes an entry out of the
// ring, whose place it is once the caller has closed the entry.
func (l *openScopes) reserve() (victim *entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.ring)+l.reserved >= l.bound && len(l.ring) == 0 {
		l.freed.Wait() // others are about to use theirs
	}
	if len(l.ring)+l.reserved >= l.bound {
		victim = l.pick()
	}
	l.reserved++
	return victim
}

// pick takes out of the ring what was not used since the hand last came by. The
// caller holds l.mu, and the ring is not empty.
func (l *openScopes) pick() *entry {
	for {
		l.hand %= len(l.ring)
		e := l.ring[l.hand]
		if e.used.Swap(false) {
			l.hand++
			continue
		}
		last := len(l.ring) - 1
		l.ring[l.hand], l.ring[last] = l.ring[last], nil
		l.ring = l.ring[:last]
		return e
	}
}

func (l *openScopes) join(e *entry) {
	l.mu.Lock()
	l.reserved--
	l.ring = append(l.ring, e)
	l.mu.Unlock()
	l.freed.Broadcast()
}

func (l *openScopes) release() {
	l.mu.Lock()
	l.reserved--
	l.mu.Unlock()
	l.freed.Broadcast()
}

func (l *openScopes) clear() {
	l.mu.Lock()
	l.ring, l.hand = nil, 0
	l.mu.Unlock()
}

// place is room for one more open scope.
type place struct {
	open *openScopes // nil: none is needed, or it is used
	told func()      // says that another scope was evicted for it; nil: none was
}

// makeRoom returns a place for e, evicting another scope for it if it must. The
// caller holds no entry's lock, and gives the place back.
func (m *Manager) makeRoom(e *entry) place {
	if !e.domain.PerTenant {
		return place{}
	}
	e.mu.Lock()
	needed := !e.listed && !e.gone
	e.mu.Unlock()
	if !needed {
		return place{}
	}
	p := place{open: &m.held}
	if victim := m.held.reserve(); victim != nil {
		p.told = m.retire(victim)
	}
	return p
}

// fits reports whether keys may be kept in e, whose lock the caller holds.
func (p *place) fits(e *entry) bool { return p.open != nil || e.listed || !e.domain.PerTenant }

// take uses the place for e, whose lock the caller holds.
func (p *place) take(e *entry) {
	if p.open != nil && !e.listed {
		e.listed = true
		e.used.Store(true)
		p.open.join(e)
		p.open = nil
	}
}

// giveBack frees the place if it was not used. Only then it says what was evicted:
// who is told may need a place. The caller holds no entry's lock.
func (p *place) giveBack() {
	if p.open != nil {
		p.open.release()
	}
	if p.told != nil {
		p.told()
	}
}

// retire drops an entry and its keys, and remembers the version alone. The entry
// is out of the ring. It returns how to say so.
func (m *Manager) retire(e *entry) (report func()) {
	e.mu.Lock()
	e.gone = true
	e.opening = nil // if it is under way it serves those who wait for it
	warm := e.cached.Swap(nil) != nil
	m.floors.raise(e.scope, e.highest) // before another entry can take its place
	m.entries.Delete(e.scope)
	e.mu.Unlock()
	return func() {
		m.cfg.Logger.Debug("keymgr: scope evicted", "scope", e.label, "class", "MaxOpenScopes")
		if warm {
			m.evicted(context.Background(), e, ClassRoom)
		}
	}
}

// shed takes an entry out of the cache that holds nothing and has no place among
// the open scopes: names that are made up, tenants that are refused, and scopes
// that were only changed must not fill the memory. The caller holds e.mu.
func (m *Manager) shed(e *entry) {
	idle := !e.gone && e.opening == nil && e.cached.Load() == nil
	if idle && (e.highest == 0 || e.domain.PerTenant && !e.listed) {
		e.gone = true
		m.floors.raise(e.scope, e.highest)
		m.entries.Delete(e.scope)
	}
}

// touch notes a use. It writes nothing if one is noted already.
func (e *entry) touch() {
	if !e.used.Load() {
		e.used.Store(true)
	}
}
