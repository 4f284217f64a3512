package keymgr

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/aesctrhmac"
	"github.com/tink-crypto/tink-go/v2/aead/aesgcm"
	"github.com/tink-crypto/tink-go/v2/aead/xaesgcm"
	"github.com/tink-crypto/tink-go/v2/aead/xchacha20poly1305"
	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/key"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf/hmacprf"
	"github.com/tink-crypto/tink-go/v2/secretdata"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/fieldcrypt/go/internal/xaes"
)

// newKeys checks what was opened against every rule of FORMAT.md, "Keysets",
// and makes Keys of it: ErrKeysetInvalid if one is broken.
func newKeys(s Scope, version uint64, i info, seal, index *keyset.Handle) (*Keys, error) {
	k := &Keys{scope: s, version: version, info: i, seal: seal, index: index, sealKeys: map[uint32]*SealKey{}}
	err := i.check(seal, index)
	if err == nil {
		err = k.build()
	}
	if err != nil {
		return nil, err
	}
	return k, nil
}

func (k *Keys) build() error {
	for _, ki := range k.info.Seal {
		if ki.State == StateDestroyed {
			k.sealKeys[ki.ID] = nil
		}
	}
	used := &material{seen: map[[sha256.Size]byte]bool{}}
	for i := range k.seal.Len() {
		e, err := k.seal.Entry(i)
		if err != nil {
			return fmt.Errorf("%w: %v", ErrKeysetInvalid, err)
		}
		key, err := newSealKey(e, used)
		if err != nil {
			return fmt.Errorf("%w: seal key %d: %v", ErrKeysetInvalid, e.KeyID(), err)
		}
		k.sealKeys[e.KeyID()] = key
		if e.IsPrimary() {
			k.primary = key
		}
	}
	var others []*IndexKey
	for i := range k.index.Len() {
		e, err := k.index.Entry(i)
		if err != nil {
			return fmt.Errorf("%w: %v", ErrKeysetInvalid, err)
		}
		key, err := newIndexKey(e, used)
		switch {
		case err != nil:
			return fmt.Errorf("%w: index key %d: %v", ErrKeysetInvalid, e.KeyID(), err)
		case e.IsPrimary():
			k.indexes = []*IndexKey{key}
		case key != nil:
			others = append(others, key)
		}
	}
	k.indexes = append(k.indexes, others...)
	return nil
}

// newSealKey returns the key of an entry, nil if it is disabled, or an error if
// the format does not allow its type.
func newSealKey(e *keyset.Entry, used *material) (*SealKey, error) {
	var tinkPrefix, strong bool
	var record []byte
	switch key := e.Key().(type) {
	case *xaesgcm.Key:
		p := key.Parameters().(*xaesgcm.Parameters)
		tinkPrefix, strong = p.Variant() == xaesgcm.VariantTink, true
		used.add(key.KeyBytes())
		if p.SaltSizeInBytes() == xaes.SaltSize {
			record = keyBytes(key.KeyBytes())
		}
	case *aesgcm.Key:
		p := key.Parameters().(*aesgcm.Parameters)
		tinkPrefix = p.Variant() == aesgcm.VariantTink
		strong = p.KeySizeInBytes() == 32 && p.IVSizeInBytes() == 12 && p.TagSizeInBytes() == 16
		used.add(key.KeyBytes())
	case *aesctrhmac.Key:
		p := key.Parameters().(*aesctrhmac.Parameters)
		tinkPrefix = p.Variant() == aesctrhmac.VariantTink
		strong = p.AESKeySizeInBytes() == 32 && p.IVSizeInBytes() == 16 &&
			p.HMACKeySizeInBytes() >= 32 && p.TagSizeInBytes() >= 16 && p.HashType() >= aesctrhmac.SHA256
		used.add(key.AESKeyBytes())
		used.add(key.HMACKeyBytes())
	case *xchacha20poly1305.Key:
		p := key.Parameters().(*xchacha20poly1305.Parameters)
		tinkPrefix, strong = p.Variant() == xchacha20poly1305.VariantTink, true
		used.add(key.KeyBytes())
	}
	defer clear(record)
	switch {
	case !tinkPrefix:
		return nil, errors.New("not of a known type with the TINK prefix")
	case !strong:
		return nil, errors.New("not a 256-bit key with full tags")
	case used.twice:
		return nil, errors.New("its key bytes are those of another key")
	case e.KeyStatus() != keyset.Enabled:
		return nil, nil
	}
	sealKey := &SealKey{id: e.KeyID()}
	var err error
	if record != nil {
		sealKey.xaes, err = xaes.New(record)
	} else {
		sealKey.aead, err = singleAEAD(e.Key())
	}
	return sealKey, err
}

// singleAEAD returns Tink's primitive for one key.
func singleAEAD(k key.Key) (tink.AEAD, error) {
	m := keyset.NewManager()
	id, err := m.AddKey(k)
	if err != nil {
		return nil, err
	}
	if err := m.SetPrimary(id); err != nil {
		return nil, err
	}
	h, err := m.Handle()
	if err != nil {
		return nil, err
	}
	return aead.New(h)
}

// newIndexKey is newSealKey for an index keyset.
func newIndexKey(e *keyset.Entry, used *material) (*IndexKey, error) {
	key, ok := e.Key().(*hmacprf.Key)
	if !ok || key.Parameters().(*hmacprf.Parameters).HashType() != hmacprf.SHA256 || key.KeyBytes().Len() < 32 {
		return nil, errors.New("not HMAC-SHA256 with 32 bytes or more")
	}
	used.add(key.KeyBytes())
	switch {
	case used.twice:
		return nil, errors.New("its key bytes are those of another key")
	case e.KeyStatus() != keyset.Enabled:
		return nil, nil
	}
	raw := keyBytes(key.KeyBytes())
	// The closure holds the key bytes: nothing that prints an IndexKey gets at them.
	macs := &sync.Pool{New: func() any { return hmac.New(sha256.New, raw) }}
	return &IndexKey{id: e.KeyID(), macs: macs}, nil
}

// material remembers the hashes of the key bytes that were seen in a record.
// No two keys share their bytes.
type material struct {
	seen  map[[sha256.Size]byte]bool
	twice bool
}

func (m *material) add(b secretdata.Bytes) {
	raw := keyBytes(b)
	defer clear(raw)
	sum := sha256.Sum256(raw)
	m.twice = m.twice || m.seen[sum]
	m.seen[sum] = true
}

func keyBytes(b secretdata.Bytes) []byte { return b.Data(insecuresecretdataaccess.Token{}) }
