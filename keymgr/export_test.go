package keymgr

import "context"

// Behind is behind.
func (m *Manager) Behind(ctx context.Context, s Scope, version uint64) ([]Instance, int, error) {
	return m.behind(ctx, s, version)
}

// Entries counts the scopes that the Manager remembers.
func (m *Manager) Entries() (n int) {
	m.entries.Range(func(any, any) bool {
		n++
		return true
	})
	return n
}

// HoldsKeys reports whether keys are cached where s looks for them.
func (s *ScopeKeys) HoldsKeys() bool { return s.entry.Load().cached.Load() != nil }

// OpenScopes counts the scopes of per-tenant domains whose keys are cached, while
// none can join or leave the ring.
func (m *Manager) OpenScopes() (n int) {
	m.held.mu.Lock()
	defer m.held.mu.Unlock()
	m.entries.Range(func(_, e any) bool {
		if e := e.(*entry); e.domain.PerTenant && e.cached.Load() != nil {
			n++
		}
		return true
	})
	return n
}
