package keymgr

import (
	"context"
	"fmt"
	"time"
)

// InstanceStore is a [Store] in which running Managers report what they hold,
// so that a key becomes the primary only when all of them have it.
//
// All times are those of the store's own clock, never of the processes that
// call it. Errors match [ErrUnknownInstance], and [ErrStoreUnavailable] for
// everything else; the context bounds every call.
//
// keymgrtest.ExerciseStore covers it. A Store that wraps another one and does
// not have these methods hides them: its Managers do not report.
type InstanceStore interface {
	Store
	// Versions reads the current versions of the scopes. At is read first: what
	// was committed before At is seen.
	Versions(ctx context.Context, scopes []Scope) (Versions, error)
	// Report writes what an instance holds, in one transaction. It is
	// ErrUnknownInstance, and writes nothing, if the instance has no row and
	// the report is not Full.
	Report(ctx context.Context, r InstanceReport) error
	// Instances lists the instances in order of their ids, with what they hold
	// of the scope, or of all scopes if it is the zero Scope. Now is read first.
	Instances(ctx context.Context, of Scope) (Fleet, error)
	// Forget removes an instance: ErrUnknownInstance if it is not there.
	Forget(ctx context.Context, id string) error
}

// Versions is what a store holds at one moment, or later.
type Versions struct {
	At      time.Time        // the moment
	Current map[Scope]uint64 // of the scopes that were asked for and exist
	Events  uint64           // where Sparing, grows with each [Event] of whatever scope
	// Sparing: a report costs other users of the database something, as on
	// SQLite. Then instances report only when something has changed, or a quarter
	// of their MaxAge has passed.
	Sparing bool
}

// InstanceReport is what an instance tells of itself.
type InstanceReport struct {
	ID        string        // random, of one Manager
	Host      string        // for people: host name and process id
	StartedAt time.Time     // of Manager's Open
	CheckedAt time.Time     // Versions.At of the versions that the report has caught up with
	MaxAge    time.Duration // Instance.MaxAge
	Interval  time.Duration // Instance.Interval

	Full    bool            // Scopes are all, else those that have changed
	Scopes  []InstanceScope // held now; SeenAt is for the store to set
	Removed []Scope         // no longer held
}

// Instance is a running Manager as the store knows it.
type Instance struct {
	ID        string
	Host      string
	StartedAt time.Time
	CheckedAt time.Time     // holds nothing that is older than what was stored at this time, but for Scopes
	LastSeen  time.Time     // when it last reported
	MaxAge    time.Duration // how long it may serve keys that it does not report: MaxStale + CacheTTL
	Interval  time.Duration // the longest between two reports while all is well
	Scopes    []InstanceScope
}

// InstanceScope is the version of a scope's keysets that an instance holds.
type InstanceScope struct {
	Scope     Scope
	Version   uint64
	SealKeys  []uint32  // that it can open with, in ascending order
	IndexKeys []uint32  // that it searches with, in ascending order
	SealKey   uint32    // that it seals with
	IndexKey  uint32    // that it writes blind indexes with
	SeenAt    time.Time // when it was reported
}

// Fleet is the instances of a store at one moment, or later.
type Fleet struct {
	Now       time.Time
	Instances []Instance
}

// Gone reports whether an instance was not seen for longer than its MaxAge: what
// it held then serves no more.
func (i Instance) Gone(now time.Time) bool { return now.Sub(i.LastSeen) > i.MaxAge }

// Silent reports whether an instance has missed reports: it is paused, cut off
// or dead, or its clock runs slow.
func (i Instance) Silent(now time.Time) bool { return now.Sub(i.LastSeen) > 3*i.Interval }

// holds returns what the instance holds of a scope.
func (i Instance) holds(s Scope) (InstanceScope, bool) {
	for _, h := range i.Scopes {
		if h.Scope == s {
			return h, true
		}
	}
	return InstanceScope{}, false
}

// instances is the Store as an InstanceStore, or nil.
func (m *Manager) instances() InstanceStore {
	s, _ := m.cfg.Store.(InstanceStore)
	return s
}

// InstanceID is the id under which the Manager reports: "" if it does not.
func (m *Manager) InstanceID() string {
	if m.reporter == nil {
		return ""
	}
	return m.reporter.id
}

// Instances returns the instances that have reported to the Manager's store, with
// what they hold of the scope, or of all scopes if it is the zero Scope. It is
// ErrConfig if the store is no [InstanceStore], else [ErrStoreUnavailable].
func (m *Manager) Instances(ctx context.Context, of Scope) (Fleet, error) {
	if m.instances() == nil {
		return Fleet{}, fmt.Errorf("%w: the store is no InstanceStore", ErrConfig)
	}
	ctx, end, err := m.begin(ctx)
	if err != nil {
		return Fleet{}, err
	}
	defer end()
	var f Fleet
	err = m.inInstances(ctx, "list", func(ctx context.Context, s InstanceStore) (err error) {
		f, err = s.Instances(ctx, of)
		return err
	})
	return f, err
}

// ForgetInstance removes an instance that has died without Close, which promotion
// would wait for until it is gone. Forgetting one that lives is dangerous: until
// its next heartbeat, in which it registers again, nobody waits for it.
// ErrUnknownInstance; otherwise as [Manager.Instances].
func (m *Manager) ForgetInstance(ctx context.Context, id string) error {
	if m.instances() == nil {
		return fmt.Errorf("%w: the store is no InstanceStore", ErrConfig)
	}
	ctx, end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	return m.inInstances(ctx, "forget", func(ctx context.Context, s InstanceStore) error { return s.Forget(ctx, id) })
}

// inInstances makes one call of the store that concerns instances.
func (m *Manager) inInstances(ctx context.Context, what string, call func(context.Context, InstanceStore) error) error {
	ctx, cancel := context.WithTimeout(ctx, m.cfg.StoreTimeout)
	defer cancel()
	if err := classify(call(ctx, m.instances()), ErrStoreUnavailable, ErrUnknownInstance); err != nil {
		return fmt.Errorf("keymgr: instances: %s: %w", what, err)
	}
	return nil
}
