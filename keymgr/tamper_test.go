package keymgr_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fieldcrypt/go/keymgr"
)

// Every bit of a record counts: each flipped alone, each byte cut off, each
// byte more is refused.
func TestEveryChangeOfARecordIsRefused(t *testing.T) {
	f := newFixture(t)
	m := f.open(lazy)
	for name, field := range map[string]func(*keymgr.Record) *[]byte{
		"seal":    func(r *keymgr.Record) *[]byte { return &r.Seal },
		"index":   func(r *keymgr.Record) *[]byte { return &r.Index },
		"wrapped": func(r *keymgr.Record) *[]byte { return &r.Wraps[0].Wrapped },
	} {
		t.Run(name, func(t *testing.T) {
			record := f.record(medical)
			length := len(*field(&record))
			for i := range length {
				for bit := range 8 {
					mustRefuse(t, f, m, fmt.Sprintf("bit %d of byte %d", bit, i), func(r *keymgr.Record) { (*field(r))[i] ^= 1 << bit })
				}
				mustRefuse(t, f, m, fmt.Sprintf("cut to %d bytes", i), func(r *keymgr.Record) { *field(r) = (*field(r))[:i] })
			}
			for _, more := range []string{"\x00", "\x18\x00", "\x1a\x00", "\x12\x00"} { // among them fields of protobuf
				mustRefuse(t, f, m, fmt.Sprintf("%x more", more), func(r *keymgr.Record) { *field(r) = append(*field(r), more...) })
				mustRefuse(t, f, m, fmt.Sprintf("%x before", more), func(r *keymgr.Record) { *field(r) = append([]byte(more), *field(r)...) })
			}
		})
	}
	t.Run("info", func(t *testing.T) {
		info := f.record(medical).Info
		for i := range len(info) {
			for bit := range 8 {
				mustRefuse(t, f, m, fmt.Sprintf("bit %d of byte %d", bit, i), func(r *keymgr.Record) {
					b := []byte(r.Info)
					b[i] ^= 1 << bit
					r.Info = string(b)
				})
			}
			mustRefuse(t, f, m, fmt.Sprintf("cut to %d bytes", i), func(r *keymgr.Record) { r.Info = r.Info[:i] })
		}
		mustRefuse(t, f, m, "a space more", func(r *keymgr.Record) { r.Info += " " })
		mustRefuse(t, f, m, "an older key", func(r *keymgr.Record) { r.Info = strings.Replace(r.Info, `"created":"2`, `"created":"1`, 1) })
	})
	mustKeys(t, m, medical)
}

func mustRefuse(t *testing.T, f *fixture, m *keymgr.Manager, what string, change func(*keymgr.Record)) {
	t.Helper()
	f.store.Lie(change)
	defer f.store.Lie(nil)
	m.Evict(medical)
	if _, err := m.Keys(t.Context(), medical); err == nil {
		t.Errorf("%s: opened", what)
	} else {
		mustBe(t, what, err, keymgr.ErrKeysetInvalid)
		mustBeOneClass(t, err)
	}
}

