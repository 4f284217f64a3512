package keymgr

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/aesctrhmac"
	"github.com/tink-crypto/tink-go/v2/aead/aesgcm"
	"github.com/tink-crypto/tink-go/v2/aead/xaesgcm"
	"github.com/tink-crypto/tink-go/v2/aead/xchacha20poly1305"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf/hmacprf"
)

// How the vectors were made. A new one is a new line here and a run of
//
//	go test ./keymgr -run TestFrozenVectors -update
func vectorMakers(t *testing.T) map[string]func() vector {
	kek := random32()
	data := newVectorKEK(localURI(kek), kek)
	day := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	medical, tenant := Scope{Domain: "medical"}, Scope{Domain: "medical", Tenant: "acme"}

	first := func(s Scope) *draft { return must(firstDraft(s, day, "")) }
	make := func(comment string, d *draft, change ...func(*vector)) func() vector {
		return func() vector {
			v := encryptVector(t, comment, d, data)
			v.KEK, v.Expect = kek, "ok"
			for _, c := range change {
				c(&v)
				v.Expect, v.DataKey, v.Keys = "keyset-invalid", nil, nil
			}
			return v
		}
	}
	// later is a scope after some changes: pending, active, disabled and destroyed keys.
	later := func() *draft {
		d := first(tenant)
		d.version, d.info.Reindex = 9, []reindex{{"patients.mrn_bidx", d.info.Index[0].ID}}
		var ids []uint32
		for range 4 {
			ids = append(ids, must(d.add(Seal, StatePending)))
		}
		must(d.add(Index, StatePending))
		if err := d.promote(Seal, ids[0], day); err != nil {
			t.Fatal(err)
		}
		m := keyset.NewManagerFromHandle(d.seal)
		if err := m.Disable(ids[1]); err != nil {
			t.Fatal(err)
		}
		if err := m.Delete(ids[2]); err != nil {
			t.Fatal(err)
		}
		d.seal = must(m.Handle())
		d.info.Seal[2].State, d.info.Seal[3].State = StateDisabled, StateDestroyed
		return d
	}
	// with is a scope with keysets that keymgr does not make.
	with := func(seal, index *keyset.Handle) *draft {
		return &draft{scope: medical, version: 1, seal: seal, index: index, info: infoFor(t, seal, index)}
	}
	plainIndex := fromKeys(t, prfKey(2, 32, hmacprf.SHA256))
	other := encryptVector(t, "", first(medical), data)
	two := func() *draft { d := first(medical); d.version = 2; return d }

	return map[string]func() vector{
		"domain.json": make("a domain that is not per tenant, version 1", first(medical)),
		"tenant.json": make("a tenant", first(tenant)),
		"states.json": make("pending, primary, active, disabled and destroyed keys; a reindex", later()),
		"version-max.json": make("the last possible version", func() *draft {
			d := first(medical)
			d.version = maxVersion
			return d
		}()),
		"several-keks.json": func() vector {
			v := make("wrapped under three KEKs, of which one is listed; tenant hashed in the context of that wrap", first(tenant))()
			v.Wraps[0].TenantContext = TenantSHA256
			v.Wraps = append(v.Wraps, vectorWrap{"aws-kms://arn:aws:kms:eu-west-1:111122223333:key/a", []byte("x"), TenantPlain})
			v.Wraps = append(v.Wraps, vectorWrap{"zzz://", []byte{}, TenantPlain})
			return v
		},
		"other-types.json": make("other types that Tink has: XAES with a short salt, AES-256-GCM, AES-256-CTR-HMAC, XChaCha20-Poly1305",
			with(otherTypes(t), plainIndex)),

		"bad-domain.json":       make("copied to another domain", first(medical), func(v *vector) { v.Domain = "finance" }),
		"bad-tenant.json":       make("copied to another tenant", first(tenant), func(v *vector) { v.Tenant = "globex" }),
		"bad-tenant-split.json": make("the boundary of domain and tenant moved", first(tenant), func(v *vector) { v.Domain, v.Tenant = "medica", "lacme" }),
		"bad-domain-rewrapped.json": make("copied to another domain, the data key wrapped for that", first(medical), func(v *vector) {
			v.Domain = "finance"
			v.Wraps[0].Wrapped = must(data.Wrap(context.Background(), v.DataKey, WrapContext{Scope: Scope{Domain: "finance"}}))
		}),
		"bad-tenant-rewrapped.json": make("the boundary of domain and tenant moved, the data key wrapped for that", first(tenant), func(v *vector) {
			v.Domain, v.Tenant = "medica", "lacme"
			v.Wraps[0].Wrapped = must(data.Wrap(context.Background(), v.DataKey, WrapContext{Scope: Scope{"medica", "lacme"}}))
		}),
		"bad-version.json":        make("another version number", first(medical), func(v *vector) { v.Version = 2 }),
		"bad-info.json":           make("the info changed by hand", first(medical), func(v *vector) { v.Info = strings.Replace(v.Info, "03:04:05", "03:04:06", 1) }),
		"bad-info-space.json":     make("a space behind the info", first(medical), func(v *vector) { v.Info += " " }),
		"bad-mixed-seal.json":     make("the seal keyset of another version", two(), func(v *vector) { v.Seal = other.Seal }),
		"bad-mixed-index.json":    make("the index keyset of another version", two(), func(v *vector) { v.Index = other.Index }),
		"bad-mixed-wrap.json":     make("the wrapped data key of another version", two(), func(v *vector) { v.Wraps = other.Wraps }),
		"bad-swapped.json":        make("seal and index keyset swapped", first(medical), func(v *vector) { v.Seal, v.Index = v.Index, v.Seal }),
		"bad-bit.json":            make("a bit of the seal keyset flipped", first(medical), func(v *vector) { v.Seal[40] ^= 1 }),
		"bad-cut.json":            make("the index keyset without its last byte", first(medical), func(v *vector) { v.Index = v.Index[:len(v.Index)-1] }),
		"bad-keyset-info.json":    make("Tink's clear keyset_info appended, which nothing authenticates", first(medical), func(v *vector) { v.Seal = append(v.Seal, 0x1a, 0) }),
		"bad-context.json":        make("the data key wrapped for another scope", first(medical), func(v *vector) { v.Wraps[0].Wrapped = wrapFor(data, tenant) }),
		"bad-prefix-raw.json":     make("a key without Tink's prefix", with(fromKeys(t, xaesKey(1, 0, xaesgcm.VariantNoPrefix, 12)), plainIndex), func(*vector) {}),
		"bad-prefix-crunchy.json": make("a key with the CRUNCHY prefix", with(fromKeys(t, gcmKey(1, 5, aesgcm.VariantCrunchy)), plainIndex), func(*vector) {}),
		"bad-key-size.json":       make("AES-128-GCM", with(fromTemplate(t, aead.AES128GCMKeyTemplate()), plainIndex), func(*vector) {}),
		"bad-key-twice.json": make("the same key bytes under two types",
			with(fromKeys(t, xaesKey(1, 5, xaesgcm.VariantTink, 12), gcmKey(1, 6, aesgcm.VariantTink)), plainIndex), func(*vector) {}),
		"bad-prf-hash.json": make("an index key of another hash", with(fromKeys(t, xaesKey(1, 5, xaesgcm.VariantTink, 12)), fromKeys(t, prfKey(2, 32, hmacprf.SHA512))), func(*vector) {}),
		"bad-prf-size.json": make("a short index key", with(fromKeys(t, xaesKey(1, 5, xaesgcm.VariantTink, 12)), fromKeys(t, prfKey(2, 31, hmacprf.SHA256))), func(*vector) {}),
		"bad-contradiction.json": make("an authentic info that contradicts the keyset", func() *draft {
			d := first(medical)
			d.info.Seal[0].State = StateActive
			return d
		}(), func(*vector) {}),
		"bad-format.json": make("an authentic info of an unknown format", func() *draft {
			d := first(medical)
			d.info.Format = 2
			return d
		}(), func(*vector) {}),
		"bad-kek.json": func() vector {
			v := make("wrapped under a KEK that is not listed", first(medical), func(v *vector) { v.Wraps[0].KEKURI += "1" })()
			v.Expect = "kek-not-allowed"
			return v
		},
	}
}

