package keymgr_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
	"github.com/fieldcrypt/go/keymgr/memstore"
)

func TestConfigsThatCannotWork(t *testing.T) {
	kek := keymgrtest.NewKEK("a")
	resolver := func(context.Context, string) ([]keymgr.KEK, error) { return nil, nil }
	domain := func(name string, d keymgr.Domain) func(*keymgr.Config) {
		return func(cfg *keymgr.Config) { cfg.Domains = map[string]keymgr.Domain{name: d} }
	}
	one := []keymgr.KEK{kek}
	for name, change := range map[string]func(*keymgr.Config){
		"no store":                    func(cfg *keymgr.Config) { cfg.Store = nil },
		"no domain":                   func(cfg *keymgr.Config) { cfg.Domains = nil },
		"a negative CacheTTL":         func(cfg *keymgr.Config) { cfg.CacheTTL = -1 },
		"a negative KMSTimeout":       func(cfg *keymgr.Config) { cfg.KMSTimeout = -1 },
		"a negative StoreTimeout":     func(cfg *keymgr.Config) { cfg.StoreTimeout = -1 },
		"MaxStale below CacheTTL":     func(cfg *keymgr.Config) { cfg.MaxStale = time.Second },
		"a domain with a wrong name":  domain("Medical", keymgr.Domain{KEKs: one}),
		"a domain without a name":     domain("", keymgr.Domain{KEKs: one}),
		"a domain with a long name":   domain(strings.Repeat("a", 64), keymgr.Domain{KEKs: one}),
		"no KEK":                      domain("medical", keymgr.Domain{}),
		"KEKs to decrypt only":        domain("medical", keymgr.Domain{DecryptOnly: one}),
		"a nil KEK":                   domain("medical", keymgr.Domain{KEKs: []keymgr.KEK{nil}}),
		"a KEK twice":                 domain("medical", keymgr.Domain{KEKs: []keymgr.KEK{kek, kek}}),
		"a KEK in both lists":         domain("medical", keymgr.Domain{KEKs: one, DecryptOnly: one}),
		"TenantKEK without PerTenant": domain("medical", keymgr.Domain{KEKs: one, TenantKEK: resolver}),
		"an unknown TenantContext":    domain("medical", keymgr.Domain{KEKs: one, TenantContext: "md5"}),
		"MinVersions of no domain":    func(cfg *keymgr.Config) { cfg.MinVersions = map[keymgr.Scope]uint64{{Domain: "x"}: 1} },
		"MinVersions of no tenant":    func(cfg *keymgr.Config) { cfg.MinVersions = map[keymgr.Scope]uint64{{Domain: "records"}: 1} },
		"MinVersions out of range":    func(cfg *keymgr.Config) { cfg.MinVersions = map[keymgr.Scope]uint64{medical: 1 << 63} },
	} {
		f := &fixture{t: t, kek: kek, store: &spyStore{Store: memstore.New()}, log: &logBuffer{}}
		if m, err := keymgr.Open(t.Context(), f.config(change)); !errors.Is(err, keymgr.ErrConfig) || m != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if kek.Calls().Total() != 0 {
		t.Error("the KMS was called for a Config that cannot work")
	}
}

func TestOpenLoadsWhatIsNotPerTenant(t *testing.T) {
	f := newFixture(t)
	for _, create := range []bool{true, false} { // AutoCreate does not matter once the scope is there
		calls := f.kek.Calls()
		m := f.open(func(cfg *keymgr.Config) {
			d := cfg.Domains["medical"]
			d.AutoCreate = create
			cfg.Domains["medical"] = d
		})
		mustKeys(t, m, medical)
		if got := f.kek.Calls(); got.Unwrap-calls.Unwrap != 1 || got.GenerateDataKey != calls.GenerateDataKey {
			t.Errorf("calls %+v, before %+v", got, calls)
		}
	}
	calls := f.kek.Calls()
	f.open(lazy)
	if f.kek.Calls() != calls {
		t.Error("a lazy Open called the KMS")
	}
}

func TestOpenFailsWhenAScopeDoesNotOpen(t *testing.T) {
	missing := &fixture{t: t, kek: keymgrtest.NewKEK("a"), store: &spyStore{Store: memstore.New()}, log: &logBuffer{}}
	_, err := keymgr.Open(t.Context(), missing.config(func(cfg *keymgr.Config) {
		d := cfg.Domains["medical"]
		d.AutoCreate = false
		cfg.Domains["medical"] = d
	}))
	mustBe(t, "a missing scope", err, keymgr.ErrScopeNotFound)
	if !strings.Contains(err.Error(), "medical") || !strings.Contains(err.Error(), "keys create") {
		t.Errorf("error %q names neither the scope nor the cure", err)
	}
	if missing.kek.Calls().Total() != 0 {
		t.Error("the KMS was called")
	}

	f := newFixture(t)
	f.kek.Deny()
	_, err = keymgr.Open(t.Context(), f.config())
	mustBe(t, "denied", err, keymgr.ErrKMSDenied)
	f.kek.Unavailable()
	_, err = keymgr.Open(t.Context(), f.config())
	mustBe(t, "unavailable", err, keymgr.ErrKMSUnavailable)
	f.store.Fail(keymgr.ErrStoreUnavailable)
	_, err = keymgr.Open(t.Context(), f.config())
	mustBe(t, "store unavailable", err, keymgr.ErrStoreUnavailable)
}

// lateCreate is a store in which another process creates the scope just before
// we do.
type lateCreate struct {
	*memstore.Store
	do func()
}

func (s *lateCreate) Create(ctx context.Context, r keymgr.Record, events []keymgr.Event) error {
	if do := s.do; do != nil {
		s.do = nil
		do()
	}
	return s.Store.Create(ctx, r, events)
}

func TestLosingTheRaceToCreateLoadsTheWinners(t *testing.T) {
	f := &fixture{t: t, kek: keymgrtest.NewKEK("a"), store: &spyStore{}, log: &logBuffer{}}
	store := &lateCreate{Store: memstore.New()}
	f.store.Store = store
	var winner *keymgr.Manager
	store.do = func() { winner = f.open() }
	loser := f.open()
	if w, l := mustKeys(t, winner, medical), mustKeys(t, loser, medical); w.Primary().ID() != l.Primary().ID() {
		t.Error("two processes have different keys")
	}
}

func TestScopesThatCannotBe(t *testing.T) {
	f := newFixture(t)
	for s, want := range map[keymgr.Scope]error{
		{}:                                   keymgr.ErrUnknownDomain,
		{Domain: "finance"}:                  keymgr.ErrUnknownDomain,
		{Domain: strings.Repeat("x", 10000)}: keymgr.ErrUnknownDomain,
		{Domain: "medical", Tenant: "acme"}:  keymgr.ErrInvalidScope,
		{Domain: "records"}:                  keymgr.ErrNoTenant,
		{Domain: "records", Tenant: "a/b"}:   keymgr.ErrInvalidScope,
		{Domain: "records", Tenant: "ä"}:     keymgr.ErrInvalidScope,
		{Domain: "records", Tenant: "a\x00"}: keymgr.ErrInvalidScope,
		{Domain: "records", Tenant: strings.Repeat("x", 129)}: keymgr.ErrInvalidScope,
	} {
		ctx := t.Context()
		_, keys := f.Keys(ctx, s)
		_, keysFor := f.KeysFor(ctx, s, 1)
		_, addKey := f.AddKey(ctx, s, keymgr.Seal)
		for _, err := range []error{keys, keysFor, addKey, f.Ensure(ctx, s), f.Create(ctx, s), f.Rewrap(ctx, s), f.PromoteKey(ctx, s, keymgr.Seal, 1)} {
			mustBe(t, s.Domain[:min(20, len(s.Domain))], err, want)
			mustBeOneClass(t, err)
			if len(err.Error()) > 300 || s.Tenant != "" && len(s.Tenant) > 3 && strings.Contains(err.Error(), s.Tenant) {
				t.Errorf("error %q repeats what it was given", err)
			}
		}
		f.Evict(s)
	}
	for domain, want := range map[string]bool{"medical": false, "records": true} {
		if got, err := f.PerTenant(domain); err != nil || got != want {
			t.Errorf("PerTenant(%q) = %v, %v", domain, got, err)
		}
	}
	_, err := f.PerTenant("finance")
	mustBe(t, "PerTenant", err, keymgr.ErrUnknownDomain)
}