func TestMixedAndMovedRecordsAreRefused(t *testing.T) {
	f := newFixture(t, func(cfg *keymgr.Config) { cfg.Domains["finance"] = cfg.Domains["medical"] })
	finance, globex := keymgr.Scope{Domain: "finance"}, keymgr.Scope{Domain: "records", Tenant: "globex"}
	mustBe(t, "Create", f.Create(t.Context(), acme), nil)
	mustBe(t, "Create", f.Create(t.Context(), globex), nil)
	first := f.record(medical)
	_, err := f.AddKey(t.Context(), medical, keymgr.Seal)
	mustBe(t, "AddKey", err, nil)

	for _, c := range []struct {
		name   string
		scope  keymgr.Scope
		change func(*keymgr.Record)
	}{
		{"a row copied to another domain", finance, func(r *keymgr.Record) { *r = as(f.record(medical), finance, 1) }},
		{"a row of a tenant copied to a domain", medical, func(r *keymgr.Record) { *r = as(f.record(acme), medical, 2) }},
		{"a row copied to another tenant", acme, func(r *keymgr.Record) { *r = as(f.record(globex), acme, 1) }},
		{"another scope's row as it is", acme, func(r *keymgr.Record) { *r = f.record(globex) }},
		{"the keysets of another domain", medical, func(r *keymgr.Record) { o := f.record(finance); r.Seal, r.Index, r.Info = o.Seal, o.Index, o.Info }},
		{"the wrap of another domain", medical, func(r *keymgr.Record) { r.Wraps = f.record(finance).Wraps }},
		{"seal and index swapped", medical, func(r *keymgr.Record) { r.Seal, r.Index = r.Index, r.Seal }},
		{"seal of the version before", medical, func(r *keymgr.Record) { r.Seal = first.Seal }},
		{"index of the version before", medical, func(r *keymgr.Record) { r.Index = first.Index }},
		{"info of the version before", medical, func(r *keymgr.Record) { r.Info = first.Info }},
		{"wrap of the version before", medical, func(r *keymgr.Record) { r.Wraps = first.Wraps }},
		{"the version before called the current one", medical, func(r *keymgr.Record) { *r = as(first, medical, 2) }},
		{"the current version called a later one", medical, func(r *keymgr.Record) { r.Version = 3 }},
		{"the last possible version", medical, func(r *keymgr.Record) { r.Version = 1<<63 - 1 }},
		{"a version that is not possible", medical, func(r *keymgr.Record) { r.Version = 1 << 63 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := f.open(lazy, func(cfg *keymgr.Config) { cfg.Domains["finance"] = cfg.Domains["medical"] })
			mustKeys(t, m, c.scope)
			f.store.Lie(c.change)
			defer f.store.Lie(nil)
			m.Evict(c.scope)
			_, err := m.Keys(t.Context(), c.scope)
			mustBe(t, "Keys", err, keymgr.ErrKeysetInvalid)
			f.store.Lie(nil)
			mustKeys(t, m, c.scope) // the lie has left nothing behind
		})
	}
}

func as(r keymgr.Record, s keymgr.Scope, version uint64) keymgr.Record {
	r.Scope, r.Version = s, version
	return r
}

func TestOlderVersionPutBackIsRefused(t *testing.T) {
	f := newFixture(t)
	first := f.record(medical)
	_, err := f.AddKey(t.Context(), medical, keymgr.Seal)
	mustBe(t, "AddKey", err, nil)
	running := f.open(func(cfg *keymgr.Config) { cfg.CacheTTL = time.Nanosecond })
	f.store.Lie(func(r *keymgr.Record) { *r = first })

	_, err = running.Keys(t.Context(), medical)
	mustBe(t, "a Manager that saw the later one", err, keymgr.ErrRollback)
	_, err = keymgr.Open(t.Context(), f.config(func(cfg *keymgr.Config) {
		cfg.MinVersions = map[keymgr.Scope]uint64{medical: 2}
	}))
	mustBe(t, "a Manager that was told of it", err, keymgr.ErrRollback)
	for _, change := range []func() error{
		func() error { _, err := running.AddKey(t.Context(), medical, keymgr.Seal); return err },
		func() error { return running.Rewrap(t.Context(), medical) },
	} {
		mustBe(t, "a change on top of it", change(), keymgr.ErrRollback)
	}
	mustKeys(t, f.open(lazy), medical) // what MinVersions is for
}

// Wraps of KEKs that nobody listed are ignored, whatever they say.
func TestPlantedWrapsAreIgnored(t *testing.T) {
	f := newFixture(t)
	f.store.Lie(func(r *keymgr.Record) {
		r.Wraps = slices.Insert(r.Wraps, 0, keymgr.Wrap{KEKURI: "test-kms://thief", Wrapped: []byte("bait")}, keymgr.Wrap{})
	})
	f.Evict(medical)
	f.keys(medical)
}
