package keymgr_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"testing"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/aesgcm"
	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/secretdata"

	"github.com/fieldcrypt/go/keymgr"
)

// A stored keyset is Tink's own: with the data key, Tink's AES-256-GCM and the
// associated data of FORMAT.md, written out here by hand, Tink reads it.
func TestTinkReadsStoredKeysets(t *testing.T) {
	f := newFixture(t)
	mustBe(t, "Create", f.Create(t.Context(), acme), nil)
	k, r := f.keys(acme), f.record(acme)
	dataKey, err := f.kek.Unwrap(t.Context(), r.Wraps[0].Wrapped, keymgr.WrapContext{Scope: acme})
	mustBe(t, "Unwrap", err, nil)

	params, err := aesgcm.NewParameters(aesgcm.ParametersOpts{KeySizeInBytes: 32, IVSizeInBytes: 12, TagSizeInBytes: 16, Variant: aesgcm.VariantNoPrefix})
	mustBe(t, "NewParameters", err, nil)
	key, err := aesgcm.NewKey(secretdata.NewBytesFromData(dataKey, insecuresecretdataaccess.Token{}), 0, params)
	mustBe(t, "NewKey", err, nil)
	master, err := aesgcm.NewAEAD(key)
	mustBe(t, "NewAEAD", err, nil)

	info := sha256.Sum256([]byte(r.Info))
	part := func(ad []byte, s string) []byte {
		return append(binary.BigEndian.AppendUint32(ad, uint32(len(s))), s...)
	}
	for purpose, stored := range map[string][]byte{"seal": r.Seal, "index": r.Index} {
		ad := []byte("fc\x01k\x00\x00\x00\x05")
		for _, s := range []string{"records", "acme", purpose, "\x00\x00\x00\x00\x00\x00\x00\x01", string(info[:])} {
			ad = part(ad, s)
		}
		h, err := keyset.ReadWithAssociatedData(keyset.NewBinaryReader(bytes.NewReader(stored)), master, ad)
		if err != nil {
			t.Fatalf("%s: %v", purpose, err)
		}
		if purpose == "index" {
			continue
		}
		theirs, err := aead.New(h)
		mustBe(t, "aead.New", err, nil)
		sealed, err := theirs.Encrypt([]byte("4242"), []byte("ad"))
		mustBe(t, "Encrypt", err, nil)
		record, err := k.Primary().Record((*[12]byte)(sealed[5:17]))
		mustBe(t, "Record", err, nil)
		if got, err := record.Open(nil, nil, sealed[17:], []byte("ad")); err != nil || string(got) != "4242" {
			t.Errorf("what Tink has sealed opens to %q, %v", got, err)
		}
	}
}
