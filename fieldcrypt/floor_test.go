package fieldcrypt_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"hash"
	"testing"
)

// floor is the cryptography of a record and nothing else: XAES's derivation, a
// seal per field with a random iv, one HMAC. What fieldcrypt costs more is its
// own.
type floor struct {
	block   cipher.Block
	mac     hash.Hash
	derived [32]byte
	salt    [12]byte
	out     []byte
}

func newFloor(b *testing.B) *floor {
	key := make([]byte, 32)
	rand.Read(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		b.Fatal(err)
	}
	f := &floor{block: block, mac: hmac.New(sha256.New, key), out: make([]byte, 0, 4096)}
	f.mac.Reset() // keeps the state behind the key
	return f
}

// record derives the AEAD of the salt.
func (f *floor) record(b *testing.B) cipher.AEAD {
	f.derived = [32]byte{1: 1, 2: 'X', 17: 2, 18: 'X'}
	copy(f.derived[4:], f.salt[:])
	copy(f.derived[20:], f.salt[:])
	f.block.Encrypt(f.derived[:16], f.derived[:16])
	f.block.Encrypt(f.derived[16:], f.derived[16:])
	block, err := aes.NewCipher(f.derived[:])
	if err != nil {
		b.Fatal(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		b.Fatal(err)
	}
	return aead
}

func (f *floor) seal(b *testing.B, fields int, plaintext, ad []byte) {
	rand.Read(f.salt[:])
	aead := f.record(b)
	for range fields {
		aead.Seal(f.out, nil, plaintext, ad)
	}
}

func (f *floor) open(b *testing.B, sealed [][]byte, ad []byte) {
	aead := f.record(b)
	for _, s := range sealed {
		if _, err := aead.Open(f.out, nil, s, ad); err != nil {
			b.Fatal(err)
		}
	}
}

func (f *floor) index(input []byte) {
	f.mac.Reset()
	f.mac.Write(input)
	f.mac.Sum(f.out)
}
