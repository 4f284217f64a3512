package keymgr_test

import (
	"bytes"
	"context"
	"crypto/fips140"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/memstore"
)

const oldTinkDir = "testdata/vectors/v1/oldtink"

// oldKeyset is a file there: see its README.
type oldKeyset struct {
	Comment        string
	Purpose        keymgr.Purpose
	Expect         string
	Keyset         json.RawMessage
	Encrypted      []byte
	Master         json.RawMessage
	AssociatedData []byte `json:"associated_data"`
	Enabled        []uint32
	Made           []struct {
		KeyID          uint32 `json:"key_id"`
		Input          []byte
		AssociatedData []byte `json:"associated_data"`
		Output         []byte
	}
}

func readOldKeysets(t *testing.T) map[string]oldKeyset {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(oldTinkDir, "*.json"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	all := map[string]oldKeyset{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		mustBe(t, "ReadFile", err, nil)
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.DisallowUnknownFields()
		var o oldKeyset
		mustBe(t, name, dec.Decode(&o), nil)
		all[strings.TrimSuffix(filepath.Base(name), ".json")] = o
	}
	return all
}

func readClear(t *testing.T, text []byte) *keyset.Handle {
	t.Helper()
	h, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(text)))
	mustBe(t, "Read", err, nil)
	return h
}

// handle reads the keyset with the Tink of today.
func (o oldKeyset) handle(t *testing.T) *keyset.Handle {
	t.Helper()
	if o.Keyset != nil {
		return readClear(t, o.Keyset)
	}
	master, err := aead.New(readClear(t, o.Master))
	mustBe(t, "aead.New", err, nil)
	h, err := keyset.ReadWithAssociatedData(keyset.NewBinaryReader(bytes.NewReader(o.Encrypted)), master, o.AssociatedData)
	mustBe(t, "ReadWithAssociatedData", err, nil)
	return h
}

func TestKeysetsOfOldTinkAreImported(t *testing.T) {
	for name, o := range readOldKeysets(t) {
		t.Run(name, func(t *testing.T) {
			if fips140.Enabled() {
				t.Skip("FIPS 140 mode has not all of these types")
			}
			inBubble(t, func(t *testing.T) {
				f := newFixture(t)
				mustBe(t, "Create", f.Create(t.Context(), acme), nil)
				before, calls := f.record(acme), f.kek.Calls().Total()
				h := o.handle(t)
				ids, err := f.ImportKeys(t.Context(), acme, o.Purpose, h)
				if o.Expect != "ok" {
					mustBe(t, "ImportKeys", err, keymgr.ErrKeysetInvalid)
					if ids != nil || f.record(acme).Version != before.Version {
						t.Error("a refused import changed something")
					}
					if n := f.kek.Calls().Total() - calls; n != 1 {
						t.Errorf("%d KMS calls: to open is all that it takes", n)
					}
					return
				}
				mustBe(t, "ImportKeys", err, nil)
				if !slices.Equal(ids, o.Enabled) {
					t.Errorf("imported %v, want %v", ids, o.Enabled)
				}
				old := f.open(lazy) // another process
				for _, m := range []*keymgr.Manager{f.Manager, old} {
					k := mustKeys(t, m, acme)
					if k.Version() != 2 || slices.Contains(o.Enabled, k.Primary().ID()) || slices.Contains(o.Enabled, k.IndexKeys()[0].ID()) {
						t.Error("a pending key writes")
					}
					checkMade(t, o, k)
				}
				mustBe(t, "PromoteKey, young", f.PromoteKey(t.Context(), acme, o.Purpose, ids[0]), keymgr.ErrKeyState)
				time.Sleep(maxStale + cacheTTL + time.Second)
				for _, id := range ids {
					mustBe(t, "PromoteKey", f.PromoteKey(t.Context(), acme, o.Purpose, id), nil)
					k := f.keys(acme)
					checkMade(t, o, k)
					checkNew(t, o, k, h, id)
				}
			})
		})
	}
}

