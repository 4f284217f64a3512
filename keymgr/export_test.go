package keymgr

// Entries counts the scopes that the Manager remembers.
func (m *Manager) Entries() (n int) {
	m.entries.Range(func(any, any) bool {
		n++
		return true
	})
	return n
}
