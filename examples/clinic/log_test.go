package main

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// secretPatient has a secret in every field.
func secretPatient() Patient {
	card, notes := "4000 0566 5566 5556", "Quicksilver, nightly."
	return Patient{
		ID: 42, Name: "Zephyrine Quillfeather", MRN: "CANARY-42", Card: &card, Notes: &notes,
		BirthDate: time.Date(1987, 5, 3, 0, 0, 0, 0, time.UTC),
	}
}

func TestPatientsAreLoggedAsNumbers(t *testing.T) {
	p := secretPatient()
	var buf bytes.Buffer
	log := newLogger(&buf, slog.LevelDebug)
	log.Info("patient", "patient", p)
	if lines := logged(t, buf.String(), "patient"); len(lines) != 1 || fmt.Sprint(lines[0]["patient"]) != "map[id:42]" {
		t.Errorf("logged %s", buf.String())
	}
	buf.Reset()
	for name, v := range map[string]any{
		"value":     p,
		"pointer":   &p,
		"slice":     []Patient{p},
		"pointers":  []*Patient{&p},
		"map":       map[string]Patient{"x": p},
		"struct":    struct{ Patient Patient }{p},
		"embedding": struct{ Patient }{p},
		"error":     fmt.Errorf("patient %v: %+v: %#v: %w", p, &p, p, errors.New("x")),
		"input": patientInput{
			Name: optional{set: true, value: &p.Name}, MRN: optional{true, &p.MRN}, Notes: optional{true, p.Notes},
		},
	} {
		before := buf.Len()
		log.Info("patient", slog.Any(name, v))
		slog.New(slog.NewTextHandler(&buf, nil)).Info("patient", slog.Any(name, v))
		for _, verb := range []string{"%v", "%+v", "%s", "%q", "%x", "%d"} {
			if name != "input" && name != "error" { // input is never formatted
				fmt.Fprintf(&buf, verb, v)
			}
		}
		checkNoPlaintext(t, name, buf.Bytes()[before:])
	}
}

// What the tests above look for is there to be found.
func TestViewsHoldEverySecret(t *testing.T) {
	w := httptest.NewRecorder()
	if err := writeJSON(w, http.StatusOK, view(secretPatient())); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Zephyrine Quillfeather", "CANARY-42", "0566 5566", "1987-05-03", "Quicksilver"} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("%q is not in %s", want, w.Body)
		}
	}
}

func TestRequestLog(t *testing.T) {
	onEach(t, func(s *service) {
		p := s.create(1)
		failed := s.want(http.StatusNotFound, "GET", "/patients/4711?CANARY", "")
		s.want(http.StatusOK, "GET", "/patients?mrn=CANARY-1", "")
		s.want(http.StatusMethodNotAllowed, "CANARY", location(p), "")
		log := s.log.String()
		lines := logged(s.t, log, "request")
		var got []string
		for _, l := range lines {
			got = append(got, fmt.Sprintf("%v|%v|%v", l["method"], l["route"], l["status"]))
		}
		want := "POST|POST /patients|201 GET|GET /patients/{id}|404 GET|GET /patients|200 other||405"
		if strings.Join(got, " ") != want {
			s.t.Errorf("logged %s, want %s", strings.Join(got, " "), want)
		}
		// The lines of a request can be found by the id that its client got.
		id := failed.header.Get("X-Request-Id")
		if why := logged(s.t, log, "request failed"); len(why) != 1 || why[0]["request"] != id || lines[1]["request"] != id || id == "" {
			s.t.Errorf("request %q: logged %v and %v", id, why, lines[1])
		}
	})
}

func TestPanicIsAnsweredAndLoggedWithoutItsText(t *testing.T) {
	var buf bytes.Buffer
	s := &server{log: newLogger(&buf, slog.LevelDebug), timeout: time.Minute}
	for _, value := range []any{"CANARY", errors.New("CANARY"), secretPatient()} {
		buf.Reset()
		w := httptest.NewRecorder()
		s.around(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(value) })).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		if want := `{"error":"internal error"}` + "\n"; w.Code != http.StatusInternalServerError || w.Body.String() != want {
			t.Errorf("%T: status %d, %s", value, w.Code, w.Body)
		}
		checkNoPlaintext(t, "the log", buf.Bytes())
		lines := logged(t, buf.String(), "panic")
		if len(lines) != 1 || lines[0]["type"] != fmt.Sprintf("%T", value) || !strings.Contains(fmt.Sprint(lines[0]["stack"]), "TestPanic") {
			t.Errorf("logged %s", buf.String())
		}
	}
}

func TestLogKeepsTheIDOfTheRequestInGroups(t *testing.T) {
	var buf bytes.Buffer
	log := newLogger(&buf, slog.LevelInfo).With("a", 1)
	s := &server{log: log, timeout: time.Minute}
	w := httptest.NewRecorder()
	s.around(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		log.WithGroup("g").InfoContext(r.Context(), "grouped", "b", 2)
	})).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	lines := logged(t, buf.String(), "grouped")
	if want := "map[b:2 request:" + w.Header().Get("X-Request-Id") + "]"; len(lines) != 1 || fmt.Sprint(lines[0]["g"]) != want {
		t.Errorf("logged %s, want %s", buf.String(), want)
	}
}
