package keymgr

import (
	"bytes"
	"cmp"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/fieldcrypt/go/internal/frame"
)

// encrypt turns a draft into what is stored, but for the wraps of the data key.
func (d *draft) encrypt(dataKey []byte) (Record, error) {
	aead, err := newDataKeyAEAD(dataKey)
	if err != nil {
		return Record{}, err
	}
	r := Record{Scope: d.scope, Version: d.version}
	if r.Info, err = d.info.encode(); err == nil {
		r.Seal, err = encryptKeyset(d.seal, aead, r.associatedData(Seal))
	}
	if err == nil {
		r.Index, err = encryptKeyset(d.index, aead, r.associatedData(Index))
	}
	if err != nil {
		return Record{}, fmt.Errorf("%w: %v", ErrKeysetInvalid, err)
	}
	return r, nil
}

// decrypt opens a record with its data key. It returns ErrKeysetInvalid for
// everything that encrypt cannot have made.
func (r Record) decrypt(dataKey []byte) (*Keys, error) {
	aead, err := newDataKeyAEAD(dataKey)
	if err != nil {
		return nil, err
	}
	seal, err := decryptKeyset(r.Seal, aead, r.associatedData(Seal))
	if err != nil {
		return nil, fmt.Errorf("%w: seal keyset: %v", ErrKeysetInvalid, err)
	}
	index, err := decryptKeyset(r.Index, aead, r.associatedData(Index))
	if err != nil {
		return nil, fmt.Errorf("%w: index keyset: %v", ErrKeysetInvalid, err)
	}
	info, err := parseInfo(r.Info) // authentic, now that its hash has helped to open the keysets
	if err != nil {
		return nil, err
	}
	return newKeys(r.Scope, r.Version, info, seal, index)
}

// associatedData is frame('k'; domain, tenant, purpose, version, SHA-256(info)).
func (r Record) associatedData(p Purpose) []byte {
	sum := sha256.Sum256([]byte(r.Info))
	return frame.Make(frame.Keyset, []byte(r.Scope.Domain), []byte(r.Scope.Tenant), []byte(p),
		binary.BigEndian.AppendUint64(nil, r.Version), sum[:])
}

// wrap returns the wrap under a KEK.
func (r Record) wrap(kekURI string) (Wrap, bool) {
	i := slices.IndexFunc(r.Wraps, func(w Wrap) bool { return w.KEKURI == kekURI })
	if i < 0 {
		return Wrap{}, false
	}
	return r.Wraps[i], true
}

func kekURIs(wraps []Wrap) []string {
	uris := make([]string, len(wraps))
	for i, w := range wraps {
		uris[i] = w.KEKURI
	}
	return uris
}

func sortWraps(wraps []Wrap) {
	slices.SortFunc(wraps, func(a, b Wrap) int { return cmp.Compare(a.KEKURI, b.KEKURI) })
}

func encryptKeyset(h *keyset.Handle, aead dataKeyAEAD, ad []byte) ([]byte, error) {
	var buf bytes.Buffer
	err := h.WriteWithAssociatedData(keyset.NewBinaryWriter(&buf), aead, ad)
	return buf.Bytes(), err
}

func decryptKeyset(stored []byte, aead dataKeyAEAD, ad []byte) (*keyset.Handle, error) {
	encrypted, err := keyset.NewBinaryReader(bytes.NewReader(stored)).ReadEncrypted()
	if err != nil {
		return nil, err
	}
	// Protobuf has many spellings of one message and room for fields that
	// nothing authenticates: take the one spelling that encryptKeyset makes.
	var canonical bytes.Buffer
	if err := keyset.NewBinaryWriter(&canonical).WriteEncrypted(encrypted); err != nil {
		return nil, err
	}
	if !bytes.Equal(canonical.Bytes(), stored) {
		return nil, fmt.Errorf("not the canonical form of an EncryptedKeyset")
	}
	return keyset.ReadWithAssociatedData(keyset.NewBinaryReader(bytes.NewReader(stored)), aead, ad)
}

// dataKeyAEAD is AES-256-GCM under a data key as a tink.AEAD: iv | ciphertext |
// tag. Tink's own refuses to work under GODEBUG=fips140=only.
type dataKeyAEAD struct{ gcm cipher.AEAD }

func newDataKeyAEAD(dataKey []byte) (dataKeyAEAD, error) {
	if len(dataKey) != DataKeySize {
		return dataKeyAEAD{}, fmt.Errorf("%w: the data key has %d bytes, not %d", ErrKeysetInvalid, len(dataKey), DataKeySize)
	}
	block, err := aes.NewCipher(dataKey)
	if err != nil {
		return dataKeyAEAD{}, fmt.Errorf("%w: %v", ErrKeysetInvalid, err)
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return dataKeyAEAD{}, fmt.Errorf("%w: %v", ErrKeysetInvalid, err)
	}
	return dataKeyAEAD{gcm}, nil
}

// Encrypt returns iv | ciphertext | tag.
func (a dataKeyAEAD) Encrypt(plaintext, ad []byte) ([]byte, error) {
	return a.gcm.Seal(nil, nil, plaintext, ad), nil
}

// Decrypt opens iv | ciphertext | tag.
func (a dataKeyAEAD) Decrypt(ciphertext, ad []byte) ([]byte, error) {
	return a.gcm.Open(nil, nil, ciphertext, ad)
}
