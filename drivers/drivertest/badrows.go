package drivertest

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// badRows: a column that somebody wrote past the driver, of whatever type, is an
// error of its class. No part of it comes back, and no other row is lost.
func (s *suite) badRows() {
	rows := []Values{fullValues(1), fullValues(2)}
	rows[1].Text = "another"
	s.ok(s.InsertMany(s.ctx, &rows))
	t := reflect.TypeFor[Values]()
	for i := range t.NumField() {
		column := t.Field(i).Tag.Get("db")
		if column == "id" {
			continue
		}
		was := s.stored(valueRows, column, 1)
		for how, value := range badForms(was) {
			s.ok(s.Overwrite(s.ctx, valueRows, column, 1, value))
			got := Values{}
			s.fails(fmt.Sprintf("Get of %s %s", column, how), s.Get(s.ctx, &got, 1), refusals...)
			if v := reflect.ValueOf(got).Field(i); !v.IsZero() {
				s.Errorf("%s %s came back", column, how)
			}
		}
		var found []Values
		s.fails("Find of "+column, s.Find(s.ctx, &found, "Text", "x", "another"), refusals...)
		if err := s.Find(s.ctx, &found, "Text", "another"); err != nil || len(found) != 1 {
			s.Errorf("beside a bad %s another row is lost: %v", column, err)
		}
		s.ok(s.Overwrite(s.ctx, valueRows, column, 1, was))
	}
	for id := int64(1); id <= 2; id++ {
		want := fullValues(id)
		want.Text = rows[id-1].Text
		s.same("the row", getOf[Values](s, s.ctx, id), want)
	}
	// An index that was overwritten loses the row for its searches alone.
	for _, index := range [][]byte{nil, {}, []byte("x"), s.stored(valueRows, "v_text_bidx", 1)[:19], s.stored(valueRows, "v_text", 1)} {
		s.ok(s.Overwrite(s.ctx, valueRows, "v_text_bidx", 1, index))
		s.same("the row of a bad index", getOf[Values](s, s.ctx, 1), fullValues(1))
		if ids := foundOf[Values](s, s.ctx, "Text", "x", "another"); !slices.Equal(ids, []int64{2}) {
			s.Errorf("beside a bad index %v is found", ids)
		}
	}
	s.badLengths()
}

// badForms are what may stand in the place of a stored value.
func badForms(was []byte) map[string][]byte {
	with := func(at int, b byte) []byte {
		out := bytes.Clone(was)
		out[at] = b
		return out
	}
	body := was[saltAt:]
	return map[string][]byte{
		"as plaintext":                     []byte("x"),
		"as long plaintext":                bytes.Repeat([]byte("plaintext "), 10),
		"as typed plaintext":               append([]byte{2}, "typed plaintext, as long as a value"...),
		"with nothing in it":               {},
		"with a header only":               {0xFC, 1},
		"with a header and plaintext":      append([]byte{0xFC, 1}, bytes.Repeat([]byte("x"), 60)...),
		"of version 0":                     with(1, 0),
		"of version 2":                     with(1, 2),
		"of another magic":                 with(0, 0xFD),
		"without the Tink prefix":          append([]byte{0xFC, 1}, body...),
		"with Tink's legacy prefix":        with(2, 0),
		"with a salt too few":              append(bytes.Clone(was[:saltAt]), was[ivAt:]...), // as AES-256-GCM has it
		"with a salt too many":             append(bytes.Clone(was[:ivAt]), was[saltAt:]...), // as XChaCha20 has more
		"of an index's key":                append([]byte{0xFC, 1, 1, 0, 0, 0, 0}, body...),
		"as hex":                           fmt.Appendf(nil, `\x%x`, was),
		"cut in half":                      was[:len(was)/2],
		"without its last byte":            was[:len(was)-1],
		"without its first byte":           was[1:],
		"with another after it":            append(bytes.Clone(was), was...),
		"with one byte of plaintext added": append(bytes.Clone(was), 'x'),
	}
}

// badLengths: a value that is long, padded or by pointer, cut at each length.
func (s *suite) badLengths() {
	s.insertPeople(1, 2)
	for _, column := range []string{"notes", "card"} {
		was := s.stored(people, column, 1)
		for n := range was {
			s.ok(s.Overwrite(s.ctx, people, column, 1, was[:n]))
			var p Person
			s.fails(fmt.Sprintf("Get of %s cut at %d bytes", column, n), s.Get(s.ctx, &p, 1), fieldcrypt.ErrNotSealed, fieldcrypt.ErrAuthentication)
			if p.Notes != nil && column == "notes" || p.Card != "" && column == "card" {
				s.Errorf("%s cut at %d bytes came back", column, n)
			}
		}
		s.ok(s.Overwrite(s.ctx, people, column, 1, was))
	}
	s.same("the row, put back", s.getPerson(1), person(1))
	s.same("the other row", s.getPerson(2), person(2))
}
