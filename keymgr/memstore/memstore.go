package memstore

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/fieldcrypt/go/keymgr"
)

// Store is a [keymgr.Store] in memory, safe for concurrent use.
type Store struct {
	mu      sync.Mutex
	records map[keymgr.Scope]keymgr.Record
	events  []keymgr.Event
	keyIDs  map[uint32]bool // every id that was ever added

	destroyed map[keymgr.Scope]bool // every scope with an EventScopeDestroyed
	instances map[string]*instance
}

// New returns an empty Store.
func New() *Store {
	return &Store{
		records: map[keymgr.Scope]keymgr.Record{}, keyIDs: map[uint32]bool{}, destroyed: map[keymgr.Scope]bool{},
	}
}

// Load returns the current record of a scope.
func (s *Store) Load(ctx context.Context, scope keymgr.Scope) (keymgr.Record, error) {
	var r keymgr.Record
	err := s.locked(ctx, func() (err error) {
		r, err = s.current(scope)
		return err
	})
	return clone(r), err
}

// Version returns the current version of a scope.
func (s *Store) Version(ctx context.Context, scope keymgr.Scope) (uint64, error) {
	r, err := s.Load(ctx, scope)
	return r.Version, err
}

// Scopes lists up to limit scopes in order of (domain, tenant), those after
// the given one.
func (s *Store) Scopes(ctx context.Context, after keymgr.Scope, limit int) ([]keymgr.Scope, error) {
	var list []keymgr.Scope
	err := s.locked(ctx, func() error {
		for scope := range s.records {
			if compare(scope, after) > 0 {
				list = append(list, scope)
			}
		}
		return nil
	})
	slices.SortFunc(list, compare)
	return list[:min(len(list), max(limit, 0))], err
}

// Create stores version 1 of a scope.
func (s *Store) Create(ctx context.Context, r keymgr.Record, events []keymgr.Event) error {
	return s.locked(ctx, func() error {
		if _, ok := s.records[r.Scope]; ok {
			return keymgr.ErrScopeExists
		}
		if s.destroyed[r.Scope] {
			return keymgr.ErrScopeDestroyed
		}
		if r.Version != 1 {
			return fmt.Errorf("%w: a scope begins with version 1", keymgr.ErrConflict)
		}
		if err := s.log(events); err != nil {
			return err
		}
		r.CreatedAt = now()
		s.put(r)
		return nil
	})
}

// Replace stores version r.Version over version r.Version-1.
func (s *Store) Replace(ctx context.Context, r keymgr.Record, events []keymgr.Event) error {
	return s.locked(ctx, func() error {
		cur, err := s.current(r.Scope)
		if err != nil {
			return err
		}
		if cur.Version+1 != r.Version {
			return keymgr.ErrConflict
		}
		if err := s.log(events); err != nil {
			return err
		}
		r.CreatedAt = cur.CreatedAt
		s.put(r)
		return nil
	})
}

// SwapWraps replaces the wraps of one version of a scope.
func (s *Store) SwapWraps(ctx context.Context, scope keymgr.Scope, version uint64, old, new []keymgr.Wrap, events []keymgr.Event) error {
	return s.locked(ctx, func() error {
		cur, err := s.current(scope)
		if err != nil {
			return err
		}
		if cur.Version != version || !slices.EqualFunc(sorted(old), cur.Wraps, equal) {
			return keymgr.ErrConflict
		}
		if err := s.log(events); err != nil {
			return err
		}
		cur.Wraps = new
		s.put(cur)
		return nil
	})
}

// Delete removes the record of a scope.
func (s *Store) Delete(ctx context.Context, scope keymgr.Scope, version uint64, events []keymgr.Event) error {
	return s.locked(ctx, func() error {
		cur, err := s.current(scope)
		if err != nil {
			return err
		}
		if cur.Version != version {
			return keymgr.ErrConflict
		}
		if err := s.log(events); err != nil {
			return err
		}
		delete(s.records, scope)
		return nil
	})
}

// Events returns the log of a scope, oldest first.
func (s *Store) Events(ctx context.Context, scope keymgr.Scope) ([]keymgr.Event, error) {
	var list []keymgr.Event
	err := s.locked(ctx, func() error {
		for _, e := range s.events {
			if e.Scope == scope {
				list = append(list, e)
			}
		}
		return nil
	})
	return list, err
}

func (s *Store) locked(ctx context.Context, f func() error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", keymgr.ErrStoreUnavailable, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return f()
}

func (s *Store) current(scope keymgr.Scope) (keymgr.Record, error) {
	r, ok := s.records[scope]
	switch {
	case !ok && s.destroyed[scope]:
		return keymgr.Record{}, keymgr.ErrScopeDestroyed
	case !ok:
		return keymgr.Record{}, keymgr.ErrScopeNotFound
	}
	return r, nil
}

// put is the last step of a change: nothing can fail after it.
func (s *Store) put(r keymgr.Record) {
	r = clone(r)
	r.Wraps = sorted(r.Wraps)
	r.UpdatedAt = now()
	s.records[r.Scope] = r
}

// log appends all events or, when one adds a key id that is known, none.
func (s *Store) log(events []keymgr.Event) error {
	added := map[uint32]bool{}
	for _, e := range events {
		if e.Kind != keymgr.EventKeyAdded {
			continue
		}
		if s.keyIDs[e.KeyID] || added[e.KeyID] {
			return keymgr.ErrKeyIDTaken
		}
		added[e.KeyID] = true
	}
	for id := range added {
		s.keyIDs[id] = true
	}
	for _, e := range events {
		if e.Kind == keymgr.EventScopeDestroyed {
			s.destroyed[e.Scope] = true
		}
	}
	s.events = append(s.events, events...)
	return nil
}

// clone keeps what is stored apart from what callers hold.
func clone(r keymgr.Record) keymgr.Record {
	r.Seal, r.Index = slices.Clone(r.Seal), slices.Clone(r.Index)
	r.Wraps = slices.Clone(r.Wraps)
	for i := range r.Wraps {
		r.Wraps[i].Wrapped = slices.Clone(r.Wraps[i].Wrapped)
	}
	return r
}

func compare(a, b keymgr.Scope) int {
	return cmp.Or(cmp.Compare(a.Domain, b.Domain), cmp.Compare(a.Tenant, b.Tenant))
}

func sorted(wraps []keymgr.Wrap) []keymgr.Wrap {
	return slices.SortedFunc(slices.Values(wraps), func(a, b keymgr.Wrap) int { return cmp.Compare(a.KEKURI, b.KEKURI) })
}

func equal(a, b keymgr.Wrap) bool {
	return a.KEKURI == b.KEKURI && a.TenantContext == b.TenantContext && string(a.Wrapped) == string(b.Wrapped)
}

func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
