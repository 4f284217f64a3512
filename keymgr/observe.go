package keymgr

import (
	"context"
	"errors"
	"time"
)

// Observer is told what a [Manager] does that costs something or fails: for
// metrics and traces. Observe is called concurrently, from the goroutine that
// does the work and without locks; it must be quick, and must not wait for keys
// of the scope that it is told of. The context carries the values of the request
// that caused the work, and may have ended.
//
// No key material is ever observed. Scope is the scope's name as in log lines:
// the tenant is hashed where the domain says [TenantSHA256]. It has as many values
// as there are tenants; a metric wants Domain.
type Observer interface {
	Observe(context.Context, Observation)
}

// Observation is one of [KMSCall], [KMSThrottled], [ScopeOpened], [OpenFailed],
// [RefreshFailed], [ScopeEvicted] and [HeartbeatFailed]. More may be added.
type Observation interface{ observation() }

// Operation is what a KEK was asked for.
type Operation string

// The operations of a [KEK] and its extensions.
const (
	OpGenerateDataKey Operation = "GenerateDataKey"
	OpWrap            Operation = "Wrap"
	OpUnwrap          Operation = "Unwrap"
	OpRewrap          Operation = "Rewrap"
	OpResolve         Operation = "Resolve" // of a [Resolver]
)

// Class is the class of an outcome, one for each sentinel error that it can be.
type Class string

// The classes of outcomes.
const (
	ClassOK               Class = "ok"
	ClassDenied           Class = "denied"            // ErrKMSDenied
	ClassNotAllowed       Class = "kek_not_allowed"   // ErrKEKNotAllowed
	ClassInvalid          Class = "invalid"           // ErrKeysetInvalid
	ClassUnavailable      Class = "kms_unavailable"   // ErrKMSUnavailable
	ClassStoreUnavailable Class = "store_unavailable" // ErrStoreUnavailable
	ClassNotFound         Class = "not_found"         // ErrScopeNotFound
	ClassRollback         Class = "rollback"          // ErrRollback
	ClassCancelled        Class = "cancelled"         // no longer needed, or the Manager is closing
	ClassSlow             Class = "slow"              // ScopeOpened.Failover only: no answer within Config.HedgeAfter
	ClassAsked            Class = "asked"             // ScopeEvicted only: Manager.Evict, DestroyScope
	ClassRoom             Class = "room"              // ScopeEvicted only: to make room, Config.MaxOpenScopes
	ClassDestroyed        Class = "destroyed"         // ErrScopeDestroyed
	ClassOther            Class = "other"
)

// KMSCall is a call of a KEK that has ended.
type KMSCall struct {
	Domain, Scope string
	KEK           string // its URI
	Operation     Operation
	Waited        time.Duration // before the call, for Config.KMSRate
	Duration      time.Duration
	Class         Class
}

// KMSThrottled is a call of a KEK that was not made, because Config.KMSRate left
// no room for it within half of Config.KMSTimeout.
type KMSThrottled struct {
	Domain, Scope string
	KEK           string
	Operation     Operation
	Waited        time.Duration
}

// ScopeOpened is a success in opening a scope through the KMS, be it for the
// cache or for a change of the scope.
type ScopeOpened struct {
	Domain, Scope string
	Version       uint64
	KEK           string // that opened it
	// Failover says why it was not the first KEK: the class of what that, or the
	// strongest of several, answered, or ClassSlow. Empty where it was the first.
	Failover Class
	Duration time.Duration // of unwrapping, over all KEKs that were asked
}

// OpenFailed is a failure to open a scope of which no keys were cached.
type OpenFailed struct {
	Domain, Scope string
	Class         Class
}

// RefreshFailed is an opening that was not answered, where the keys that are
// cached serve on.
type RefreshFailed struct {
	Domain, Scope string
	Class         Class
	Until         time.Time // the keys serve until then, by Config.Now
}

// ScopeEvicted is the end of cached keys: refused, too old, or asked to.
type ScopeEvicted struct {
	Domain, Scope string
	Class         Class
}

// HeartbeatFailed is a report of this instance that did not reach the store.
type HeartbeatFailed struct {
	Class Class
}

func (KMSCall) observation()         {}
func (KMSThrottled) observation()    {}
func (ScopeOpened) observation()     {}
func (OpenFailed) observation()      {}
func (RefreshFailed) observation()   {}
func (ScopeEvicted) observation()    {}
func (HeartbeatFailed) observation() {}

func (m *Manager) observe(ctx context.Context, o Observation) {
	if m.cfg.Observer != nil {
		m.cfg.Observer.Observe(ctx, o)
	}
}

// classOf is the class of an error.
func classOf(err error) Class {
	if err == nil {
		return ClassOK
	}
	for _, c := range []struct {
		sentinel error
		class    Class
	}{
		{ErrKMSDenied, ClassDenied},
		{ErrKEKNotAllowed, ClassNotAllowed},
		{ErrKeysetInvalid, ClassInvalid},
		{ErrKMSUnavailable, ClassUnavailable},
		{ErrStoreUnavailable, ClassStoreUnavailable},
		{ErrScopeNotFound, ClassNotFound},
		{ErrScopeDestroyed, ClassDestroyed},
		{ErrRollback, ClassRollback},
	} {
		if errors.Is(err, c.sentinel) {
			return c.class
		}
	}
	return ClassOther
}

// answerOf is the class of what a KEK answered to a call on ctx.
func answerOf(ctx context.Context, err error) Class {
	class := classOf(err)
	if class == ClassUnavailable && errors.Is(ctx.Err(), context.Canceled) {
		return ClassCancelled
	}
	return class
}
