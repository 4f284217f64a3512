package keymgr

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	defaultHeartbeat = 15 * time.Second
	shortestClamp    = time.Second // below which MaxAge does not press the interval
	refreshers       = 8           // scopes that one heartbeat opens at once
)

// reporter is what a Manager that reports knows of its reports. Its loop alone
// uses it, but for last.
type reporter struct {
	id        string
	host      string
	startedAt time.Time // store's clock
	interval  time.Duration
	maxAge    time.Duration

	born time.Time    // Go's clock; last counts from here
	last atomic.Int64 // when the last report that succeeded began, since born

	full     bool                    // the next report is to be Full
	reported map[Scope]InstanceScope // what the store has been told
	events   uint64                  // Versions.Events of the last report
	failing  bool                    // the last heartbeat failed
}

// maxAge is how long after they were opened keys may serve, and so how long
// after its last report an instance may hold what it has not reported. CacheTTL
// of it is room for clocks and for openings under way.
func (m *Manager) maxAge() time.Duration { return m.cfg.MaxStale + m.cfg.CacheTTL }

// register makes the instance known, before it opens anything.
func (m *Manager) register(ctx context.Context) error {
	if m.instances() == nil || m.cfg.Heartbeat < 0 {
		return nil
	}
	host, _ := os.Hostname()
	r := &reporter{
		id: strings.ToLower(rand.Text()), host: fmt.Sprintf("%s/%d", host, os.Getpid()),
		maxAge:   m.maxAge(),
		interval: min(m.cfg.Heartbeat, max(m.maxAge()/4, shortestClamp)),
		born:     time.Now(),
		full:     true,
	}
	now, err := m.versions(ctx, nil)
	if err == nil {
		r.startedAt = now.At
		m.reporter = r // Close removes the row, even if the answer is lost
		err = m.report(ctx, now)
	}
	if err != nil {
		return fmt.Errorf("%w (an instance that does not report makes it unsafe to promote keys: make the table fieldcrypt_instances with sqlstore.Migrate or `fieldcrypt keys migrate`, and GRANT SELECT, INSERT, UPDATE, DELETE on it to this role; Config.Heartbeat says how to go without)", err)
	}
	return nil
}

// startHeartbeats reports what Open has loaded and goes on in the background
// until Close.
func (m *Manager) startHeartbeats(ctx context.Context) {
	if m.reporter == nil {
		return
	}
	m.beat(ctx)
	m.launch(ctx, func(ctx context.Context) {
		for {
			// A part of the interval is drawn, so that instances do not move in step.
			timer := time.NewTimer(spread(m.reporter.interval, 0.8, 1))
			select {
			case <-ctx.Done():
				timer.Stop()
				return
			case <-timer.C:
				m.beat(ctx)
			}
		}
	})
}

// deregister removes the instance's row, when it serves nothing any more.
func (m *Manager) deregister() {
	if m.reporter == nil {
		return
	}
	err := m.inInstances(context.Background(), "leave", func(ctx context.Context, s InstanceStore) error {
		return s.Forget(ctx, m.reporter.id)
	})
	if err != nil && !errors.Is(err, ErrUnknownInstance) {
		m.cfg.Logger.Warn("keymgr: the instance's row stays: promotion waits for it until it is gone, or forgotten",
			"instance", m.reporter.id, "until", m.reporter.maxAge, "error", err)
	}
}

// beat is one heartbeat. Its failure is observed, logged once until it succeeds
// again, and concerns no caller.
func (m *Manager) beat(ctx context.Context) {
	err := m.heartbeat(ctx)
	r := m.reporter
	if err != nil && ctx.Err() == nil {
		m.observe(ctx, HeartbeatFailed{Class: classOf(err)})
	}
	switch {
	case ctx.Err() != nil || err != nil == r.failing:
		return
	case err != nil:
		m.cfg.Logger.Warn("keymgr: heartbeat failed, promotion of keys waits for this instance", "instance", r.id, "class", class(err), "error", err)
	default:
		m.cfg.Logger.Info("keymgr: heartbeats succeed again", "instance", r.id)
	}
	r.failing = err != nil
}

