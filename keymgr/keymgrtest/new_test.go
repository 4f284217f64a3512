package keymgrtest_test

import (
	"testing"
	"time"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
	"github.com/fieldcrypt/go/keymgr/memstore"
)

func TestNewOpensItsDomains(t *testing.T) {
	m := keymgrtest.New(t, "medical", "finance")
	for _, domain := range []string{"medical", "finance"} {
		k, err := m.Keys(t.Context(), keymgr.Scope{Domain: domain})
		if err != nil || k.Version() != 1 || !k.Primary().RecordKeyed() {
			t.Errorf("%s: %v, %v", domain, k, err)
		}
	}
}

func TestNewPerTenantMakesTenantsOnDemand(t *testing.T) {
	m := keymgrtest.NewPerTenant(t, "medical")
	acme := keymgr.Scope{Domain: "medical", Tenant: "acme"}
	if err := m.Ensure(t.Context(), acme); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Keys(t.Context(), acme); err != nil {
		t.Fatal(err)
	}
}

// An application's test of an outage: a KEK that stops to answer, and a clock
// that moves past the keys' time.
func TestAnOutageWithAClock(t *testing.T) {
	kek := keymgrtest.NewKEK("medical-key")
	clock := keymgrtest.NewClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	m, err := keymgr.Open(t.Context(), keymgr.Config{
		Store:   memstore.New(),
		Domains: map[string]keymgr.Domain{"medical": {KEKs: []keymgr.KEK{kek}, AutoCreate: true}},
		Now:     clock.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	kek.Unavailable()
	clock.Advance(30 * time.Minute)
	if _, err := m.Keys(t.Context(), keymgr.Scope{Domain: "medical"}); err != nil {
		t.Errorf("an outage that is shorter than MaxStale was seen: %v", err)
	}
}