// localURI is the URI that localkms gives a key.
func localURI(key []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("fieldcrypt local KEK fingerprint v1"))
	return fmt.Sprintf("local-kms://%x", mac.Sum(nil)[:16])
}

func random32() []byte {
	b := make([]byte, 32)
	rand.Read(b)
	return b
}

func wrapFor(k vectorKEK, s Scope) []byte {
	return must(k.Wrap(context.Background(), random32(), WrapContext{Scope: s}))
}

func otherTypes(t *testing.T) *keyset.Handle {
	return fromKeys(t,
		xaesKey(1, 0x01020304, xaesgcm.VariantTink, 8),
		gcmKey(3, 5, aesgcm.VariantTink),
		must(aesctrhmac.NewKey(aesctrhmac.KeyOpts{
			AESKeyBytes: secret(6, 32), HMACKeyBytes: secret(7, 32), IDRequirement: 0xFFFFFFFF,
			Parameters: must(aesctrhmac.NewParameters(aesctrhmac.ParametersOpts{
				AESKeySizeInBytes: 32, HMACKeySizeInBytes: 32, IVSizeInBytes: 16, TagSizeInBytes: 32,
				HashType: aesctrhmac.SHA256, Variant: aesctrhmac.VariantTink,
			})),
		})),
		must(xchacha20poly1305.NewKey(secret(4, 32), 9, must(xchacha20poly1305.NewParameters(xchacha20poly1305.VariantTink)))))
}

