package main

import (
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	maxName  = 200   // characters
	maxNotes = 10000 // characters
)

var (
	mrnPattern  = regexp.MustCompile(`^[A-Za-z0-9-]{1,32}$`)
	cardPattern = regexp.MustCompile(`^[0-9]([ -]?[0-9]){11,18}$`)
)

// patient makes a new patient, or says what is wrong with the input.
func (in patientInput) patient() (p Patient, err error) {
	if in.OldMRN.set {
		return p, invalid("old_mrn is for changes")
	}
	switch {
	case !in.Name.set:
		return p, invalid("name is missing")
	case !in.MRN.set:
		return p, invalid("mrn is missing")
	case !in.BirthDate.set:
		return p, invalid("birth_date is missing")
	}
	changes, err := in.changes()
	if err != nil {
		return p, err
	}
	p.Name, p.MRN, p.BirthDate = changes["name"].(string), changes["mrn"].(string), changes["birth_date"].(time.Time)
	p.Card, p.Notes = in.Card.value, in.Notes.value
	return p, nil
}

// changes are the columns that the input sets, or what is wrong with it.
func (in patientInput) changes() (map[string]any, error) {
	changes := map[string]any{}
	var born time.Time
	for _, c := range []struct {
		column   string
		in       optional
		nullable bool
		valid    func(string) bool
		rule     string
	}{
		{"name", in.Name, false, validName, "must be a text of 1 to 200 characters on one line"},
		{"mrn", in.MRN, false, mrnPattern.MatchString, "must be 1 to 32 letters, digits and hyphens"},
		{"card", in.Card, true, cardPattern.MatchString, "must be 12 to 19 digits, with spaces or hyphens between them, or null"},
		{"birth_date", in.BirthDate, false, func(s string) (ok bool) { born, ok = parseDate(s); return ok }, "must be a date such as 1990-12-31, not in the future"},
		{"notes", in.Notes, true, validNotes, "must be a text of at most 10000 characters, or null"},
		{"old_mrn", in.OldMRN, false, mrnPattern.MatchString, "must be 1 to 32 letters, digits and hyphens"},
	} {
		switch {
		case !c.in.set:
		case c.in.value == nil && c.nullable:
			changes[c.column] = nil
		case c.in.value == nil || !c.valid(*c.in.value):
			return nil, invalid(c.column + " " + c.rule)
		case c.column == "birth_date":
			changes[c.column] = born
		case c.column != "old_mrn":
			changes[c.column] = *c.in.value
		}
	}
	return changes, nil
}

func validName(s string) bool {
	return strings.TrimSpace(s) != "" && utf8.RuneCountInString(s) <= maxName && !strings.ContainsFunc(s, unicode.IsControl)
}

func validNotes(s string) bool { return utf8.RuneCountInString(s) <= maxNotes }

// parseDate reports a failure without the error, which would quote the date.
func parseDate(s string) (time.Time, bool) {
	t, err := time.Parse(time.DateOnly, s)
	return t, err == nil && !t.After(time.Now())
}
