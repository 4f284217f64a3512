package fieldcrypt_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/tink-crypto/tink-go/v2/aead"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/internal/frame"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
)

type record struct {
	A string `fieldcrypt:"medical,index"`
	B string `fieldcrypt:"medical"`
	C string `fieldcrypt:"medical"`
	D string `fieldcrypt:"medical"`
}

// BenchmarkRecord seals and opens a record of four 16-byte fields, beside Tink's
// XAES-256-GCM with a salt per value.
func BenchmarkRecord(b *testing.B) {
	ctx := b.Context()
	fc := fieldcrypt.New(keymgrtest.New(b, "medical"), fieldcrypt.Config{})
	m := modelOf(b, fc, record{})
	value := strings.Repeat("x", 16)
	v, row := reflect.ValueOf(value), fieldcrypt.Row{}
	keys, err := fc.Keys().Keys(ctx, keymgr.Scope{Domain: "medical"})
	if err != nil {
		b.Fatal(err)
	}
	tink, err := aead.New(keys.SealHandle())
	if err != nil {
		b.Fatal(err)
	}
	ad := frame.Make(frame.Value, []byte("medical"), nil, []byte("records"), []byte("a"))
	plaintext, bare := append([]byte{2}, value...), newFloor(b)
	for _, n := range []int{1, 3, 4} {
		fields := m.Fields[:n]
		b.Run(fmt.Sprintf("%d fields/seal", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s := fc.Sealer(ctx, row)
				for _, f := range fields {
					if _, err := s.Seal(f, v); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
		b.Run(fmt.Sprintf("%d fields/seal floor", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				bare.seal(b, n, plaintext, ad)
			}
		})
		b.Run(fmt.Sprintf("%d fields/seal with Tink", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for range fields {
					if _, err := tink.Encrypt([]byte(value), ad); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
		// More records than the cache of records holds, so that each is derived.
		stored := make([][][]byte, 1024)
		for i := range stored {
			s := fc.Sealer(ctx, row)
			for _, f := range fields {
				stored[i] = append(stored[i], seal(b, s, f, value))
			}
		}
		b.Run(fmt.Sprintf("%d fields/open", n), func(b *testing.B) {
			b.ReportAllocs()
			dst := reflect.ValueOf(new(string)).Elem()
			for i := 0; b.Loop(); i++ {
				for j, f := range fields {
					if err := fc.Open(ctx, f, stored[i%len(stored)][j], dst, row); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
		b.Run(fmt.Sprintf("%d fields/open floor", n), func(b *testing.B) {
			var sealed [][]byte
			for range n {
				sealed = append(sealed, bare.record(b).Seal(nil, nil, plaintext, ad))
			}
			b.ReportAllocs()
			for b.Loop() {
				bare.open(b, sealed, ad)
			}
		})
	}
}

func BenchmarkIndex(b *testing.B) {
	ctx := b.Context()
	fc := fieldcrypt.New(keymgrtest.New(b, "medical"), fieldcrypt.Config{})
	ix := modelOf(b, fc, record{}).Indexes[0]
	value := strings.Repeat("x", 16)
	v := reflect.ValueOf(value)
	b.Run("index", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := fc.Sealer(ctx, fieldcrypt.Row{}).Index(ix, v); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("floor", func(b *testing.B) {
		bare := newFloor(b)
		input := frame.Make(frame.Index, []byte("medical"), nil, []byte("records"), []byte("a_bidx"), append([]byte{2}, value...))
		b.ReportAllocs()
		for b.Loop() {
			bare.index(input)
		}
	})
}

// BenchmarkRow writes a row of three encrypted fields and one index: a row per
// statement, in memory of its own and in one buffer, and many in one statement.
func BenchmarkRow(b *testing.B) {
	ctx := b.Context()
	fc := fieldcrypt.New(keymgrtest.New(b, "medical"), fieldcrypt.Config{})
	m := modelOf(b, fc, record{})
	fields, ix := m.Fields[:3], m.Indexes[0]
	value := strings.Repeat("x", 16)
	v, row := reflect.ValueOf(value), fieldcrypt.Row{}
	b.Run("create", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s := fc.Sealer(ctx, row)
			for _, f := range fields {
				if _, err := s.Seal(f, v); err != nil {
					b.Fatal(err)
				}
			}
			if _, err := s.Index(ix, v); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("append", func(b *testing.B) {
		buf := make([]byte, 0, 1024)
		b.ReportAllocs()
		for b.Loop() {
			appendRow(b, fc.Sealer(ctx, row), buf, fields, ix, v)
		}
	})
	b.Run("next", func(b *testing.B) {
		buf, s := make([]byte, 0, 1024), fc.Sealer(ctx, row)
		b.ReportAllocs()
		for b.Loop() {
			s.Next(row)
			appendRow(b, s, buf, fields, ix, v)
		}
	})
	b.Run("floor", func(b *testing.B) {
		bare := newFloor(b)
		ad := frame.Make(frame.Value, []byte("medical"), nil, []byte("records"), []byte("a"))
		input := frame.Make(frame.Index, []byte("medical"), nil, []byte("records"), []byte("a_bidx"), append([]byte{2}, value...))
		plaintext := append([]byte{2}, value...)
		b.ReportAllocs()
		for b.Loop() {
			bare.seal(b, len(fields), plaintext, ad)
			bare.index(input)
		}
	})
}

func appendRow(b *testing.B, s *fieldcrypt.Sealer, buf []byte, fields []*fieldcrypt.Field, ix *fieldcrypt.BlindIndex, v reflect.Value) {
	var err error
	for _, f := range fields {
		if buf, _, err = s.AppendSeal(buf, f, v); err != nil {
			b.Fatal(err)
		}
	}
	if _, _, err = s.AppendIndex(buf, ix, v); err != nil {
		b.Fatal(err)
	}
}
