package main

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"time"

	"golang.org/x/text/unicode/norm"
)

// null is how the CSV says NULL, as COPY of Postgres does. An empty field is an
// empty string.
const null = `\N`

var header = []string{"mrn", "name", "national_id", "card", "birth_date", "notes"}

// soleHolder is the row of the one patient who has soleCard, so that a search
// for it has one answer.
const (
	soleHolder = 776
	soleCard   = "6011 0009 9013 9424"
)

// generate makes n patients as CSV.
func generate(seed uint64, n int) ([]byte, error) {
	r := newRandom(seed)
	ids := nationalIDs{taken: map[string]bool{}}
	var buf bytes.Buffer
	w := csv.NewWriter(&buf)
	if err := w.Write(header); err != nil {
		return nil, err
	}
	for i := range n {
		from := one(r, locales)
		if err := w.Write([]string{
			fmt.Sprintf("MRN-%d", 100001+i),
			name(r, from),
			ids.next(r, from),
			card(r, i),
			birthDate(r),
			notes(r, from),
		}); err != nil {
			return nil, err
		}
	}
	w.Flush()
	return buf.Bytes(), w.Error()
}

// name is in normalization form C, or, one time in eight, in form D as some
// keyboards and file systems make it.
func name(r random, from locale) string {
	n := from.name(one(r, from.given), one(r, from.family))
	if r.percent(12) {
		return norm.NFD.String(n) // stable: Unicode never changes a decomposition
	}
	return norm.NFC.String(n)
}

func birthDate(r random) string {
	first := time.Date(1925, time.January, 1, 0, 0, 0, 0, time.UTC)
	return first.AddDate(0, 0, r.below(101*365)).Format(time.DateOnly)
}
