package fieldcrypt_test

import (
	"strings"
	"testing"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/internal/frame"
	"github.com/fieldcrypt/go/keymgr"
)

// BenchmarkReseal moves 1,000 rows of four 16-byte values to another key, beside
// its floor: two key derivations, four opens and four seals a row. It verifies
// them too, with an index.
func BenchmarkReseal(b *testing.B) {
	const rows = 1000
	r := newRotating(b)
	value := strings.Repeat("x", 16)
	mt, table := r.table(b, &record{})
	stored := make([]*fieldcrypt.StoredRow, rows)
	for i := range stored {
		stored[i] = r.write(b, mt, &record{value, value, value, value})
	}
	r.rotate(b, keymgr.Scope{Domain: "medical"}, keymgr.Seal)
	b.Run("reseal", func(b *testing.B) {
		out := make([][]byte, 4)
		b.ReportAllocs()
		for b.Loop() {
			batch := table.Batch(b.Context())
			for _, row := range stored {
				if n, err := batch.Reseal(row, out); n != 4 || err != nil {
					b.Fatal(n, err)
				}
			}
		}
	})
	b.Run("verify", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			batch := table.Batch(b.Context())
			for _, row := range stored {
				if f, err := batch.Verify(row); len(f) > 0 || err != nil {
					b.Fatal(f, err)
				}
			}
		}
	})
	b.Run("floor", func(b *testing.B) {
		bare, plaintext := newFloor(b), append([]byte{2}, value...)
		ad := frame.Make(frame.Value, []byte("medical"), nil, []byte("records"), []byte("a"))
		var sealed [][]byte
		for range 4 {
			sealed = append(sealed, bare.record(b).Seal(nil, nil, plaintext, ad))
		}
		b.ReportAllocs()
		for b.Loop() {
			for range rows {
				clear(bare.salt[:]) // that of sealed
				bare.open(b, sealed, ad)
				bare.seal(b, 4, plaintext, ad)
			}
		}
	})
}
