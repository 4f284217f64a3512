package main

import (
	"bytes"
	"index/suffixarray"
	"slices"
	"strings"
	"testing"
	"time"
)

// shortest is the length in bytes from which a text is looked for. Ciphertext
// is random: in some megabytes of it, shorter texts turn up by chance.
const shortest = 6

// secrets returns every text of the CSV that the database must not show.
func secrets(t *testing.T) []string {
	t.Helper()
	patients, err := readPatients()
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	add := func(texts ...string) {
		for _, text := range texts {
			if len(text) >= shortest {
				found = append(found, text)
			}
		}
	}
	for _, p := range patients {
		add(p.Name, p.MRN, p.Card, p.BirthDate.Format(time.DateOnly))
		add(strings.Fields(p.Name)...)
		add(strings.Map(func(r rune) rune { // the card without what stands between the digits
			if '0' <= r && r <= '9' {
				return r
			}
			return -1
		}, p.Card))
		if p.NationalID != nil {
			add(*p.NationalID)
		}
		if p.Notes != nil {
			add(strings.Split(*p.Notes, "\n")...)
		}
	}
	return found
}

// checkOnlyCiphertext looks for all secrets in what a database holds.
func checkOnlyCiphertext(t *testing.T, data []byte) {
	t.Helper()
	// Is it the right data? Four columns are never NULL.
	if n := bytes.Count(data, []byte{0xFC, 0x01, 0x01}); n < 4*1000 {
		t.Errorf("%d sealed values in what the database holds, want at least 4000", n)
	}
	for _, table := range []string{"patients", "fieldcrypt_keysets"} {
		if !bytes.Contains(data, []byte(table)) {
			t.Errorf("table %s is not in what the database holds", table)
		}
	}
	for _, s := range leaks(t, data) {
		t.Errorf("plaintext in the database: %q", s)
	}
}

// leaks returns the secrets that are in data.
func leaks(t *testing.T, data []byte) (found []string) {
	t.Helper()
	index := suffixarray.New(data)
	for _, s := range secrets(t) {
		if index.Lookup([]byte(s), 1) != nil {
			found = append(found, s)
		}
	}
	return found
}

func TestPlaintextIsFoundWhereThereIsSome(t *testing.T) {
	data := "\xfc\x01 MRN-100042 6011000990139424 she said: Allergic to penicillin. 伟 김서연"
	for _, want := range []string{"MRN-100042", "6011000990139424", "Allergic to penicillin.", "김서연"} {
		if !slices.Contains(leaks(t, []byte(data)), want) {
			t.Errorf("%q was not found", want)
		}
	}
}

// checkNoValues looks for all secrets in an error.
func checkNoValues(t *testing.T, text string) {
	t.Helper()
	for _, s := range secrets(t) {
		if strings.Contains(text, s) {
			t.Errorf("the error holds the value %q: %s", s, text)
		}
	}
}
