package unicode15

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"hash"
	"math/rand/v2"
	"testing"
)

// The hashes below stand for stored indexes. Do not change them: a difference
// means that rows written before would no longer be found.
func TestResultsAreFrozen(t *testing.T) {
	every := sha256.New()
	for r := rune(0); r <= 0x10FFFF; r++ {
		if 0xD800 <= r && r <= 0xDFFF {
			continue
		}
		writeResults(every, string(r))
		digit, ok := DigitValue(r)
		every.Write([]byte{byte(digit), bit(ok), bit(IsSpace(r)), bit(IsAlnum(r))})
	}
	sequences := sha256.New()
	texts := randomTexts{pcg: rand.NewPCG(1, 15), alpha: frozenAlphabet()}
	for range 100_000 {
		writeResults(sequences, texts.next(16))
	}
	for _, tc := range []struct{ name, got, want string }{
		{"every code point", fmt.Sprintf("%x", every.Sum(nil)), "703835914c677c20a8c2b1d076c23d1ab6b56fe23879cdecf1c202a79ba8eb5c"},
		{"100,000 texts", fmt.Sprintf("%x", sequences.Sum(nil)), "d3e7732d28b3775618b8b5f41f7c3056d9438692092b60bdd3ab94e0a7fd2218"},
	} {
		if tc.got != tc.want {
			t.Errorf("%s: the hash of the results is %s, was frozen as %s", tc.name, tc.got, tc.want)
		}
	}
}

// writeResults hashes what each function makes of s, each behind its length.
func writeResults(h hash.Hash, s string) {
	nfc := NFC([]byte(s))
	for _, out := range [][]byte{nfc, Lower([]byte(s)), Upper([]byte(s)), NFC(CaseFold(bytes.Clone(nfc)))} {
		h.Write([]byte{byte(len(out))})
		h.Write(out)
	}
}

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// frozenAlphabet does not depend on the tables: the blocks that hold most of
// what composes or has case.
func frozenAlphabet() (alpha []rune) {
	for _, block := range [][2]rune{
		{0x41, 0x5A}, {0x61, 0x7A}, {0xC0, 0x24F}, {0x300, 0x36F}, {0x300, 0x36F}, {0x386, 0x3FF}, {0x400, 0x45F},
		{0x5B0, 0x5C7}, {0x915, 0x95F}, {0x9BC, 0x9DF}, {0xB3C, 0xB5F}, {0xBBE, 0xBD7}, {0x1100, 0x1112},
		{0x1161, 0x1175}, {0x11A7, 0x11C2}, {0x13A0, 0x13FD}, {0x1E00, 0x1FFF}, {0x3041, 0x30FF}, {0xAB70, 0xAB7F},
		{0xAC00, 0xAC1F}, {0xFB00, 0xFB4F}, {0x10400, 0x1044F}, {0x11127, 0x11134}, {0x1D157, 0x1D172},
	} {
		for r := block[0]; r <= block[1]; r++ {
			alpha = append(alpha, r)
		}
	}
	return alpha
}
