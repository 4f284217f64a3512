package xaes

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"testing"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/xaesgcm"
	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/secretdata"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// The published vectors of https://c2sp.org/XAES-256-GCM, one for each value of
// the bit that doubling carries out.
func TestC2SPVectors(t *testing.T) {
	for _, v := range []struct {
		key                   byte
		plaintext, associated string
		ciphertext            string
	}{
		{0x01, "XAES-256-GCM", "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"},
		{0x03, "XAES-256-GCM", "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"},
	} {
		nonce := "ABCDEFGHIJKLMNOPQRSTUVWX"
		k, err := New(bytes.Repeat([]byte{v.key}, KeySize))
		if err != nil {
			t.Fatal(err)
		}
		record, err := k.Record((*[SaltSize]byte)([]byte(nonce[:SaltSize])))
		if err != nil {
			t.Fatal(err)
		}
		ciphertext, err := hex.DecodeString(v.ciphertext)
		if err != nil {
			t.Fatal(err)
		}
		got, err := record.Open(nil, nil, append([]byte(nonce[SaltSize:]), ciphertext...), []byte(v.associated))
		if err != nil || string(got) != v.plaintext {
			t.Errorf("key %02x: %q, %v", v.key, got, err)
		}
	}
}

func tinkAEAD(t *testing.T, key []byte) tink.AEAD {
	t.Helper()
	params, err := xaesgcm.NewParameters(xaesgcm.VariantNoPrefix, SaltSize)
	if err != nil {
		t.Fatal(err)
	}
	k, err := xaesgcm.NewKey(secretdata.NewBytesFromData(key, insecuresecretdataaccess.Token{}), 0, params)
	if err != nil {
		t.Fatal(err)
	}
	m := keyset.NewManager()
	id, err := m.AddKey(k)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.SetPrimary(id); err != nil {
		t.Fatal(err)
	}
	h, err := m.Handle()
	if err != nil {
		t.Fatal(err)
	}
	a, err := aead.New(h)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestTinkOpensAndIsOpened(t *testing.T) {
	for range 64 { // about half of the keys carry when doubled
		key := make([]byte, KeySize)
		rand.Read(key)
		k, err := New(key)
		if err != nil {
			t.Fatal(err)
		}
		theirs := tinkAEAD(t, key)
		plaintext, ad := []byte("card 4242"), []byte("context")

		salt := [SaltSize]byte{}
		rand.Read(salt[:])
		record, err := k.Record(&salt)
		if err != nil {
			t.Fatal(err)
		}
		sealed := record.Seal(salt[:], nil, plaintext, ad)
		if len(sealed) != SaltSize+len(plaintext)+Overhead || record.Overhead() != Overhead {
			t.Fatalf("sealed %d bytes into %d, Overhead %d", len(plaintext), len(sealed), record.Overhead())
		}
		if got, err := theirs.Decrypt(sealed, ad); err != nil || !bytes.Equal(got, plaintext) {
			t.Fatalf("Tink opens ours: %q, %v", got, err)
		}

		sealed, err = theirs.Encrypt(plaintext, ad)
		if err != nil {
			t.Fatal(err)
		}
		record, err = k.Record((*[SaltSize]byte)(sealed[:SaltSize]))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := record.Open(nil, nil, sealed[SaltSize:], ad); err != nil || !bytes.Equal(got, plaintext) {
			t.Fatalf("we open Tink's: %q, %v", got, err)
		}
		if _, err := record.Open(nil, nil, sealed[SaltSize:], []byte("other")); err == nil {
			t.Fatal("opened with other associated data")
		}
	}
}

func TestWrongKeySizesAreRefused(t *testing.T) {
	for _, n := range []int{0, 16, 24, 31, 33} {
		if _, err := New(make([]byte, n)); err == nil {
			t.Errorf("accepted a key of %d bytes", n)
		}
	}
}

func TestDouble(t *testing.T) {
	// RFC 4493, section 4: L, K1 and K2 of its example key.
	for in, want := range map[string]string{
		"7df76b0c1ab899b33e42f047b91b546f": "fbeed618357133667c85e08f7236a8de",
		"fbeed618357133667c85e08f7236a8de": "f7ddac306ae266ccf90bc11ee46d513b",
	} {
		raw, err := hex.DecodeString(in)
		if err != nil {
			t.Fatal(err)
		}
		b := [16]byte(raw)
		if double(&b); hex.EncodeToString(b[:]) != want {
			t.Errorf("double(%s) = %x, want %s", in, b, want)
		}
	}
}

func TestRecordAllocatesLittle(t *testing.T) {
	k, err := New(make([]byte, KeySize))
	if err != nil {
		t.Fatal(err)
	}
	var salt [SaltSize]byte
	if n := testing.AllocsPerRun(100, func() { k.Record(&salt) }); n > 4 {
		t.Errorf("Record allocates %v times", n)
	} else {
		t.Logf("Record allocates %v times", n)
	}
}

func BenchmarkRecord(b *testing.B) {
	k, err := New(make([]byte, KeySize))
	if err != nil {
		b.Fatal(err)
	}
	var salt [SaltSize]byte
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.Record(&salt); err != nil {
			b.Fatal(err)
		}
	}
}
