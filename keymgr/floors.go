package keymgr

import (
	"hash/maphash"
	"sync"
)

// floors remembers the highest version that was seen of scopes whose entries
// were dropped to make room, so that a rollback is refused for them too. It keeps
// 16 bytes for a scope, about 30 with the map's own, for as long as the Manager
// lives: 30 MB for a million tenants.
//
// Scopes are known by a seeded hash of 64 bits. Two that share one would share
// the higher floor, which refuses and never lets pass; among a million scopes
// the chance of that is one in 37 million.
type floors struct {
	mu   sync.Mutex
	seed maphash.Seed
	seen map[uint64]uint64
}

func (f *floors) init() { f.seed, f.seen = maphash.MakeSeed(), map[uint64]uint64{} }

func (f *floors) raise(s Scope, version uint64) {
	if version == 0 {
		return
	}
	h := maphash.Comparable(f.seed, s)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen[h] = max(f.seen[h], version)
}

// of returns the version below which a scope must not be, 0 if none is known.
func (f *floors) of(s Scope) uint64 {
	h := maphash.Comparable(f.seed, s)
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen[h]
}
