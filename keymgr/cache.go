package keymgr

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// entry is the cache line of one scope.
type entry struct {
	scope  Scope
	domain Domain
	label  string // names the scope in errors and logs

	cached  atomic.Pointer[opened] // nil: cold
	used    atomic.Bool            // since the hand of the clock last came by
	unknown unknownIDs
	pace    *pace // of its KMS calls; nil: none

	mu      sync.Mutex
	opening *opening // nil: none under way
	highest uint64   // version seen so far, kept when cold
	stored  uint64   // version that the last heartbeat read; 0: none
	gone    bool     // no longer the scope's entry
	listed  bool     // in the ring of open scopes, or taken out of it
}

// lock locks the entry of e's scope, which is e unless that is gone.
func (m *Manager) lock(e *entry) *entry {
	e.mu.Lock()
	for e.gone {
		e.mu.Unlock()
		e = m.entryOf(e.scope, e.domain)
		e.mu.Lock()
	}
	return e
}

func (e *entry) wrapContext() WrapContext {
	return WrapContext{Scope: e.scope, TenantContext: e.domain.TenantContext}
}

func (e *entry) floor() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.highest
}

// opening is the flight of one opening.
type opening struct {
	*flight[*Keys]
	create bool  // makes the scope if it is missing
	missed error // why it was not answered, where the keys of before serve on
}

// keys returns the keys of a scope. It waits only where it must.
func (m *Manager) keys(ctx context.Context, e *entry) (*Keys, error) {
	e.touch()
	o := e.cached.Load()
	if o != nil {
		if m.before(o.refreshAt) {
			m.hit()
			return o.keys, nil
		}
		if m.before(o.waitAt) {
			if !o.claimed.Load() && o.claimed.CompareAndSwap(false, true) {
				m.join(ctx, e, o, false)
			}
			m.hit()
			return o.keys, nil
		}
	}
	return m.join(ctx, e, o, false).wait(ctx)
}

// join returns the opening of e that is under way, or starts one. If another
// one has ended since the caller saw the cache line as seen, it is taken.
func (m *Manager) join(ctx context.Context, e *entry, seen *opened, create bool) *opening {
	e = m.lock(e)
	defer e.mu.Unlock()
	if e.opening != nil {
		m.counts.coalesced.Add(1)
		return e.opening
	}
	f := &opening{flight: newFlight[*Keys](), create: create}
	switch o := e.cached.Load(); {
	case o == nil:
		if err := m.cold.admit(e.scope); err != nil {
			m.counts.refused.Add(1)
			f.land(nil, err)
			m.shed(e)
			return f
		}
	case o != seen:
		f.land(o.keys, nil)
		return f
	}
	floor := e.highest
	if m.launch(ctx, func(ctx context.Context) { m.run(ctx, e, f, floor) }) {
		e.opening = f
	} else {
		f.land(nil, ErrClosed)
	}
	return f
}

// run is the work of an opening.
//
// Where the store and a transaction share a pool of one connection, the store
// cannot answer the one who waits within the transaction. So that not every
// such transaction fails, a second try follows as soon as the first has given
// up: it is the next in line for the connection.
func (m *Manager) run(ctx context.Context, e *entry, f *opening, floor uint64) {
	err := m.try(ctx, e, f, floor)
	if !errors.Is(err, ErrStoreUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		f.land(f.value, err)
		return
	}
	e = m.lock(e)
	second := &opening{flight: newFlight[*Keys](), create: f.create}
	free := e.opening == nil && e.cached.Load() == nil
	if free {
		e.opening, floor = second, e.highest
	}
	e.mu.Unlock()
	f.land(nil, err)
	if free {
		err := m.try(ctx, e, second, floor)
		second.land(second.value, err)
	}
}

// try opens a scope once, and sets the value that the waiters of f get unless
// there is an error.
//
// An opening that is overtaken while it is under way opens again.
func (m *Manager) try(ctx context.Context, e *entry, f *opening, floor uint64) (err error) {
	last := uint64(0)
	for tries := 1; ; tries++ {
		began := m.cfg.Now()
		keys, err := m.open(ctx, e, floor)
		if f.create && errors.Is(err, ErrScopeNotFound) {
			if keys, err = m.create(ctx, e); errors.Is(err, ErrScopeExists) {
				keys, err = m.open(ctx, e, floor) // another process was first
			}
		}
		f.value, err = m.settle(ctx, e, f, keys, err, began)
		if !errors.Is(err, errOvertaken) {
			return err
		}
		if keys.version > last {
			last, tries = keys.version, 0 // somebody is changing the scope
		}
		if tries == maxTries {
			f.value, err = m.settle(ctx, e, f, nil, fmt.Errorf("scope %s: %w: %w", e.label, ErrStoreUnavailable, err), began)
			return err
		}
		e = m.lock(e)
		floor = e.highest
		if e.opening == nil && e.cached.Load() == nil { // it was evicted meanwhile: this is the opening of its successor
			e.opening = f
		}
		e.mu.Unlock()
	}
}