// heartbeat catches up with the store and then reports. No store call is made
// while keys are waited for.
//
// The report says: this instance serves no version of a scope, now or later, that
// is older than the reported one, nor, where it reports none, than the one that
// was stored at CheckedAt. It holds because every opening that began before
// CheckedAt is found in a cache entry, which from then on takes nothing older than
// the version that was read for it (entry.stored), and because every later opening
// reads the store after CheckedAt.
func (m *Manager) heartbeat(ctx context.Context) error {
	first, behind, err := m.catchUp(ctx)
	if err != nil {
		return err
	}
	m.refresh(ctx, behind)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	err = m.report(ctx, first)
	if errors.Is(err, ErrUnknownInstance) {
		err = m.report(ctx, first) // forgotten, with all its rows: the next report is full
	}
	return err
}

// holding is a cache entry and what was stored and cached when its stored
// version was read.
type holding struct {
	*entry
	was  uint64 // cached before; 0: none
	want uint64 // stored; 0: the scope is gone
}

// catchUp reads the stored versions of all entries, twice, so that those are
// among them that appeared before the first answer. It returns the entries that
// are behind, and the first answer.
func (m *Manager) catchUp(ctx context.Context) (first Versions, behind []holding, err error) {
	asked := map[*entry]bool{}
	for try := range 2 {
		var scopes []Scope
		var batch []holding
		m.entries.Range(func(_, v any) bool {
			if e := v.(*entry); !asked[e] {
				asked[e] = true
				scopes, batch = append(scopes, e.scope), append(batch, holding{entry: e, was: e.version()})
			}
			return true
		})
		if try > 0 && len(scopes) == 0 {
			break
		}
		got, err := m.versions(ctx, scopes)
		if err != nil {
			return Versions{}, nil, err
		}
		if try == 0 {
			first = got
		}
		for _, h := range batch {
			h.want = got.Current[h.scope]
			h.mu.Lock()
			h.stored = h.want
			h.mu.Unlock()
			if h.behind() {
				behind = append(behind, h)
			}
		}
	}
	return first, behind, nil
}

// behind reports whether the cached version is to be replaced. A scope that is
// gone from the store is evicted by its opening.
func (h holding) behind() bool {
	now := h.version()
	return now > 0 && (now < h.want || h.want == 0 && now == h.was)
}

// version is the version that is cached, or 0.
func (e *entry) version() uint64 {
	if o := e.cached.Load(); o != nil {
		return o.keys.version
	}
	return 0
}

// refresh opens scopes again and waits for that, no longer than one interval:
// the rest stays behind until the next heartbeat.
func (m *Manager) refresh(ctx context.Context, behind []holding) {
	ctx, cancel := context.WithTimeout(ctx, m.reporter.interval)
	defer cancel()
	slots := make(chan struct{}, refreshers)
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, h := range behind {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		wg.Go(func() {
			defer func() { <-slots }()
			if o := h.cached.Load(); h.behind() {
				_, _ = m.join(ctx, h.entry, o, false).wait(ctx) // the cache tells what came of it
			}
		})
	}
}

// versions makes the calls of the store that read versions.
func (m *Manager) versions(ctx context.Context, scopes []Scope) (v Versions, err error) {
	err = m.inInstances(ctx, "versions", func(ctx context.Context, s InstanceStore) (err error) {
		v, err = s.Versions(ctx, scopes)
		return err
	})
	return v, err
}

func (r *reporter) silence() time.Duration { return time.Since(r.born) - time.Duration(r.last.Load()) }

// trusted is how long cached keys may still serve without a look at the store.
// An instance that has not reported for its MaxAge is gone to all others, and
// promotion no longer waits for it: from before that moment on, each use of its
// keys opens them. While all is well this bounds nothing.
func (m *Manager) trusted() time.Duration {
	if m.reporter == nil {
		return 1<<63 - 1
	}
	return m.reporter.maxAge - m.cfg.CacheTTL/2 - m.reporter.silence()
}
