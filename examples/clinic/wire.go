package main

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"time"
)

// patientView is a patient as the API shows it.
type patientView struct {
	ID        uint64    `json:"id"`
	Name      string    `json:"name"`
	MRN       string    `json:"mrn"`
	Card      *string   `json:"card"`
	BirthDate string    `json:"birth_date"`
	Notes     *string   `json:"notes"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

func view(p Patient) patientView {
	return patientView{
		ID: p.ID, Name: p.Name, MRN: p.MRN, Card: p.Card, BirthDate: p.BirthDate.Format(time.DateOnly),
		Notes: p.Notes, CreatedAt: p.CreatedAt.UTC(), UpdatedAt: p.UpdatedAt.UTC(),
	}
}

// patientInput is a patient as a client sends it: whole in a POST, what is to
// change in a PATCH.
type patientInput struct {
	Name      optional `json:"name"`
	MRN       optional `json:"mrn"`
	Card      optional `json:"card"`
	BirthDate optional `json:"birth_date"`
	Notes     optional `json:"notes"`
	OldMRN    optional `json:"old_mrn"` // in a PATCH: change the patient only if this is its MRN
}

// LogValue keeps input out of logs.
func (patientInput) LogValue() slog.Value { return slog.StringValue("[patient]") }

// optional tells a member that is missing from one that is null.
type optional struct {
	set   bool
	value *string // nil: null
}

// UnmarshalJSON implements json.Unmarshaler.
func (o *optional) UnmarshalJSON(text []byte) error {
	o.set = true
	return json.Unmarshal(text, &o.value)
}

// badRequest is an error of the client's. Its text goes back to it and into the
// log, so it names what is wrong, and holds no value.
type badRequest struct {
	status int
	text   string
}

func (e badRequest) Error() string { return e.text }

func invalid(text string) error { return badRequest{http.StatusBadRequest, text} }

// readInput reads a body of JSON. The decoder's errors quote what they were
// given, so they go nowhere.
func readInput(r *http.Request) (in patientInput, err error) {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return in, badRequest{http.StatusUnsupportedMediaType, "the Content-Type must be application/json"}
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err = d.Decode(&in); err == nil {
		if _, err = d.Token(); errors.Is(err, io.EOF) {
			return in, nil
		}
	}
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return in, badRequest{http.StatusRequestEntityTooLarge, "the body is too large"}
	}
	return in, invalid("the body is no JSON object with the members name, mrn, card, birth_date, notes, each a text or null")
}
