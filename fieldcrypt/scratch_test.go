package fieldcrypt

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"reflect"
	"testing"
)

func TestSizeIsWhatAppendAppends(t *testing.T) {
	exact := 0
	for _, tc := range plaintextForms {
		c := planOf(t, tc.value)
		base, _ := c.unwrap(reflect.ValueOf(tc.value))
		want, _ := hex.DecodeString(tc.want)
		n := c.size(base)
		if n == 0 {
			continue // only append can say
		}
		exact++
		if n != len(want) {
			t.Errorf("%s: size %d, want %d", tc.name, n, len(want))
		}
		for p := 2; p < 40; p++ {
			if got := len(pad(bytes.Clone(want), 0, p)); padded(n, p) != got {
				t.Errorf("%s: padded to %d is %d bytes long, want %d", tc.name, p, padded(n, p), got)
			}
		}
	}
	if exact < 25 {
		t.Errorf("the size of only %d forms is known", exact)
	}
}

func TestScratchIsWiped(t *testing.T) {
	for _, whole := range []bool{false, true} {
		s := getScratch()
		memory := s.b[:cap(s.b)]
		for i := range memory {
			memory[i] = 0xAA
		}
		s.b, s.whole = memory[:100], whole
		used := len(s.b)
		if whole {
			used = len(memory)
		}
		s.free()
		if !bytes.Equal(memory[:used], make([]byte, used)) {
			t.Errorf("whole %v: it is not wiped", whole)
		}
		clear(memory)
	}
}

// decrypt wipes only what is before the end of a plaintext that opened.
func TestGCMWritesNothingBehindThePlaintext(t *testing.T) {
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 300 {
		sealed := aead.Seal(nil, nil, bytes.Repeat([]byte{1}, n), nil)
		memory := bytes.Repeat([]byte{0xAA}, 600)
		out, err := aead.Open(memory[:50], nil, sealed, nil)
		if err != nil || len(out) != 50+n {
			t.Fatal(len(out), err)
		}
		if rest := memory[50+n:]; !bytes.Equal(rest, bytes.Repeat([]byte{0xAA}, len(rest))) {
			t.Fatalf("a plaintext of %d bytes: bytes behind it were written", n)
		}
	}
}

// What was opened, sealed and indexed is in no buffer that is used again.
func TestPooledBuffersHoldNoPlaintext(t *testing.T) {
	fc := vectorCrypter(t)
	f := &Field{Model: &Model{Name: "m"}, Path: "F", Domain: "medical", Table: "t", Name: "c"}
	secret := "an easily recognized secret"
	f.Type, f.codec = reflect.TypeFor[string](), planOf(t, secret)
	ix := &BlindIndex{Name: "i", Table: "t", Domain: "medical", Bits: MaxIndexBits, Fields: []*Field{f}, parts: []indexPart{{field: f}}}
	f.fix(fc)
	v := reflect.ValueOf(secret)
	for _, changed := range []bool{false, true} {
		s := fc.Sealer(t.Context(), Row{})
		stored, err := s.Seal(f, v)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Index(ix, v); err != nil {
			t.Fatal(err)
		}
		if changed {
			stored[len(stored)-1] ^= 1
		}
		if err := fc.Open(t.Context(), f, stored, reflect.ValueOf(new(string)).Elem(), Row{}); (err != nil) != changed {
			t.Fatal(err)
		}
		for range 100 {
			b := scratches.Get().(*scratch).b
			if b = b[:cap(b)]; !bytes.Equal(b, make([]byte, len(b))) {
				t.Fatalf("a buffer of the pool holds %q", b)
			}
		}
	}
}
