package keymgr

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
)

// Whatever is stored, opening it gives keys or ErrKeysetInvalid.
func FuzzDecryptRecord(f *testing.F) {
	v := readVector(f, vectorDir+"/domain.json") // the same in every worker process
	r := Record{Scope: testScope, Version: v.Version, Seal: v.Seal, Index: v.Index, Info: v.Info}
	f.Add(r.Seal, r.Index, r.Info, r.Version)
	f.Add([]byte{0x12, 0}, []byte{}, "{}", uint64(1))
	f.Fuzz(func(t *testing.T, seal, index []byte, info string, version uint64) {
		changed := Record{Scope: testScope, Version: version, Seal: seal, Index: index, Info: info}
		_, err := changed.decrypt(v.DataKey)
		same := bytes.Equal(seal, r.Seal) && bytes.Equal(index, r.Index) && info == r.Info && version == r.Version
		if same && err != nil || !same && !errors.Is(err, ErrKeysetInvalid) {
			t.Fatalf("same %v, error %v", same, err)
		}
	})
}

// Whatever a keyset holds that someone has encrypted with the data key, it is
// refused or it works.
func FuzzForeignKeyset(f *testing.F) {
	for _, h := range []*keyset.Handle{
		must(firstDraft(testScope, time.Now(), "")).seal,
		must(keyset.NewHandle(aead.AES256GCMKeyTemplate())),
		must(keyset.NewHandle(aead.AES256CTRHMACSHA256KeyTemplate())),
		must(keyset.NewHandle(aead.XChaCha20Poly1305KeyTemplate())),
	} {
		var clear bytes.Buffer
		if err := insecurecleartextkeyset.Write(h, keyset.NewBinaryWriter(&clear)); err != nil {
			f.Fatal(err)
		}
		f.Add(clear.Bytes())
	}
	index := must(firstDraft(testScope, time.Now(), "")).index
	a := must(newDataKeyAEAD(bytes.Repeat([]byte{7}, DataKeySize)))
	f.Fuzz(func(t *testing.T, clear []byte) {
		var stored bytes.Buffer
		encrypted := &tinkpb.EncryptedKeyset{EncryptedKeyset: must(a.Encrypt(clear, nil))}
		if err := keyset.NewBinaryWriter(&stored).WriteEncrypted(encrypted); err != nil {
			t.Fatal(err)
		}
		seal, err := decryptKeyset(stored.Bytes(), a, nil)
		if err != nil {
			return
		}
		k, err := newKeys(testScope, 1, infoFor(t, seal, index), seal, index)
		if err == nil {
			mustWorkWithTink(t, k)
		} else if !errors.Is(err, ErrKeysetInvalid) {
			t.Fatal(err)
		}
	})
}
