package keymgr

import (
	"context"
	"time"
)

// Store keeps wrapped keysets. It sees no key: everything in a [Record] is
// wrapped or authenticated by what is wrapped, and a Manager trusts none of it
// before the keysets have opened.
//
// Every change is a compare-and-swap in one transaction. Errors match
// [ErrScopeNotFound], [ErrScopeDestroyed], [ErrScopeExists], [ErrConflict],
// [ErrKeyIDTaken], [ErrKeysetInvalid] for rows that cannot be, and
// [ErrStoreUnavailable] for everything else; the context bounds every call.
//
// keymgrtest.ExerciseStore is the conformance suite.
type Store interface {
	// Load returns the current record of a scope with all its wraps:
	// ErrScopeNotFound if there is none, or ErrScopeDestroyed, as from every
	// other method, if an EventScopeDestroyed of the scope is in the log.
	Load(ctx context.Context, s Scope) (Record, error)
	// Version returns the current version of a scope: a cheap way to see that
	// nothing has changed.
	Version(ctx context.Context, s Scope) (uint64, error)
	// Scopes lists up to limit scopes in order of (domain, tenant), those
	// after the given one; the zero Scope begins.
	Scopes(ctx context.Context, after Scope, limit int) ([]Scope, error)
	// Create stores version 1 of a scope: ErrScopeExists if there is one,
	// ErrScopeDestroyed if there was one that was destroyed.
	Create(ctx context.Context, r Record, events []Event) error
	// Replace stores version r.Version over version r.Version-1, with exactly
	// the wraps of r: ErrConflict if another version is current.
	Replace(ctx context.Context, r Record, events []Event) error
	// SwapWraps replaces the wraps of one version of a scope by others if they
	// are, byte by byte and in any order, the old ones: else ErrConflict. It
	// changes no version.
	SwapWraps(ctx context.Context, s Scope, version uint64, old, new []Wrap, events []Event) error
	// Delete removes the record of a scope with all its wraps: ErrConflict if
	// another version than the given one is current. The log stays, and with it
	// the ids of the scope's keys: they are never used again.
	Delete(ctx context.Context, s Scope, version uint64, events []Event) error
}

// Record is one version of a scope's keysets as stored (FORMAT.md, "Wrapped
// keysets").
type Record struct {
	Scope   Scope
	Version uint64 // 1, 2, 3, ... ; at most 2^63-1
	Seal    []byte // Tink EncryptedKeyset, AEAD
	Index   []byte // Tink EncryptedKeyset, PRF
	Info    string // canonical JSON
	Wraps   []Wrap // the data key under each KEK, at least one, in order of KEKURI

	CreatedAt time.Time // of version 1; set by the store, UTC, microseconds
	UpdatedAt time.Time // of this version or of the last re-wrap; set by the store
}

// Wrap is the data key of a record under one KEK.
type Wrap struct {
	KEKURI        string
	Wrapped       []byte
	TenantContext TenantContext // how the tenant stands in the encryption context of this wrap
}

// Event is a line of the append-only log of key changes
// (fieldcrypt_key_events). It holds no key material.
type Event struct {
	Scope   Scope
	Version uint64
	Kind    EventKind
	Purpose Purpose // of the key; "" for events of the whole scope
	KeyID   uint32  // 0 for events of the whole scope
	Actor   string  // who, from [WithActor]
	Detail  string  // for people; no key material
	At      time.Time
}

// EventKind says what happened. The values are stored.
type EventKind string

const (
	// EventCreated records a new scope.
	EventCreated EventKind = "created"
	// EventKeyAdded records a new key. A store refuses a second EventKeyAdded
	// with the same KeyID, in whatever scope, for ever: [ErrKeyIDTaken].
	EventKeyAdded EventKind = "key-added"
	// EventKeyPromoted records a new primary.
	EventKeyPromoted EventKind = "key-promoted"
	// EventKeyDisabled records that a key is not used any more. Detail says by
	// what proof.
	EventKeyDisabled EventKind = "key-disabled"
	// EventKeyEnabled records that a disabled key reads again.
	EventKeyEnabled EventKind = "key-enabled"
	// EventKeyDestroyed records that a key has left its keyset. Detail says by
	// what proof.
	EventKeyDestroyed EventKind = "key-destroyed"
	// EventScopeDestroyed records the end of a scope. Detail is the [Receipt] as
	// JSON. A store makes no scope again that has this event.
	EventScopeDestroyed EventKind = "scope-destroyed"
	// EventReindexBegun records that a blind index, in Detail, is written under
	// a second key.
	EventReindexBegun EventKind = "reindex-begun"
	// EventReindexEnded records that it no longer is.
	EventReindexEnded EventKind = "reindex-ended"
	// EventRewrapped records new wraps of the data key.
	EventRewrapped EventKind = "rewrapped"
)

// Purpose tells the two keysets of a scope apart. The values are part of the
// stored format.
type Purpose string

const (
	// Seal is the AEAD keyset: XAES-256-GCM.
	Seal Purpose = "seal"
	// Index is the PRF keyset: HMAC-SHA256.
	Index Purpose = "index"
)
