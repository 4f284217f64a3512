package keymgr_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
	"github.com/fieldcrypt/go/keymgr/memstore"
)

func BenchmarkKeysCached(b *testing.B) {
	m := keymgrtest.New(b, "medical")
	ctx := b.Context()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := m.Keys(ctx, medical); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkScopeKeysCached(b *testing.B) {
	s := keymgrtest.New(b, "medical").ForScope(medical)
	ctx := b.Context()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.Keys(ctx); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkOpenScope(b *testing.B) {
	m := keymgrtest.New(b, "medical")
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		m.Evict(medical)
		if _, err := m.Keys(ctx, medical); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSealRecord(b *testing.B) {
	k, err := keymgrtest.New(b, "medical").Keys(b.Context(), medical)
	if err != nil {
		b.Fatal(err)
	}
	salt, value, ad := [12]byte{1}, make([]byte, 16), make([]byte, 40)
	b.ReportAllocs()
	for b.Loop() {
		record, err := k.Primary().Record(&salt)
		if err != nil {
			b.Fatal(err)
		}
		for range 4 {
			record.Seal(nil, nil, value, ad)
		}
	}
}

func BenchmarkIndexCompute(b *testing.B) {
	k, err := keymgrtest.New(b, "medical").Keys(b.Context(), medical)
	if err != nil {
		b.Fatal(err)
	}
	var ix *keymgr.IndexKey = k.IndexKeys()[0]
	input, dst := make([]byte, 60), make([]byte, 0, 32)
	b.ReportAllocs()
	for b.Loop() {
		ix.Compute(dst, input)
	}
}

// BenchmarkOpenTenantScopes opens many tenants' scopes and reports what they take
// of the heap: those that are open, and what is remembered of the others.
func BenchmarkOpenTenantScopes(b *testing.B) {
	for _, c := range []struct{ tenants, bound int }{{10_000, 10_000}, {50_000, 10_000}, {50_000, 50_000}} {
		b.Run(fmt.Sprintf("tenants=%d/bound=%d", c.tenants, c.bound), func(b *testing.B) {
			f := newStoreOfTenants(b, c.tenants)
			for b.Loop() {
				b.StopTimer()
				m, err := keymgr.Open(b.Context(), f.config(c.bound))
				if err != nil {
					b.Fatal(err)
				}
				before := heap()
				b.StartTimer()
				for i := range c.tenants {
					if _, err := m.Keys(b.Context(), tenant(i)); err != nil {
						b.Fatal(err)
					}
				}
				b.StopTimer()
				took, open := heap()-before, m.OpenScopes()
				if open != min(c.tenants, c.bound) {
					b.Fatalf("%d scopes are open", open)
				}
				b.ReportMetric(float64(took)/float64(open), "B/open-scope")
				b.ReportMetric(float64(took)/(1<<20), "MB-heap")
				b.ReportMetric(float64(open), "open-scopes")
				m.Close()
				b.StartTimer()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*c.tenants), "ns/opening")
		})
	}
}

// heap is what lives on the heap, in bytes.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what finalizers and pools held on to
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}

// storeOfTenants holds scopes of "records", and the KEK that opens them.
type storeOfTenants struct {
	store keymgr.Store
	kek   keymgr.KEK
}

func newStoreOfTenants(b *testing.B, n int) storeOfTenants {
	s := storeOfTenants{memstore.New(), keymgrtest.NewKEK("key")}
	m, err := keymgr.Open(b.Context(), s.config(1))
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	for i := range n {
		if err := m.Create(b.Context(), tenant(i)); err != nil {
			b.Fatal(err)
		}
	}
	return s
}

func (s storeOfTenants) config(bound int) keymgr.Config {
	return keymgr.Config{
		Store:         s.store,
		Domains:       map[string]keymgr.Domain{"records": {KEKs: []keymgr.KEK{s.kek}, PerTenant: true}},
		Lazy:          true,
		MaxOpenScopes: bound,
	}
}
