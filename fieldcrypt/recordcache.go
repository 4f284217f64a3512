package fieldcrypt

import (
	"crypto/cipher"
	"encoding/binary"
	"sync/atomic"

	"github.com/fieldcrypt/go/keymgr"
)

// recordCache keeps the AEADs of the records that were read last, so that the
// fields of a row, which share a salt, cost one key derivation. It is a
// direct-mapped table: a collision costs a derivation, never a wrong key.
type recordCache struct {
	slots [256]atomic.Pointer[record]
}

// record is the AEAD of one salt under one key.
type record struct {
	key  *keymgr.SealKey
	salt [saltSize]byte
	aead cipher.AEAD
}

func (c *recordCache) aead(key *keymgr.SealKey, salt *[saltSize]byte) (cipher.AEAD, error) {
	slot := &c.slots[binary.BigEndian.Uint64(salt[:])%uint64(len(c.slots))]
	if r := slot.Load(); r != nil && r.key == key && r.salt == *salt {
		return r.aead, nil
	}
	aead, err := key.Record(salt)
	if err != nil {
		return nil, err
	}
	slot.Store(&record{key, *salt, aead})
	return aead, nil
}
