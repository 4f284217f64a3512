package keymgr

import (
	"crypto/cipher"
	"fmt"
	"hash"
	"sync"

	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/fieldcrypt/go/internal/xaes"
)

// Keys is one opened version of a scope's keysets. It is immutable and safe
// for concurrent use. Take it from the Manager for each operation: keys that are
// held on to outlive their revocation.
type Keys struct {
	scope       Scope
	version     uint64
	info        info
	seal, index *keyset.Handle

	primary  *SealKey
	sealKeys map[uint32]*SealKey // nil: disabled or destroyed
	indexes  []*IndexKey
}

// Scope returns whose keys these are.
func (k *Keys) Scope() Scope { return k.scope }

// Version returns the version of the keysets: 1, 2, 3, ...
func (k *Keys) Version() uint64 { return k.version }

// Primary returns the key to seal with.
func (k *Keys) Primary() *SealKey { return k.primary }

// SealKey returns the key to open with: ErrUnknownKey if the scope has none
// of this id, ErrKeyDisabled if it is disabled or destroyed.
func (k *Keys) SealKey(id uint32) (*SealKey, error) {
	if k.primary.id == id {
		return k.primary, nil
	}
	key, known := k.sealKeys[id]
	switch {
	case !known:
		return nil, fmt.Errorf("%w: %d", ErrUnknownKey, id)
	case key == nil:
		return nil, fmt.Errorf("%w: %d", ErrKeyDisabled, id)
	}
	return key, nil
}

// IndexKeys returns the enabled keys of blind indexes, pending ones included,
// the primary first. The slice is shared: do not change it.
func (k *Keys) IndexKeys() []*IndexKey { return k.indexes }

// SealHandle returns Tink's handle of the AEAD keyset. Code that exports keys
// from it is on its own.
func (k *Keys) SealHandle() *keyset.Handle { return k.seal }

// IndexHandle returns Tink's handle of the PRF keyset. Code that exports keys
// from it is on its own.
func (k *Keys) IndexHandle() *keyset.Handle { return k.index }

// knows reports whether the seal keyset has, or had, the key.
func (k *Keys) knows(id uint32) bool {
	if k.primary.id == id {
		return true
	}
	_, ok := k.sealKeys[id]
	return ok
}

// SealKey is a key of a seal keyset, safe for concurrent use.
type SealKey struct {
	id   uint32
	xaes *xaes.Key // XAES-256-GCM with a 12-byte salt, else nil
	aead tink.AEAD // every other type, else nil
}

// ID returns the key id, which begins each ciphertext.
func (k *SealKey) ID() uint32 { return k.id }

// RecordKeyed reports whether the key is XAES-256-GCM with a 12-byte salt, and
// so to be used through [SealKey.Record]; all other types are used through
// [SealKey.AEAD].
func (k *SealKey) RecordKeyed() bool { return k.xaes != nil }

// Record returns AES-256-GCM under the record key that XAES-256-GCM derives
// from salt. It takes nil nonces: Seal draws a random one and appends
// nonce | ciphertext | tag, Overhead is 28. A salt is good for 2^32 seals; the
// formats above this package ask for far fewer. ErrKeyState if the key is not
// [SealKey.RecordKeyed].
func (k *SealKey) Record(salt *[12]byte) (cipher.AEAD, error) {
	if k.xaes == nil {
		return nil, fmt.Errorf("%w: key %d derives no record keys", ErrKeyState, k.id)
	}
	return k.xaes.Record(salt)
}

// AEAD returns Tink's primitive for this key alone, whose ciphertexts begin
// with Tink's prefix, 01 and the key id. Nil if the key is [SealKey.RecordKeyed].
func (k *SealKey) AEAD() tink.AEAD { return k.aead }

// IndexKey is a key of an index keyset: HMAC-SHA256. It is safe for concurrent
// use.
type IndexKey struct {
	id   uint32
	macs *sync.Pool // of hash.Hash, keyed and reset
}

// ID returns the key id, which begins each blind index.
func (k *IndexKey) ID() uint32 { return k.id }

// Compute appends the HMAC-SHA256 of input, 32 bytes, to dst.
func (k *IndexKey) Compute(dst, input []byte) []byte {
	mac := k.macs.Get().(hash.Hash)
	mac.Write(input)
	dst = mac.Sum(dst)
	mac.Reset() // also wipes the end of input
	k.macs.Put(mac)
	return dst
}