// maxTries bounds how often an opening that was overtaken opens again without
// finding a newer version.
const maxTries = 2

var errOvertaken = errors.New("a newer version was stored meanwhile, or the opening took longer than keys may serve")

// overtaken reports whether keys must not serve any more, that an opening has
// read which began some time ago: the last heartbeat has read of a newer version,
// has not known of the opening, or may count as the last of an instance that was
// gone meanwhile. The caller holds e.mu.
func (e *entry) overtaken(keys *Keys, took, maxStale time.Duration) bool {
	return e.gone || keys.version < max(e.highest, e.stored) || took >= max(maxStale, longOpening)
}

// longOpening is what no opening takes unless the process was stopped.
const longOpening = time.Minute

// settle puts the result of an opening into the cache, and returns what its
// waiters get.
func (m *Manager) settle(ctx context.Context, e *entry, f *opening, keys *Keys, err error, began time.Time) (*Keys, error) {
	now := m.cfg.Now()
	report := func() {}
	defer func() { report() }() // without the lock: a log handler may need keys
	var room place
	if err == nil {
		room = m.makeRoom(e)
		defer func() { room.giveBack() }()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	defer m.shed(e)
	o := e.cached.Load()
	if err == nil && o != nil && o.keys.version > keys.version && o.keys.version >= e.stored {
		keys = o.keys // a change by this Manager has overtaken us
	} else if err == nil && e.overtaken(keys, now.Sub(began), m.cfg.MaxStale) {
		return nil, errOvertaken
	}
	current := e.opening == f // not so if the scope was evicted meanwhile
	if current {
		e.opening = nil
	}
	switch {
	case err == nil:
		e.highest = max(e.highest, keys.version)
		if current && (o == nil || o.keys != keys) {
			report = m.keep(e, keys, began, &room)
		}
		return keys, nil
	case m.closing.Err() != nil:
		return nil, ErrClosed
	case o != nil && now.Before(o.deadAt) && m.trusted() > 0 && unanswered(err):
		f.missed = err
		if current {
			e.cached.Store(m.extended(o, now))
			report = func() {
				m.cfg.Logger.Warn("keymgr: refresh failed, cached keys serve on",
					"scope", e.label, "class", class(err), "until", o.deadAt, "error", err)
				m.observe(ctx, RefreshFailed{Domain: e.scope.Domain, Scope: e.label, Class: classOf(err), Until: o.deadAt})
			}
		}
		return o.keys, nil
	case current:
		m.cold.failed(e.scope, err)
		report = m.drop(ctx, e, err)
	}
	return nil, err
}

// keep caches keys in the room that was made for them, and returns how to say
// so. The caller holds e.mu.
func (m *Manager) keep(e *entry, keys *Keys, began time.Time, room *place) (report func()) {
	level := slog.LevelDebug
	if o := e.cached.Load(); o == nil || o.keys.version != keys.version {
		level = slog.LevelInfo
		e.unknown.reset(m.cfg.Now())
	}
	room.take(e)
	e.cached.Store(m.fresh(keys, began))
	m.cold.forget(e.scope)
	return func() {
		m.cfg.Logger.Log(context.Background(), level, "keymgr: scope opened", "scope", e.label, "version", keys.version)
	}
}

// drop empties a cache line after an opening that failed for good, and returns
// how to say so. The caller holds e.mu.
func (m *Manager) drop(ctx context.Context, e *entry, err error) (report func()) {
	level, text := slog.LevelWarn, "keymgr: opening a scope failed"
	warm := e.cached.Swap(nil) != nil
	switch {
	case warm:
		level, text = slog.LevelError, "keymgr: scope evicted"
	case errors.Is(err, ErrScopeNotFound), errors.Is(err, ErrScopeDestroyed):
		level = slog.LevelDebug // names from rows may be made up
	}
	return func() {
		m.cfg.Logger.Log(context.Background(), level, text, "scope", e.label, "class", class(err), "error", err)
		if warm {
			m.evicted(ctx, e, classOf(err))
			return
		}
		m.observe(ctx, OpenFailed{Domain: e.scope.Domain, Scope: e.label, Class: classOf(err)})
	}
}

// unanswered reports whether an error may pass.
func unanswered(err error) bool {
	return errors.Is(err, ErrKMSUnavailable) || errors.Is(err, ErrStoreUnavailable)
}

// class is the sentinel of an error, for logs.
func class(err error) string {
	for _, c := range append(kmsErrors(), ErrStoreUnavailable, ErrScopeNotFound, ErrScopeDestroyed, ErrRollback,
		ErrConflict, ErrConfig, ErrInvalidScope) {
		if errors.Is(err, c) {
			return c.Error()
		}
	}
	return "other"
}
