package localkms

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/fieldcrypt/go/keymgr"
)

// KeySize is the length of a key in bytes: AES-256.
const KeySize = 32

// Do not change these values: stored bytes depend on them.
const (
	uriScheme        = "local-kms://"
	fingerprintLabel = "fieldcrypt local KEK fingerprint v1"
	fingerprintSize  = 16
)

// wrappedSize is nonce (12) | ciphertext (32) | tag (16).
const wrappedSize = 12 + keymgr.DataKeySize + 16

// KEK is a key-encryption key in the memory of this process. It is safe for
// concurrent use. One key may wrap 2^32 data keys, the bound of AES-GCM with
// random nonces.
type KEK struct {
	uri  string
	aead func() cipher.AEAD // a closure: no printer of structs can look into it
}

var _ keymgr.KEK = (*KEK)(nil)

// New returns the KEK of a key of [KeySize] random bytes, which it copies.
// Errors match keymgr.ErrConfig.
func New(key []byte) (*KEK, error) {
	if len(key) != KeySize {
		return nil, fmt.Errorf("localkms: %w: a key has %d bytes, not %d", keymgr.ErrConfig, KeySize, len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("localkms: %w: %w", keymgr.ErrConfig, err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("localkms: %w: %w", keymgr.ErrConfig, err)
	}
	return &KEK{uri: uriScheme + fingerprint(key), aead: func() cipher.AEAD { return aead }}, nil
}

// fingerprint names a key without telling anything about it, so that a key
// that was replaced is seen as another KEK and not as broken keysets.
func fingerprint(key []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(fingerprintLabel))
	return hex.EncodeToString(mac.Sum(nil)[:fingerprintSize])
}

// URI implements keymgr.KEK: "local-kms://" and a fingerprint of the key, so
// the file can be moved.
func (k *KEK) URI() string { return k.uri }

// GenerateDataKey implements keymgr.KEK.
func (k *KEK) GenerateDataKey(ctx context.Context, wc keymgr.WrapContext) (plaintext, wrapped []byte, err error) {
	plaintext = make([]byte, keymgr.DataKeySize)
	rand.Read(plaintext) // never fails
	wrapped, err = k.Wrap(ctx, plaintext, wc)
	if err != nil {
		return nil, nil, err
	}
	return plaintext, wrapped, nil
}

// Wrap implements keymgr.KEK.
func (k *KEK) Wrap(_ context.Context, plaintext []byte, wc keymgr.WrapContext) ([]byte, error) {
	if len(plaintext) != keymgr.DataKeySize {
		return nil, fmt.Errorf("localkms: wrap for %s: data key of %d bytes: %w", wc.Scope, len(plaintext), keymgr.ErrKeysetInvalid)
	}
	return k.aead().Seal(nil, nil, plaintext, wc.AssociatedData()), nil
}

// Unwrap implements keymgr.KEK.
func (k *KEK) Unwrap(_ context.Context, wrapped []byte, wc keymgr.WrapContext) ([]byte, error) {
	if len(wrapped) != wrappedSize {
		return nil, fmt.Errorf("localkms: unwrap for %s: %d wrapped bytes, not %d: %w", wc.Scope, len(wrapped), wrappedSize, keymgr.ErrKeysetInvalid)
	}
	plaintext, err := k.aead().Open(nil, nil, wrapped, wc.AssociatedData())
	if err != nil {
		return nil, fmt.Errorf("localkms: unwrap for %s: does not authenticate under %s: %w", wc.Scope, k.uri, keymgr.ErrKeysetInvalid)
	}
	return plaintext, nil
}
