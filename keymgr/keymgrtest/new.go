package keymgrtest

import (
	"math"
	"testing"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/memstore"
)

// New returns a Manager for the domains with new random keys that live in memory
// only. The test closes it.
func New(t testing.TB, domains ...string) *keymgr.Manager {
	t.Helper()
	return open(t, keymgr.Domain{AutoCreate: true}, domains)
}

// NewPerTenant is [New] for domains with keys per tenant, which Manager.Ensure
// makes.
func NewPerTenant(t testing.TB, domains ...string) *keymgr.Manager {
	t.Helper()
	return open(t, keymgr.Domain{AutoCreate: true, PerTenant: true}, domains)
}

func open(t testing.TB, d keymgr.Domain, domains []string) *keymgr.Manager {
	t.Helper()
	d.KEKs = []keymgr.KEK{NewKEK(t.Name())}
	cfg := keymgr.Config{
		Store: memstore.New(), Domains: map[string]keymgr.Domain{},
		Heartbeat: -1,            // there are no other instances, and a test's clock may jump over any number of heartbeats
		KMSRate:   math.MaxInt32, // KEKs in memory have no quota
	}
	for _, name := range domains {
		cfg.Domains[name] = d
	}
	m, err := keymgr.Open(t.Context(), cfg)
	if err != nil {
		t.Fatalf("keymgr.Open: %v", err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}
