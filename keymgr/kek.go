package keymgr

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"github.com/fieldcrypt/go/internal/frame"
)

// DataKeySize is the length of a data key in bytes: AES-256.
const DataKeySize = 32

// KEK is a key-encryption key: a KMS key, or what stands in for one, that wraps
// the data keys of scopes. Implementations are safe for concurrent use and
// redact themselves in every formatter.
//
// Errors match [ErrKMSDenied] when the KMS says no (also for a key that is
// disabled, pending deletion or gone), [ErrKEKNotAllowed] when the wrapped bytes
// were made by another key than this one, [ErrKeysetInvalid] when they do not
// authenticate in this context, and [ErrKMSUnavailable] for everything that may
// pass: timeouts, throttling, server errors, expired credentials. A call ends
// when its context does.
//
// keymgrtest.ExerciseKEK is the conformance suite.
type KEK interface {
	// URI names the key for ever: it is stored beside what the key wrapped and
	// compared, byte by byte, with the KEKs that a Config lists.
	URI() string
	// GenerateDataKey returns a new random data key of [DataKeySize] bytes, in
	// the clear and wrapped.
	GenerateDataKey(ctx context.Context, wc WrapContext) (plaintext, wrapped []byte, err error)
	// Wrap encrypts a data key that another KEK has made.
	Wrap(ctx context.Context, plaintext []byte, wc WrapContext) (wrapped []byte, err error)
	// Unwrap decrypts a data key. It never lets the wrapped bytes choose the key.
	Unwrap(ctx context.Context, wrapped []byte, wc WrapContext) (plaintext []byte, err error)
}

// Rewrapper is a KEK that can take over a data key inside the KMS, so that
// whoever asks for it never sees the key.
type Rewrapper interface {
	KEK
	// CanRewrap reports whether Rewrap can take over what from has wrapped.
	CanRewrap(from KEK) bool
	// Rewrap turns what from has wrapped in the context old into the same data
	// key wrapped under this KEK in the context new.
	Rewrap(ctx context.Context, wrapped []byte, from KEK, old, new WrapContext) ([]byte, error)
}

// Replica is a KEK that may be the same KMS key as others, reached elsewhere: a
// multi-Region key of AWS.
type Replica interface {
	KEK
	// ReplicaOf reports whether this KEK unwraps what the KEK of the URI has
	// wrapped. It makes no call, and may be asked about any URI that is stored.
	ReplicaOf(uri string) bool
}

// TenantContext says how a tenant's name appears in the KMS encryption context,
// which the KMS logs in the clear.
type TenantContext string

const (
	// TenantPlain puts the tenant's name itself into the encryption context.
	TenantPlain TenantContext = ""
	// TenantSHA256 puts the lower-case hex SHA-256 of the tenant's name there:
	// for names that are personal data.
	TenantSHA256 TenantContext = "sha256"
)

// WrapContext is what a wrapped data key is bound to.
type WrapContext struct {
	Scope         Scope
	TenantContext TenantContext
}

// EncryptionContext is the KMS encryption context: readable, so that audit logs
// and key policies can speak of domains and tenants (FORMAT.md, "Wrapped data
// keys").
func (wc WrapContext) EncryptionContext() map[string]string {
	ec := map[string]string{"fieldcrypt:domain": wc.Scope.Domain}
	if t := wc.Scope.Tenant; t != "" {
		if wc.TenantContext == TenantSHA256 {
			sum := sha256.Sum256([]byte(t))
			t = hex.EncodeToString(sum[:])
		}
		ec["fieldcrypt:tenant"] = t
	}
	return ec
}

// AssociatedData is frame('w'; domain, tenant), for KEKs that take bytes in
// place of an encryption context.
func (wc WrapContext) AssociatedData() []byte {
	return frame.Make(frame.DataKey, []byte(wc.Scope.Domain), []byte(wc.Scope.Tenant))
}
