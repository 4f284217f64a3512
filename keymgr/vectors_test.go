package keymgr

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/fips140"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The vectors in testdata/vectors/v1 are frozen: stored keysets that must open
// for ever, or be refused for ever. -update adds those that are missing and
// never touches one that is there.
var update = flag.Bool("update", false, "write vectors that are missing")

const vectorDir = "testdata/vectors/v1"

// hexBytes are bytes that JSON shows as hex.
type hexBytes []byte

func (h hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

// vector is a stored record with the KEK that opens it and what is in it.
type vector struct {
	Comment string `json:"comment"`
	// The stored record.
	Domain  string       `json:"domain"`
	Tenant  string       `json:"tenant"`
	Version uint64       `json:"version"`
	Seal    hexBytes     `json:"seal"`
	Index   hexBytes     `json:"index"`
	Info    string       `json:"info"`
	Wraps   []vectorWrap `json:"wraps"`
	// The KEK that the configuration lists: AES-256-GCM, iv | ciphertext | tag
	// with associated data frame('w'; domain, tenant).
	KEKURI string   `json:"kek_uri"`
	KEK    hexBytes `json:"kek"`
	// What opening gives: "ok" or the class of error.
	Expect  string      `json:"expect"`
	DataKey hexBytes    `json:"data_key,omitempty"`
	Keys    []vectorKey `json:"keys,omitempty"`
}

type vectorWrap struct {
	KEKURI        string        `json:"kek_uri"`
	Wrapped       hexBytes      `json:"wrapped"`
	TenantContext TenantContext `json:"tenant_context"`
}

// vectorKey is a key with something that it has made.
type vectorKey struct {
	Purpose Purpose  `json:"purpose"`
	ID      uint32   `json:"id"`
	Key     hexBytes `json:"key"`   // its bytes; of AES-CTR-HMAC the AES key, then the HMAC key
	Input   hexBytes `json:"input"` // plaintext or PRF input
	// Seal: Tink's ciphertext of the input with associated data "ad".
	// Index: the full PRF output.
	Output hexBytes `json:"output"`
}

var vectorClasses = map[string]error{"ok": nil, "keyset-invalid": ErrKeysetInvalid, "kek-not-allowed": ErrKEKNotAllowed}

// vectorKEK wraps as the vectors' KEK does.
type vectorKEK struct {
	uri string
	gcm cipher.AEAD
}

func newVectorKEK(uri string, key []byte) vectorKEK {
	return vectorKEK{uri, must(cipher.NewGCMWithRandomNonce(must(aes.NewCipher(key))))}
}

func (k vectorKEK) URI() string { return k.uri }

func (k vectorKEK) GenerateDataKey(context.Context, WrapContext) ([]byte, []byte, error) {
	return nil, nil, errors.New("not in this test")
}

func (k vectorKEK) Wrap(_ context.Context, dataKey []byte, wc WrapContext) ([]byte, error) {
	return k.gcm.Seal(nil, nil, dataKey, wc.AssociatedData()), nil
}

func (k vectorKEK) Unwrap(_ context.Context, wrapped []byte, wc WrapContext) ([]byte, error) {
	dataKey, err := k.gcm.Open(nil, nil, wrapped, wc.AssociatedData())
	if err != nil {
		return nil, fmt.Errorf("%w: wrap does not authenticate", ErrKeysetInvalid)
	}
	return dataKey, nil
}

// oneRecord is a store that holds a vector.
type oneRecord struct {
	Store
	record Record
}

func (s oneRecord) Load(context.Context, Scope) (Record, error) { return s.record, nil }

func TestFrozenVectors(t *testing.T) {
	if *update {
		addMissingVectors(t)
	}
	names, err := filepath.Glob(filepath.Join(vectorDir, "*.json"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no vectors: %v", err)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) { runVector(t, readVector(t, name)) })
	}
}

func readVector(t testing.TB, name string) vector {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(must(os.ReadFile(name))))
	d.DisallowUnknownFields()
	var v vector
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func runVector(t *testing.T, v vector) {
	want, ok := vectorClasses[v.Expect]
	if !ok {
		t.Fatalf("unknown expectation %q", v.Expect)
	}
	if strings.Contains(v.Comment, "other types") && fips140.Enabled() {
		t.Skip("FIPS 140 mode has no such types")
	}
	r := Record{Scope: Scope{v.Domain, v.Tenant}, Version: v.Version, Seal: v.Seal, Index: v.Index, Info: v.Info}
	for _, w := range v.Wraps {
		r.Wraps = append(r.Wraps, Wrap{w.KEKURI, w.Wrapped, w.TenantContext})
	}
	m, err := Open(t.Context(), Config{
		Store:   oneRecord{record: r},
		Lazy:    true,
		Domains: map[string]Domain{v.Domain: {KEKs: []KEK{newVectorKEK(v.KEKURI, v.KEK)}, PerTenant: v.Tenant != ""}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	k, err := m.Keys(t.Context(), r.Scope)
	if !errors.Is(err, want) {
		t.Fatalf("error %v, want %v", err, want)
	}
	if want != nil {
		return
	}
	if _, err := r.decrypt(v.DataKey); err != nil {
		t.Errorf("with the data key: %v", err)
	}
	if got := vectorKeysOf(t, k); !slices.EqualFunc(got, v.Keys, func(a, b vectorKey) bool {
		return a.Purpose == b.Purpose && a.ID == b.ID && bytes.Equal(a.Key, b.Key)
	}) {
		t.Errorf("other keys than the vector's")
	}
	for _, vk := range v.Keys {
		if got, err := vk.reproduce(k); err != nil || !got {
			t.Errorf("%s key %d: output not reproduced: %v", vk.Purpose, vk.ID, err)
		}
	}
}

// reproduce opens or computes the output of a key.
func (vk vectorKey) reproduce(k *Keys) (bool, error) {
	if vk.Purpose == Index {
		i := slices.IndexFunc(k.IndexKeys(), func(ix *IndexKey) bool { return ix.ID() == vk.ID })
		return i >= 0 && bytes.Equal(k.IndexKeys()[i].Compute(nil, vk.Input), vk.Output), nil
	}
	key, err := k.SealKey(vk.ID)
	if err != nil {
		return false, err
	}
	var got []byte
	if key.RecordKeyed() {
		got, err = must(key.Record((*[12]byte)(vk.Output[5:17]))).Open(nil, nil, vk.Output[17:], []byte("ad"))
	} else {
		got, err = key.AEAD().Decrypt(vk.Output, []byte("ad"))
	}
	return bytes.Equal(got, vk.Input), err
}

// TestVectorsNeverChange compares every vector with the sums that were committed
// with it.
func TestVectorsNeverChange(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(string(must(os.ReadFile(filepath.Join(vectorDir, "SHA256SUMS"))))), "\n")
	listed := map[string]bool{}
	for _, line := range lines {
		sum, name, ok := strings.Cut(line, "  ")
		if !ok || listed[name] {
			t.Fatalf("SHA256SUMS: bad line %q", line)
		}
		listed[name] = true
		b, err := os.ReadFile(filepath.Join(vectorDir, name))
		if err != nil {
			t.Errorf("a vector has vanished: %v", err)
		} else if got := fmt.Sprintf("%x", sha256.Sum256(b)); got != sum {
			t.Errorf("the vector %s has changed", name)
		}
	}
	for _, name := range must(filepath.Glob(filepath.Join(vectorDir, "*.json"))) {
		if !listed[filepath.Base(name)] {
			t.Errorf("SHA256SUMS does not list %s", filepath.Base(name))
		}
	}
}