// checkMade checks that keys reproduce what old Tink has made with them: directly
// and through Tink's handles of the scope.
func checkMade(t *testing.T, o oldKeyset, k *keymgr.Keys) {
	t.Helper()
	if o.Purpose == keymgr.Seal {
		whole, err := aead.New(k.SealHandle())
		mustBe(t, "aead.New", err, nil)
		for i, m := range o.Made {
			got, err := whole.Decrypt(m.Output, m.AssociatedData)
			key, known := k.SealKey(m.KeyID)
			if !slices.Contains(o.Enabled, m.KeyID) {
				if err == nil || !errors.Is(known, keymgr.ErrUnknownKey) {
					t.Errorf("ciphertext %d: a key that was not enabled opens it: %v", i, known)
				}
				continue
			}
			mustBe(t, "SealKey", known, nil)
			own, err2 := key.AEAD().Decrypt(m.Output, m.AssociatedData)
			if err != nil || err2 != nil || !bytes.Equal(got, m.Input) || !bytes.Equal(own, m.Input) {
				t.Errorf("ciphertext %d: %q and %q, %v, %v", i, got, own, err, err2)
			}
			if _, err := key.AEAD().Decrypt(m.Output, []byte("patients.name")); err == nil {
				t.Errorf("ciphertext %d opens with other associated data", i)
			}
		}
		return
	}
	set, err := prf.NewPRFSet(k.IndexHandle())
	mustBe(t, "NewPRFSet", err, nil)
	for i, m := range o.Made {
		theirs, err := set.PRFs[m.KeyID].ComputePRF(m.Input, 16)
		at := slices.IndexFunc(k.IndexKeys(), func(ix *keymgr.IndexKey) bool { return ix.ID() == m.KeyID })
		if at < 0 || err != nil || !bytes.Equal(theirs, m.Output) || !bytes.Equal(k.IndexKeys()[at].Compute(nil, m.Input)[:16], m.Output) {
			t.Errorf("PRF output %d is not reproduced: %v", i, err)
		}
	}
}

// checkNew checks what a promoted key makes against the keyset that was imported.
func checkNew(t *testing.T, o oldKeyset, k *keymgr.Keys, h *keyset.Handle, id uint32) {
	t.Helper()
	if o.Purpose == keymgr.Index {
		set, err := prf.NewPRFSet(h)
		mustBe(t, "NewPRFSet", err, nil)
		theirs, err := set.PRFs[id].ComputePRF([]byte("new"), 16)
		if ix := k.IndexKeys()[0]; ix.ID() != id || err != nil || !bytes.Equal(ix.Compute(nil, []byte("new"))[:16], theirs) {
			t.Errorf("index key %d, want %d: %v", ix.ID(), id, err)
		}
		return
	}
	if k.Primary().ID() != id || k.Primary().RecordKeyed() {
		t.Fatalf("primary %d, want %d", k.Primary().ID(), id)
	}
	sealed, err := k.Primary().AEAD().Encrypt([]byte("new"), []byte("ad"))
	mustBe(t, "Encrypt", err, nil)
	theirs, err := aead.New(h)
	mustBe(t, "aead.New", err, nil)
	if got, err := theirs.Decrypt(sealed, []byte("ad")); err != nil || string(got) != "new" {
		t.Errorf("Tink opens %q, %v", got, err)
	}
}

func TestImportTakesNoIDTwice(t *testing.T) {
	f := newFixture(t)
	beta := keymgr.Scope{Domain: "records", Tenant: "beta"}
	ctx := keymgr.WithActor(t.Context(), "ops@example")
	mustBe(t, "Create", f.Create(ctx, acme), nil)
	mustBe(t, "Create", f.Create(ctx, beta), nil)
	k := f.keys(acme)
	o := readOldKeysets(t)["hmacprf"]
	h := o.handle(t)
	_, err := f.ImportKeys(ctx, acme, keymgr.Index, h)
	mustBe(t, "ImportKeys", err, nil)
	mustHaveEvents(t, f, acme,
		keymgr.Event{Version: 1, Kind: keymgr.EventCreated},
		keymgr.Event{Version: 1, Kind: keymgr.EventKeyAdded, Purpose: keymgr.Seal, KeyID: k.Primary().ID()},
		keymgr.Event{Version: 1, Kind: keymgr.EventKeyAdded, Purpose: keymgr.Index, KeyID: k.IndexKeys()[0].ID()},
		keymgr.Event{Version: 2, Kind: keymgr.EventKeyAdded, Purpose: keymgr.Index, KeyID: o.Enabled[0], Detail: "imported"},
		keymgr.Event{Version: 2, Kind: keymgr.EventKeyAdded, Purpose: keymgr.Index, KeyID: o.Enabled[1], Detail: "imported"})

	_, err = f.ImportKeys(ctx, acme, keymgr.Index, h)
	mustBe(t, "into the same scope again", err, keymgr.ErrKeyIDTaken)
	calls := f.kek.Calls().Total()
	_, err = f.ImportKeys(ctx, beta, keymgr.Index, h)
	mustBe(t, "into another scope of the store", err, keymgr.ErrKeyIDTaken)
	if n := f.kek.Calls().Total() - calls; n > 2 {
		t.Errorf("%d KMS calls: it was tried again", n)
	}
	if v := f.record(beta).Version; v != 1 {
		t.Errorf("the other scope has version %d", v)
	}
	renamed := strings.ReplaceAll(string(o.Keyset), fmt.Sprint(o.Enabled[0]), "77")
	renamed = strings.ReplaceAll(renamed, fmt.Sprint(o.Enabled[1]), "78")
	_, err = f.ImportKeys(ctx, acme, keymgr.Index, readClear(t, []byte(renamed)))
	mustBe(t, "the same keys under other ids", err, keymgr.ErrKeysetInvalid)
}

