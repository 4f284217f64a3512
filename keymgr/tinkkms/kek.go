package tinkkms

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/fieldcrypt/go/keymgr"
)

// maxWrapped is the most bytes of a wrapped data key that are given to an AEAD.
const maxWrapped = 64 << 10

// KEK is a key behind a Tink AEAD. It is safe for concurrent use if the AEAD is,
// as Tink asks, and prints as its URI in every formatter.
type KEK struct {
	uri      string
	encrypt  operation
	decrypt  operation
	classify func(error) error
	slots    chan struct{} // one for each call that may be under way
}

var _ keymgr.KEK = (*KEK)(nil)

// Option changes how a KEK is used.
type Option func(*KEK)

// Classify tells the errors of the AEAD apart. f returns keymgr.ErrKMSDenied for
// a refusal, keymgr.ErrKEKNotAllowed if other keys have wrapped the bytes,
// keymgr.ErrKeysetInvalid for what does not decrypt in its context, and
// keymgr.ErrKMSUnavailable or nil for what may pass. An error that matches one of
// these already needs no f. It is called concurrently.
func Classify(f func(error) error) Option { return func(k *KEK) { k.classify = f } }

// New returns the KEK of an AEAD. uri names the key for ever and is stored beside
// what it wrapped: the key's URI in Tink, for example. Calls end when their context
// does, although the AEAD knows none; what it is doing then it ends alone, at most
// 64 calls of a KEK at a time. Errors match keymgr.ErrConfig.
func New(uri string, aead tink.AEAD, opts ...Option) (*KEK, error) {
	if aead == nil {
		return nil, fmt.Errorf("tinkkms: %w: the AEAD of %q is nil", keymgr.ErrConfig, uri)
	}
	return newKEK(uri,
		func(_ context.Context, in, ad []byte) ([]byte, error) { return aead.Encrypt(in, ad) },
		func(_ context.Context, in, ad []byte) ([]byte, error) { return aead.Decrypt(in, ad) }, opts)
}

// NewWithContext is New for an AEAD that takes a context.
func NewWithContext(uri string, aead tink.AEADWithContext, opts ...Option) (*KEK, error) {
	if aead == nil {
		return nil, fmt.Errorf("tinkkms: %w: the AEAD of %q is nil", keymgr.ErrConfig, uri)
	}
	return newKEK(uri, aead.EncryptWithContext, aead.DecryptWithContext, opts)
}

func newKEK(uri string, encrypt, decrypt operation, opts []Option) (*KEK, error) {
	if scheme, rest, ok := strings.Cut(uri, "://"); !ok || scheme == "" || rest == "" {
		return nil, fmt.Errorf("tinkkms: %w: %q is no URI of a key, such as gcp-kms://projects/p/locations/l/keyRings/r/cryptoKeys/k", keymgr.ErrConfig, uri)
	}
	k := &KEK{uri: uri, encrypt: encrypt, decrypt: decrypt, slots: make(chan struct{}, maxCalls)}
	for _, opt := range opts {
		opt(k)
	}
	return k, nil
}

// URI implements [keymgr.KEK].
func (k *KEK) URI() string { return k.uri }

// GenerateDataKey implements [keymgr.KEK]: the key is made here and wrapped.
func (k *KEK) GenerateDataKey(ctx context.Context, wc keymgr.WrapContext) (plaintext, wrapped []byte, err error) {
	plaintext = make([]byte, keymgr.DataKeySize)
	rand.Read(plaintext) // never fails
	if wrapped, err = k.Wrap(ctx, plaintext, wc); err != nil {
		clear(plaintext)
		return nil, nil, err
	}
	return plaintext, wrapped, nil
}

// Wrap implements [keymgr.KEK] with the AEAD's Encrypt.
func (k *KEK) Wrap(ctx context.Context, plaintext []byte, wc keymgr.WrapContext) (wrapped []byte, err error) {
	if len(plaintext) != keymgr.DataKeySize {
		return nil, fmt.Errorf("tinkkms: wrap with %s: %w: not a data key of %d bytes", k.uri, keymgr.ErrKeysetInvalid, keymgr.DataKeySize)
	}
	wrapped, err = k.call(ctx, k.encrypt, plaintext, wc.AssociatedData())
	switch {
	case err != nil:
		return nil, k.fail(ctx, "wrap", err)
	case len(wrapped) == 0 || len(wrapped) > maxWrapped || bytes.Contains(wrapped, plaintext):
		return nil, fmt.Errorf("tinkkms: wrap with %s: %w: what the AEAD returned is no ciphertext", k.uri, keymgr.ErrKMSUnavailable)
	}
	return wrapped, nil
}

// Unwrap implements [keymgr.KEK] with the AEAD's Decrypt.
func (k *KEK) Unwrap(ctx context.Context, wrapped []byte, wc keymgr.WrapContext) (plaintext []byte, err error) {
	if n := len(wrapped); n == 0 || n > maxWrapped {
		return nil, fmt.Errorf("tinkkms: unwrap with %s: %w: a wrapped data key has 1 to %d bytes, not %d", k.uri, keymgr.ErrKeysetInvalid, maxWrapped, n)
	}
	plaintext, err = k.call(ctx, k.decrypt, wrapped, wc.AssociatedData())
	if err != nil {
		return nil, k.fail(ctx, "unwrap", err)
	}
	if len(plaintext) != keymgr.DataKeySize {
		clear(plaintext)
		return nil, fmt.Errorf("tinkkms: unwrap with %s: %w: what was wrapped is not a data key of %d bytes", k.uri, keymgr.ErrKeysetInvalid, keymgr.DataKeySize)
	}
	return plaintext, nil
}
