package main

import (
	"bytes"
	"encoding/csv"
	"os"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

func TestGeneratorReproducesTheCommittedFile(t *testing.T) {
	want, err := os.ReadFile("../testdata/patients.csv")
	if err != nil {
		t.Fatal(err)
	}
	got, err := generate(defaultSeed, defaultCount)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("testdata/patients.csv is not what gendata makes; if that is meant: go generate ./examples/quickstart")
	}
}

func TestAnotherSeedMakesOtherPatients(t *testing.T) {
	a, _ := generate(1, 10)
	b, _ := generate(2, 10)
	if bytes.Equal(a, b) {
		t.Error("two seeds made the same file")
	}
}

func TestEveryTestCardIsAPlausibleNumber(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range append(testCards, strings.ReplaceAll(soleCard, " ", "")) {
		if last := len(c) - 1; luhn(c[:last]) != int(c[last]-'0') {
			t.Errorf("%s: wrong check digit, so it is not what a processor publishes", c)
		}
		if seen[c] {
			t.Errorf("%s is listed twice", c)
		}
		seen[c] = true
	}
}

func TestWrongCheckDigitIsAlwaysWrong(t *testing.T) {
	r := newRandom(1)
	for range 1000 {
		id := fill(r, "########!")
		if luhn(id[:8]) == int(id[8]-'0') {
			t.Fatalf("%s has a valid check digit", id)
		}
	}
}

// The file is worth testing with only while it has all of this in it.
func TestPatientsAreVaried(t *testing.T) {
	data, err := generate(defaultSeed, defaultCount)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if got := len(rows) - 1; got != defaultCount {
		t.Fatalf("%d patients, want %d", got, defaultCount)
	}
	if !utf8.Valid(data) {
		t.Error("not UTF-8")
	}
	if bytes.Contains(data, []byte("\r")) {
		t.Error("has a carriage return, which CSV readers drop")
	}

	scripts := map[string]bool{}
	count := map[string]int{}
	mrns, ids := map[string]bool{}, map[string]bool{}
	for _, row := range rows[1:] {
		mrn, name, id, card, note := row[0], row[1], row[2], row[3], row[5]
		if mrns[mrn] {
			t.Errorf("%s is not unique", mrn)
		}
		mrns[mrn] = true
		if id != null && ids[id] {
			t.Errorf("%s: its national ID is not unique", mrn)
		}
		ids[id] = true
		for _, letter := range name {
			for script, table := range unicode.Scripts {
				if unicode.Is(table, letter) {
					scripts[script] = true
				}
			}
		}
		tally := func(kind string, is bool) {
			if is {
				count[kind]++
			}
		}
		tally("name that is not in NFC", !norm.NFC.IsNormalString(name))
		tally("name that is not in NFD", !norm.NFD.IsNormalString(name))
		tally("national ID that is NULL", id == null)
		tally("card that is empty", card == "")
		tally("card typed with spaces", strings.Contains(card, " "))
		tally("card typed with dashes", strings.Contains(card, "-"))
		tally("card typed without either", len(card) >= 13 && strings.Trim(card, "0123456789") == "")
		tally("card in other digits", strings.ContainsAny(card, "０１２٠١٢"))
		tally("card of the one who is searched for", card == soleCard)
		tally("note that is NULL", note == null)
		tally("note that is empty", note == "")
		tally("note of several lines", strings.Contains(note, "\n"))
		tally("note with quotes", strings.Contains(note, `"`))
		tally("note with a comma", strings.Contains(note, ","))
		tally("note from right to left", strings.ContainsFunc(note, func(r rune) bool { return unicode.In(r, unicode.Hebrew, unicode.Arabic) }))
		tally("note with emoji", strings.Contains(note, "👩"))
		tally("note longer than 1,000 bytes", len(note) > 1000)
	}
	for _, script := range []string{"Latin", "Cyrillic", "Greek", "Armenian", "Georgian", "Arabic", "Hebrew", "Ethiopic",
		"Devanagari", "Bengali", "Tamil", "Thai", "Khmer", "Han", "Hiragana", "Katakana", "Hangul"} {
		if !scripts[script] {
			t.Errorf("no name in %s script", script)
		}
	}
	for kind, want := range map[string]int{
		"name that is not in NFC": 20, "name that is not in NFD": 200,
		"national ID that is NULL": 10, "card that is empty": 10, "card typed with spaces": 100,
		"card typed with dashes": 50, "card typed without either": 100, "card in other digits": 10,
		"card of the one who is searched for": 1,
		"note that is NULL":                   50, "note that is empty": 50, "note of several lines": 100, "note with quotes": 20,
		"note with a comma": 50, "note from right to left": 20, "note with emoji": 5, "note longer than 1,000 bytes": 5,
	} {
		if count[kind] < want {
			t.Errorf("%d patients with a %s, want at least %d", count[kind], kind, want)
		}
	}
	if count["card of the one who is searched for"] != 1 {
		t.Error("more than one patient has the card that is searched for")
	}
}
