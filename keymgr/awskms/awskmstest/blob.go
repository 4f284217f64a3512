package awskmstest

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"slices"
)

// A ciphertext blob is
//
//	01 | length of key id | key id | material id (32) | sum (4) | iv (12) | ciphertext | tag (16)
//
// with AES-256-GCM, and the header before the iv and the encryption context as
// associated data. The sum, of the header before it, tells a blob of another key
// (IncorrectKeyException) from one that was damaged (InvalidCiphertextException).
const blobVersion = 1

// header is what a blob says about its key.
type header struct {
	raw      []byte // with the sum
	keyID    string
	material [32]byte
}

func newHeader(k *key) []byte {
	h := append([]byte{blobVersion, byte(len(k.id))}, k.id...)
	m := k.current()
	h = append(h, m.id[:]...)
	sum := sha256.Sum256(h)
	return append(h, sum[:4]...)
}

// seal makes a blob under the newest material of a key.
func seal(k *key, plaintext []byte, context map[string]string) []byte {
	h := newHeader(k)
	return k.current().aead.Seal(h, nil, plaintext, associatedData(h, context))
}

// parseBlob splits a blob, before it is known to be genuine.
func parseBlob(blob []byte) (h header, sealed []byte, err error) {
	if len(blob) < 2 || blob[0] != blobVersion {
		return header{}, nil, invalidCiphertext()
	}
	idLen := int(blob[1])
	if len(blob) < 2+idLen+32+4 {
		return header{}, nil, invalidCiphertext()
	}
	body, rest := blob[:2+idLen+32], blob[2+idLen+32:]
	sum := sha256.Sum256(body)
	if !bytes.Equal(sum[:4], rest[:4]) {
		return header{}, nil, invalidCiphertext()
	}
	h = header{raw: blob[:len(body)+4], keyID: string(body[2 : 2+idLen])}
	copy(h.material[:], body[2+idLen:])
	return h, rest[4:], nil
}

// open decrypts what seal has made.
func open(k *key, h header, sealed []byte, context map[string]string) ([]byte, *material, error) {
	i := slices.IndexFunc(k.materials, func(m *material) bool { return m.id == h.material })
	if i < 0 {
		return nil, nil, invalidCiphertext()
	}
	plaintext, err := k.materials[i].aead.Open(nil, nil, sealed, associatedData(h.raw, context))
	if err != nil {
		return nil, nil, invalidCiphertext()
	}
	return plaintext, k.materials[i], nil
}

// associatedData binds a header and an encryption context, whose order does not
// matter.
func associatedData(header []byte, context map[string]string) []byte {
	ad := slices.Clone(header)
	for _, name := range slices.Sorted(maps.Keys(context)) {
		for _, part := range []string{name, context[name]} {
			ad = binary.BigEndian.AppendUint32(ad, uint32(len(part)))
			ad = append(ad, part...)
		}
	}
	return ad
}
