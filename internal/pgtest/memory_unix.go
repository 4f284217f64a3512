//go:build unix && !linux

package pgtest

// openMemory makes the user's folder in memory: not on this system.
func openMemory() *home { return nil }
