package keymgr

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// Manager opens, caches and changes the keysets of scopes. It is safe for
// concurrent use; make one per process, and Close it.
type Manager struct {
	cfg      Config
	ownClock bool     // cfg.Now is time.Now
	entries  sync.Map // Scope to *entry
	held     openScopes
	floors   floors
	reporter *reporter // nil: does not report as an instance
	observed observations

	closed  atomic.Bool
	closing context.Context // ends when Close begins
	cancel  context.CancelFunc
	mu      sync.Mutex // orders begin before Close's wait
	work    sync.WaitGroup
}

// Open returns a Manager that has opened every scope of cfg that is not per
// tenant, unless cfg is Lazy. A scope that is missing is created if its domain
// says AutoCreate, and is ErrScopeNotFound otherwise. A Config that cannot
// work is ErrConfig.
//
// Where the store is an [InstanceStore], the Manager reports to it as an
// instance, unless it is Lazy or Config.Heartbeat is negative; if it cannot, that
// is ErrStoreUnavailable.
func Open(ctx context.Context, cfg Config) (*Manager, error) {
	ownClock := cfg.Now == nil
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	m := &Manager{cfg: cfg, ownClock: ownClock}
	m.held.init(cfg.MaxOpenScopes)
	m.floors.init()
	m.closing, m.cancel = context.WithCancel(context.Background())
	if cfg.Lazy {
		return m, nil
	}
	if err := m.register(ctx); err != nil {
		m.Close()
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Domains)) {
		if cfg.Domains[name].PerTenant {
			continue
		}
		if err := m.Ensure(ctx, Scope{Domain: name}); err != nil {
			m.Close()
			return nil, err
		}
	}
	m.startHeartbeats(ctx)
	return m, nil
}

// Close drops all cached keys and waits for work in the background, which it
// cancels, and then removes the instance's row from the store: close the database
// after it. Every later call fails with ErrClosed. Keys that callers hold still
// work. It always returns nil.
func (m *Manager) Close() error {
	m.mu.Lock()
	first := !m.closed.Swap(true)
	m.mu.Unlock()
	m.cancel()
	m.work.Wait()
	m.entries.Range(func(_, e any) bool {
		e.(*entry).cached.Store(nil) // a ScopeKeys may still point to it
		return true
	})
	m.entries.Clear()
	m.held.clear()
	if first {
		m.deregister()
	}
	return nil
}

// Keys returns the keys of a scope, for sealing and searching. It never makes
// a scope. Cached keys are returned at once; otherwise it waits for one
// opening, which all callers share. Errors:
//
//   - ErrUnknownDomain, ErrNoTenant, ErrInvalidScope, ErrClosed
//   - ErrScopeNotFound: the scope was never made, or is gone
//   - ErrScopeDestroyed: its keys were destroyed
//   - ErrKMSDenied, ErrKEKNotAllowed, ErrKeysetInvalid, ErrRollback: refused;
//     what was cached is dropped
//   - ErrKMSUnavailable, ErrStoreUnavailable: no answer, and nothing cached
//     that is younger than Config.MaxStale
//   - the error of ctx, if that ends while it waits
func (m *Manager) Keys(ctx context.Context, s Scope) (*Keys, error) {
	e, err := m.entry(s)
	if err != nil {
		return nil, err
	}
	return m.keys(ctx, e)
}

// PerTenant reports whether a domain has keys per tenant: ErrUnknownDomain if
// the Config does not name it.
func (m *Manager) PerTenant(domain string) (bool, error) {
	d, ok := m.cfg.Domains[domain]
	if !ok {
		return false, fmt.Errorf("%w: %q", ErrUnknownDomain, clip(domain))
	}
	return d.PerTenant, nil
}

// Evict drops the cached keys of a scope, so that the next use opens them
// through the KMS. An opening that is under way does not count.
func (m *Manager) Evict(s Scope) {
	v, ok := m.entries.Load(s)
	if !ok {
		return
	}
	e := v.(*entry)
	e.mu.Lock()
	e.opening = nil
	dropped := e.cached.Swap(nil) != nil
	e.mu.Unlock()
	if dropped {
		m.cfg.Logger.Info("keymgr: scope evicted", "scope", e.label, "class", "asked to")
	}
}