func TestImportRefusesWhatIsNoKeyset(t *testing.T) {
	f := newFixture(t)
	mustBe(t, "Create", f.Create(t.Context(), acme), nil)
	_, err := f.ImportKeys(t.Context(), acme, keymgr.Seal, nil)
	mustBe(t, "nil", err, keymgr.ErrKeysetInvalid)
	h := readOldKeysets(t)["hmacprf"].handle(t)
	_, err = f.ImportKeys(t.Context(), acme, "sign", h)
	mustBe(t, "no such purpose", err, keymgr.ErrKeyState)
	_, err = f.ImportKeys(t.Context(), acme, keymgr.Seal, h)
	mustBe(t, "a PRF keyset to seal with", err, keymgr.ErrKeysetInvalid)
	_, err = f.ImportKeys(t.Context(), keymgr.Scope{Domain: "records", Tenant: "nobody"}, keymgr.Index, h)
	mustBe(t, "a scope that is not there", err, keymgr.ErrScopeNotFound)
}

// racingStore lets another writer in before a version is replaced.
type racingStore struct {
	keymgr.Store
	before func()
}

func (s *racingStore) Replace(ctx context.Context, r keymgr.Record, events []keymgr.Event) error {
	s.before()
	return s.Store.Replace(ctx, r, events)
}

// A store that another writer changes meanwhile is not overwritten.
func TestImportLosesAgainstAConcurrentChange(t *testing.T) {
	store := memstore.New()
	f := newFixture(t, func(cfg *keymgr.Config) { cfg.Store = store })
	mustBe(t, "Create", f.Create(t.Context(), acme), nil)
	other := f.open(func(cfg *keymgr.Config) { cfg.Store = store })
	raced := f.open(func(cfg *keymgr.Config) {
		cfg.Store = &racingStore{Store: store, before: func() {
			_, err := other.AddKey(t.Context(), acme, keymgr.Index)
			mustBe(t, "AddKey", err, nil)
		}}
	})
	_, err := raced.ImportKeys(t.Context(), acme, keymgr.Index, readOldKeysets(t)["hmacprf"].handle(t))
	mustBe(t, "ImportKeys", err, keymgr.ErrConflict)
	if k := mustKeys(t, other, acme); k.Version() != 2 || len(k.IndexKeys()) != 2 {
		t.Errorf("version %d with %d index keys", k.Version(), len(k.IndexKeys()))
	}
}

// TestOldTinkFixturesNeverChange compares every file with the sums that were
// committed with it.
func TestOldTinkFixturesNeverChange(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(oldTinkDir, "SHA256SUMS"))
	mustBe(t, "SHA256SUMS", err, nil)
	listed := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		sum, name, ok := strings.Cut(strings.TrimSpace(line), "  ")
		if !ok || listed[name] {
			t.Fatalf("bad line %q", line)
		}
		listed[name] = true
		b, err := os.ReadFile(filepath.Join(oldTinkDir, name))
		if err != nil || fmt.Sprintf("%x", sha256.Sum256(b)) != sum {
			t.Errorf("%s has changed or vanished: %v", name, err)
		}
	}
	for name := range readOldKeysets(t) {
		if !listed[name+".json"] {
			t.Errorf("SHA256SUMS does not list %s", name)
		}
	}
}
