package drivertest

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// Canary is text that no honest output holds. [FindCanary] finds it in whatever
// form it left the process.
const Canary = `Canäry'"\Zebra 7391-7391`

// canaryForms are ways to write a value down.
func canaryForms(canary string) map[string][]byte {
	b := []byte(canary)
	quoted := strconv.Quote(canary)
	ascii := strconv.QuoteToASCII(canary)
	return map[string][]byte{
		"plain":            b,
		"hex":              []byte(hex.EncodeToString(b)),
		"upper-case hex":   []byte(strings.ToUpper(hex.EncodeToString(b))),
		"quoted":           []byte(quoted[1 : len(quoted)-1]),
		"quoted to ASCII":  []byte(ascii[1 : len(ascii)-1]),
		"SQL literal":      []byte(strings.ReplaceAll(canary, "'", "''")),
		"SQL identifier":   []byte(strings.ReplaceAll(canary, `"`, `""`)),
		"URL":              []byte(url.QueryEscape(canary)),
		"bytes in decimal": []byte(strings.Trim(fmt.Sprint(b), "[]")),
		"a part of it":     []byte("Zebra"),
		"its digits":       []byte("7391-7391"),
		"digits alone":     []byte("73917391"),
	}
}

// FindCanary says in what form data holds the canary, or "".
func FindCanary(data []byte) string {
	for form, b := range canaryForms(Canary) {
		if bytes.Contains(data, b) {
			return form
		}
	}
	for shift := range 3 { // base64 at every alignment
		b := append(make([]byte, shift), Canary...)
		for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			s := enc.EncodeToString(b)
			if s = s[4 : len(s)-4]; bytes.Contains(data, []byte(s)) {
				return "base64"
			}
		}
	}
	return ""
}

// leaks: after every operation, and every one that fails, the canary is in the
// caller's structs alone.
func (s *suite) leaks() {
	var said bytes.Buffer
	note := func(err error) {
		fmt.Fprintf(&said, "%v\n%+v\n%#v\n", err, err, err)
	}
	sample := func(id int64) Person {
		return Person{ID: id, Ward: "A", Name: Canary, MRN: fmt.Sprint(Canary, id), Card: "7391 7391", Notes: ptr(Canary)}
	}
	p := sample(1)
	note(s.Insert(s.ctx, &p))
	rows := []Person{sample(2), sample(3)}
	note(s.InsertMany(s.ctx, &rows))
	note(s.Update(s.ctx, &p, "Name", "MRN", "Card", "Notes"))
	note(s.Insert(s.ctx, &p)) // a duplicate
	var found []Person
	note(s.Find(s.ctx, &found, "Name", Canary, Canary+"x"))
	if len(found) != 3 {
		s.Errorf("Find: %d rows, want 3", len(found))
	}
	note(s.Find(s.ctx, &found, "Notes", Canary))
	note(s.Find(s.ctx, &found, "MRN", []string{Canary}, map[string]string{Canary: Canary}))
	var values []Values
	note(s.Find(s.ctx, &values, "Int", Canary))
	note(s.Find(s.ctx, &values, "Addr", Canary))
	_, err := s.Count(s.ctx, &Person{}, "MRN", p.MRN)
	note(err)
	note(s.Insert(s.ctx, &Values{ID: 1, Text: Canary + "\xff", Raw: []byte(Canary)}))
	note(s.Insert(s.ctx, &Values{ID: 2, Any: map[string]any{Canary: func() {}}}))

	was := s.stored(people, "mrn", 1)
	s.ok(s.Overwrite(s.ctx, people, "mrn", 1, was[:len(was)-1]))
	note(s.Get(s.ctx, &p, 1))
	s.ok(s.Overwrite(s.ctx, people, "mrn", 1, was))
	for _, kek := range s.kms {
		kek.Deny()
	}
	s.cold()
	p = sample(9)
	note(s.Insert(s.ctx, &p))
	note(s.Update(s.ctx, &p, "Name", "MRN", "Card"))
	note(s.Find(s.ctx, &found, "Name", Canary))
	note(s.Get(s.ctx, &p, 1))
	s.same("the caller's row", p, sample(9))
	for _, kek := range s.kms {
		kek.Recover()
	}
	_, err = s.Delete(s.ctx, &Person{}, "MRN", fmt.Sprint(Canary, 3))
	note(err)

	dump, err := s.Dump(s.ctx)
	s.ok(err)
	for what, data := range map[string][]byte{"errors": said.Bytes(), "log": []byte(s.Log()), "database": dump} {
		if form := FindCanary(data); form != "" {
			s.Errorf("the canary is in the %s: %s", what, form)
		}
		if len(data) == 0 {
			s.Errorf("there are no %s to look at", what)
		}
	}
}
