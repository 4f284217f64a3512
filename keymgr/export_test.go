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
