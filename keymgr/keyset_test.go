package keymgr

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/aesgcm"
	"github.com/tink-crypto/tink-go/v2/aead/xaesgcm"
	"github.com/tink-crypto/tink-go/v2/aead/xchacha20poly1305"
	"github.com/tink-crypto/tink-go/v2/daead"
	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/key"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/mac"
	"github.com/tink-crypto/tink-go/v2/prf"
	"github.com/tink-crypto/tink-go/v2/prf/hmacprf"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
	"github.com/tink-crypto/tink-go/v2/secretdata"
)

var testScope = Scope{Domain: "medical"}

// infoFor is the info that fits two keysets: primaries, actives and disabled keys.
func infoFor(t *testing.T, seal, index *keyset.Handle) info {
	t.Helper()
	i := info{Format: infoFormat}
	at := stampOf(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	for _, p := range []struct {
		h    *keyset.Handle
		list *[]keyInfo
	}{{seal, &i.Seal}, {index, &i.Index}} {
		for n := range p.h.Len() {
			e, err := p.h.Entry(n)
			if err != nil {
				t.Fatal(err)
			}
			state := StateActive
			if e.IsPrimary() {
				state = StatePrimary
			} else if e.KeyStatus() == keyset.Disabled {
				state = StateDisabled
			}
			*p.list = append(*p.list, keyInfo{e.KeyID(), state, at, at})
		}
	}
	return i
}

func fromTemplate(t *testing.T, template *tinkpb.KeyTemplate, prefix ...tinkpb.OutputPrefixType) *keyset.Handle {
	t.Helper()
	for _, p := range prefix {
		template.OutputPrefixType = p
	}
	h, err := keyset.NewHandle(template)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func fromKeys(t *testing.T, keys ...key.Key) *keyset.Handle {
	t.Helper()
	m := keyset.NewManager()
	for i, k := range keys {
		id, err := m.AddKey(k)
		if err == nil && i == 0 {
			err = m.SetPrimary(id)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	h, err := m.Handle()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func secret(b byte, n int) secretdata.Bytes {
	return secretdata.NewBytesFromData(bytes.Repeat([]byte{b}, n), insecuresecretdataaccess.Token{})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func xaesKey(b byte, id uint32, variant xaesgcm.Variant, salt int) key.Key {
	return must(xaesgcm.NewKey(secret(b, 32), id, must(xaesgcm.NewParameters(variant, salt))))
}

func gcmKey(b byte, id uint32, variant aesgcm.Variant) key.Key {
	p := must(aesgcm.NewParameters(aesgcm.ParametersOpts{KeySizeInBytes: 32, IVSizeInBytes: 12, TagSizeInBytes: 16, Variant: variant}))
	return must(aesgcm.NewKey(secret(b, 32), id, p))
}

func prfKey(b byte, size int, h hmacprf.HashType) key.Key {
	return must(hmacprf.NewKey(secret(b, size), must(hmacprf.NewParameters(size, h))))
}

func TestWhichKeyTypesAreAccepted(t *testing.T) {
	seal := fromKeys(t, xaesKey(1, 100, xaesgcm.VariantTink, 12))
	index := fromKeys(t, prfKey(2, 32, hmacprf.SHA256))
	for _, c := range []struct {
		name        string
		seal, index *keyset.Handle
		ok          bool
	}{
		{"XAES-256-GCM", seal, index, true},
		{"XAES-256-GCM with a short salt", fromKeys(t, xaesKey(1, 100, xaesgcm.VariantTink, 8)), index, true},
		{"AES-256-GCM", fromTemplate(t, aead.AES256GCMKeyTemplate()), index, true},
		{"AES-256-CTR-HMAC", fromTemplate(t, aead.AES256CTRHMACSHA256KeyTemplate()), index, true},
		{"XChaCha20-Poly1305", fromTemplate(t, aead.XChaCha20Poly1305KeyTemplate()), index, true},
		{"all of them in one keyset", fromKeys(t, xaesKey(1, 100, xaesgcm.VariantTink, 12), gcmKey(3, 101, aesgcm.VariantTink),
			must(xchacha20poly1305.NewKey(secret(4, 32), 102, must(xchacha20poly1305.NewParameters(xchacha20poly1305.VariantTink))))), index, true},
		{"a long index key", seal, fromKeys(t, prfKey(2, 64, hmacprf.SHA256)), true},

		{"XAES, RAW", fromKeys(t, xaesKey(1, 0, xaesgcm.VariantNoPrefix, 12)), index, false},
		{"AES-GCM, RAW", fromTemplate(t, aead.AES256GCMNoPrefixKeyTemplate()), index, false},
		{"AES-GCM, CRUNCHY", fromKeys(t, gcmKey(3, 101, aesgcm.VariantCrunchy)), index, false},
		{"CTR-HMAC, RAW", fromTemplate(t, aead.AES256CTRHMACSHA256KeyTemplate(), tinkpb.OutputPrefixType_RAW), index, false},
		{"CTR-HMAC, CRUNCHY", fromTemplate(t, aead.AES256CTRHMACSHA256KeyTemplate(), tinkpb.OutputPrefixType_CRUNCHY), index, false},
		{"XChaCha, RAW", fromTemplate(t, aead.XChaCha20Poly1305KeyTemplate(), tinkpb.OutputPrefixType_RAW), index, false},
		{"a RAW key that is not the primary", fromKeys(t, xaesKey(1, 100, xaesgcm.VariantTink, 12), gcmKey(3, 0, aesgcm.VariantNoPrefix)), index, false},
		{"AES-128-GCM", fromTemplate(t, aead.AES128GCMKeyTemplate()), index, false},
		{"AES-128-CTR-HMAC", fromTemplate(t, aead.AES128CTRHMACSHA256KeyTemplate()), index, false},
		{"AES-GCM-SIV", fromTemplate(t, aead.AES256GCMSIVKeyTemplate()), index, false},
		{"ChaCha20-Poly1305", fromTemplate(t, aead.ChaCha20Poly1305KeyTemplate()), index, false},
		{"AES-SIV", fromTemplate(t, daead.AESSIVKeyTemplate()), index, false},
		{"the keysets swapped", index, seal, false},

		{"PRF HKDF", seal, fromTemplate(t, prf.HKDFSHA256PRFKeyTemplate()), false},
		{"PRF AES-CMAC", seal, fromTemplate(t, prf.AESCMACPRFKeyTemplate()), false},
		{"PRF HMAC-SHA512", seal, fromTemplate(t, prf.HMACSHA512PRFKeyTemplate()), false},
		{"PRF HMAC-SHA256 with 31 bytes", seal, fromKeys(t, prfKey(2, 31, hmacprf.SHA256)), false},
		{"MAC", seal, fromTemplate(t, mac.HMACSHA256Tag256KeyTemplate()), false},

		{"one key under two ids", fromKeys(t, xaesKey(1, 100, xaesgcm.VariantTink, 12), xaesKey(1, 101, xaesgcm.VariantTink, 12)), index, false},
		{"one key under two types", fromKeys(t, xaesKey(1, 100, xaesgcm.VariantTink, 12), gcmKey(1, 101, aesgcm.VariantTink)), index, false},
		{"one index key twice", seal, fromKeys(t, prfKey(2, 32, hmacprf.SHA256), prfKey(2, 32, hmacprf.SHA256)), false},
		{"one key for both purposes", fromKeys(t, xaesKey(2, 100, xaesgcm.VariantTink, 12)), index, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, err := newKeys(testScope, 1, infoFor(t, c.seal, c.index), c.seal, c.index)
			if !c.ok {
				if !errors.Is(err, ErrKeysetInvalid) {
					t.Errorf("error %v, want ErrKeysetInvalid", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			mustWorkWithTink(t, k)
		})
	}
}

// mustWorkWithTink: what our primitives make, Tink's make and open, for the
// whole keyset.
func mustWorkWithTink(t *testing.T, k *Keys) {
	t.Helper()
	theirs := must(aead.New(k.SealHandle()))
	plaintext, ad := []byte("4242"), []byte("ad")
	for _, ki := range k.info.Seal {
		key, err := k.SealKey(ki.ID)
		if err != nil {
			t.Fatal(err)
		}
		if key.RecordKeyed() == (key.AEAD() != nil) {
			t.Fatal("a key has both kinds of primitive, or none")
		}
		var sealed []byte
		if key.RecordKeyed() {
			salt := [12]byte{1, 2, 3}
			sealed = append([]byte{1, byte(ki.ID >> 24), byte(ki.ID >> 16), byte(ki.ID >> 8), byte(ki.ID)}, salt[:]...)
			sealed = must(key.Record(&salt)).Seal(sealed, nil, plaintext, ad)
		} else {
			if _, err := key.Record(&[12]byte{}); !errors.Is(err, ErrKeyState) {
				t.Errorf("Record: %v", err)
			}
			sealed = must(key.AEAD().Encrypt(plaintext, ad))
			if got, err := key.AEAD().Decrypt(must(key.AEAD().Encrypt(plaintext, ad)), ad); err != nil || !bytes.Equal(got, plaintext) {
				t.Errorf("round trip: %q, %v", got, err)
			}
		}
		if got, err := theirs.Decrypt(sealed, ad); err != nil || !bytes.Equal(got, plaintext) {
			t.Errorf("Tink opens what key %d has sealed: %q, %v", ki.ID, got, err)
		}
	}
	set := must(prf.NewPRFSet(k.IndexHandle()))
	for i, ix := range k.IndexKeys() {
		if i == 0 && ix.ID() != set.PrimaryID {
			t.Error("the primary index key is not the first")
		}
		for range 2 {
			want := must(set.PRFs[ix.ID()].ComputePRF(plaintext, 32))
			if got := ix.Compute([]byte("before"), plaintext); string(got) != "before"+string(want) {
				t.Errorf("index %x, Tink's %x", got, want)
			}
		}
	}
}

func TestDisabledAndDestroyedKeys(t *testing.T) {
	seal := fromKeys(t, xaesKey(1, 100, xaesgcm.VariantTink, 12), xaesKey(3, 101, xaesgcm.VariantTink, 12))
	index := fromKeys(t, prfKey(2, 32, hmacprf.SHA256), prfKey(4, 32, hmacprf.SHA256))
	disable := func(h *keyset.Handle, i int) *keyset.Handle {
		m := keyset.NewManagerFromHandle(h)
		if err := m.Disable(must(h.Entry(i)).KeyID()); err != nil {
			t.Fatal(err)
		}
		return must(m.Handle())
	}
	seal, index = disable(seal, 1), disable(index, 1)
	i := infoFor(t, seal, index)
	i.Seal = append(i.Seal, keyInfo{ID: 102, State: StateDestroyed})
	k, err := newKeys(testScope, 1, i, seal, index)
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[uint32]error{100: nil, 101: ErrKeyDisabled, 102: ErrKeyDisabled, 103: ErrUnknownKey} {
		if _, err := k.SealKey(id); !errors.Is(err, want) {
			t.Errorf("SealKey(%d): %v, want %v", id, err, want)
		}
		if k.knows(id) != (id != 103) {
			t.Errorf("knows(%d) = %v", id, k.knows(id))
		}
	}
	if n := len(k.IndexKeys()); n != 1 {
		t.Errorf("%d index keys, one of two is disabled", n)
	}
}