func encryptVector(t *testing.T, comment string, d *draft, kek vectorKEK) vector {
	t.Helper()
	dataKey := random32()
	r := must(d.encrypt(dataKey))
	v := vector{
		Comment: comment, Domain: r.Scope.Domain, Tenant: r.Scope.Tenant, Version: r.Version,
		Seal: r.Seal, Index: r.Index, Info: r.Info, KEKURI: kek.uri, DataKey: dataKey,
		Wraps: []vectorWrap{{KEKURI: kek.uri, Wrapped: must(kek.Wrap(context.Background(), dataKey, WrapContext{Scope: d.scope}))}},
	}
	if k, err := r.decrypt(dataKey); err == nil {
		v.Keys = vectorKeysOf(t, k)
	}
	return v
}

// vectorKeysOf lists the keys that are enabled, with an output of each.
func vectorKeysOf(t *testing.T, k *Keys) (list []vectorKey) {
	t.Helper()
	input := []byte("patient 4711")
	for _, p := range []Purpose{Seal, Index} {
		h := k.seal
		if p == Index {
			h = k.index
		}
		for i := range h.Len() {
			e := must(h.Entry(i))
			if e.KeyStatus() != keyset.Enabled {
				continue
			}
			vk := vectorKey{Purpose: p, ID: e.KeyID(), Input: input}
			switch key := e.Key().(type) {
			case *xaesgcm.Key:
				vk.Key = keyBytes(key.KeyBytes())
			case *aesgcm.Key:
				vk.Key = keyBytes(key.KeyBytes())
			case *aesctrhmac.Key:
				vk.Key = append(keyBytes(key.AESKeyBytes()), keyBytes(key.HMACKeyBytes())...)
			case *xchacha20poly1305.Key:
				vk.Key = keyBytes(key.KeyBytes())
			case *hmacprf.Key:
				vk.Key = keyBytes(key.KeyBytes())
			}
			vk.Output = outputOf(t, k, vk)
			list = append(list, vk)
		}
	}
	return list
}

func outputOf(t *testing.T, k *Keys, vk vectorKey) []byte {
	if vk.Purpose == Index {
		i := slices.IndexFunc(k.IndexKeys(), func(ix *IndexKey) bool { return ix.ID() == vk.ID })
		return k.IndexKeys()[i].Compute(nil, vk.Input)
	}
	key := must(k.SealKey(vk.ID))
	if !key.RecordKeyed() {
		return must(key.AEAD().Encrypt(vk.Input, []byte("ad")))
	}
	salt := [12]byte(random32()[:12])
	prefix := append([]byte{1, byte(vk.ID >> 24), byte(vk.ID >> 16), byte(vk.ID >> 8), byte(vk.ID)}, salt[:]...)
	return must(key.Record(&salt)).Seal(prefix, nil, vk.Input, []byte("ad"))
}

func addMissingVectors(t *testing.T) {
	t.Helper()
	makers := vectorMakers(t)
	var names []string
	for name := range makers {
		names = append(names, name)
	}
	slices.Sort(names)
	sums, err := os.OpenFile(filepath.Join(vectorDir, "SHA256SUMS"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer sums.Close()
	for _, name := range names {
		path := filepath.Join(vectorDir, name)
		if _, err := os.Stat(path); err == nil {
			continue
		}
		b := append(must(json.MarshalIndent(makers[name](), "", "  ")), '\n')
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(sums, "%x  %s\n", sha256.Sum256(b), name)
	}
}
