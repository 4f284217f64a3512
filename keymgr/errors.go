package keymgr

import "errors"

// Every error of this package matches exactly one of these with [errors.Is], or
// else the error of the caller's own context, that ended while the caller waited.
// None of them, and nothing wrapped around them, ever carries key material.
var (
	// ErrConfig: the Config cannot work; the text names the setting and the cure.
	ErrConfig = errors.New("keymgr: invalid configuration")
	// ErrClosed: the Manager was closed.
	ErrClosed = errors.New("keymgr: manager is closed")

	// ErrUnknownDomain: the Config has no such domain.
	ErrUnknownDomain = errors.New("keymgr: unknown key domain")
	// ErrNoTenant: the domain has keys per tenant and none was named.
	ErrNoTenant = errors.New("keymgr: no tenant")
	// ErrInvalidScope: a domain or tenant name breaks the rules of [Scope], or
	// a tenant was named for a domain that is not per tenant.
	ErrInvalidScope = errors.New("keymgr: invalid scope")

	// ErrScopeNotFound: the store has no keysets for the scope. Opening never
	// makes them; Manager.Create or `fieldcrypt keys create` does.
	ErrScopeNotFound = errors.New("keymgr: no keysets for this scope")
	// ErrScopeExists: Create found keysets for the scope.
	ErrScopeExists = errors.New("keymgr: scope already has keysets")
	// ErrScopeDestroyed: Manager.DestroyScope has destroyed the keys of the
	// scope. It never gets others; another name does.
	ErrScopeDestroyed = errors.New("keymgr: the keys of this scope were destroyed")
	// ErrConflict: a compare-and-swap lost against a concurrent change; read
	// again and retry.
	ErrConflict = errors.New("keymgr: keyset was changed concurrently")

	// ErrKEKNotAllowed: the keysets are wrapped under no KEK that the Config
	// lists for the domain, or by another KMS key than the listed KEK names.
	ErrKEKNotAllowed = errors.New("keymgr: KEK not allowed")
	// ErrKMSDenied: the KMS refused: access denied, key disabled, pending
	// deletion or gone. Cached keys are dropped at once.
	ErrKMSDenied = errors.New("keymgr: KMS denied the use of the key")
	// ErrKMSUnavailable: the KMS did not answer, throttled, failed, or the
	// credentials have expired. Cached keys serve on until MaxStale.
	ErrKMSUnavailable = errors.New("keymgr: KMS unavailable")
	// ErrStoreUnavailable: the keyset store did not answer.
	ErrStoreUnavailable = errors.New("keymgr: keyset store unavailable")

	// ErrKeysetInvalid: the stored keysets of a scope do not authenticate, do
	// not parse, or break a rule of FORMAT.md: changed by hand, copied from
	// another scope, or mixed from two versions.
	ErrKeysetInvalid = errors.New("keymgr: stored keysets are invalid")
	// ErrRollback: the stored version is lower than one seen before, or than
	// Config.MinVersions.
	ErrRollback = errors.New("keymgr: stored keysets were rolled back")

	// ErrUnknownKey: no key of the scope has this id.
	ErrUnknownKey = errors.New("keymgr: unknown key id")
	// ErrKeyDisabled: the key is disabled or destroyed.
	ErrKeyDisabled = errors.New("keymgr: key is disabled or destroyed")
	// ErrKeyIDTaken: a new key drew an id that the store has seen before; the
	// Manager draws again.
	ErrKeyIDTaken = errors.New("keymgr: key id was used before")
	// ErrRewrapFailed: some scopes of a RewrapAll failed; its report names them
	// and why, and their old wraps have stayed.
	ErrRewrapFailed = errors.New("keymgr: scopes were not rewrapped")
	// ErrInstancesBehind: some running instance may still serve keysets without
	// the key; the text names them, and from when on the key's age alone suffices.
	ErrInstancesBehind = errors.New("keymgr: instances are behind")
	// ErrUnknownInstance: the store knows no instance of this id.
	ErrUnknownInstance = errors.New("keymgr: unknown instance")
	// ErrKeyState: the key's state does not allow the change that was asked.
	ErrKeyState = errors.New("keymgr: key state does not allow this")
	// ErrKeyInUse: data or an instance may still use the key: its [Proof] is
	// missing, incomplete, of something else or too old.
	ErrKeyInUse = errors.New("keymgr: data or an instance may still use the key")
)
