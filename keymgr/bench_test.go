package keymgr_test

import (
	"testing"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
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
