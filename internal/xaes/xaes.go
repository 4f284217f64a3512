// Package xaes derives the record keys of XAES-256-GCM
// (https://c2sp.org/XAES-256-GCM): from a 256-bit key and a 96-bit salt comes
// an AES-256-GCM key. What it seals is, behind the salt, exactly an
// XAES-256-GCM ciphertext; several messages may share a salt, since each gets
// a random 96-bit nonce of its own.
//
// Unlike Tink's XAES it only uses what GODEBUG=fips140=only allows.
package xaes

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"errors"
	"sync"
)

const (
	KeySize  = 32 // bytes of an XAES-256-GCM key
	SaltSize = 12 // bytes of a salt: the first half of C2SP's 24-byte nonce
	Overhead = 28 // bytes that a record key adds to a plaintext: nonce and tag
)

// Key is an XAES-256-GCM key, safe for concurrent use.
type Key struct {
	block   cipher.Block
	k1      [aes.BlockSize]byte // CMAC's subkey for full blocks
	derived sync.Pool           // of *[KeySize]byte, zero: where a record's key is derived
}

// New returns the Key of [KeySize] bytes. It keeps no reference to key.
func New(key []byte) (*Key, error) {
	if len(key) != KeySize {
		return nil, errors.New("xaes: a key has 32 bytes")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	k := &Key{block: block}
	k.derived.New = func() any { return new([KeySize]byte) }
	block.Encrypt(k.k1[:], k.k1[:]) // L = AES_K(0^128)
	double(&k.k1)
	return k, nil
}

// Record returns AES-256-GCM under the key that is derived from salt. Its Seal
// takes a nil nonce, draws a random one and appends nonce | ciphertext | tag;
// its Open takes the same. It must seal fewer than 2^32 messages.
func (k *Key) Record(salt *[SaltSize]byte) (cipher.AEAD, error) {
	// Two blocks of AES-CMAC input, M1 and M2, each a whole block long.
	derived := k.derived.Get().(*[KeySize]byte)
	defer func() {
		clear(derived[:])
		k.derived.Put(derived)
	}()
	m1, m2 := derived[:aes.BlockSize], derived[aes.BlockSize:]
	m1[1], m1[2] = 1, 'X'
	m2[1], m2[2] = 2, 'X'
	copy(m1[4:], salt[:])
	copy(m2[4:], salt[:])
	subtle.XORBytes(m1, m1, k.k1[:])
	subtle.XORBytes(m2, m2, k.k1[:])
	k.block.Encrypt(m1, m1)
	k.block.Encrypt(m2, m2)

	block, err := aes.NewCipher(derived[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// double is dbl of RFC 4493 in constant time: multiplication by x in GF(2^128).
func double(b *[aes.BlockSize]byte) {
	var carry byte
	for i := len(b) - 1; i >= 0; i-- {
		next := b[i] >> 7
		b[i] = b[i]<<1 | carry
		carry = next
	}
	b[len(b)-1] ^= carry * 0x87
}
