package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/fieldcrypt/go/internal/pgtest"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
)

// service is a service with a KMS key that a test can break.
type service struct {
	t    *testing.T
	cfg  config
	db   *database
	kek  *keymgrtest.KEK
	keys *keymgr.Manager
	log  *screen
	url  string
}

// onEach runs a test on both databases.
func onEach(t *testing.T, test func(s *service), flags ...string) {
	t.Run("SQLite", func(t *testing.T) { test(start(t, "", flags...)) })
	t.Run("Postgres", func(t *testing.T) { test(start(t, pgtest.DB(t), flags...)) })
}

// start starts a service on an empty database: a Postgres by its URL, or else
// SQLite. At the end of the test it looks for plaintext in the database and the log.
func start(t *testing.T, database string, flags ...string) *service {
	t.Helper()
	args := append([]string{"-log", "debug", "-data", t.TempDir(), "-database", database}, flags...)
	cfg, err := parseConfig(args, noEnvironment)
	if err != nil {
		t.Fatal(err)
	}
	s := &service{t: t, cfg: cfg, log: &screen{}, kek: keymgrtest.NewKEK(t.Name())}
	log := newLogger(s.log, cfg.logLevel)
	if s.db, err = openDatabase(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.db.sql.Close() })
	k := keks{byDomain: map[string]keymgr.KEK{"medical": s.kek, "finance": s.kek}, development: true}
	if s.keys, err = openKeys(t.Context(), s.db, k, log); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.keys.Close() })
	h, err := newHandler(t.Context(), cfg, s.db, s.keys, log)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	s.url = srv.URL
	t.Cleanup(func() {
		srv.Close()
		checkNoPlaintext(t, "the log", []byte(s.log.String()))
	})
	return s
}

func noEnvironment(string) string { return "" }

// evict makes the next request open the keys anew, as it is after CacheTTL.
func (s *service) evict() {
	for _, domain := range []string{"medical", "finance"} {
		s.keys.Evict(keymgr.Scope{Domain: domain})
	}
}

// exec changes the database behind the service's back.
func (s *service) exec(sql string) {
	s.t.Helper()
	done, err := s.db.sql.ExecContext(s.t.Context(), sql)
	if err != nil {
		s.t.Fatal(err)
	}
	if n, err := done.RowsAffected(); n == 0 || err != nil {
		s.t.Fatalf("%d rows changed, %v", n, err)
	}
}

// response is what came back.
type response struct {
	status int
	header http.Header
	body   string
}

// do sends a request, with JSON unless the body is empty.
func (s *service) do(method, path, body string) response {
	s.t.Helper()
	r, err := send(s.t.Context(), method, s.url+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

func send(ctx context.Context, method, url, body string) (response, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return response{}, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return response{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return response{resp.StatusCode, resp.Header, string(text)}, err
}

// want sends a request and fails the test unless it is answered by a status.
func (s *service) want(status int, method, path, body string) response {
	s.t.Helper()
	r := s.do(method, path, body)
	if r.status != status {
		s.t.Fatalf("%s %s: status %d, want %d: %s", method, path, r.status, status, r.body)
	}
	return r
}

// decode reads a body.
func decode[T any](t *testing.T, body string) (v T) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return v
}

// numbered is the n-th patient, as JSON.
func numbered(n int) string {
	return fmt.Sprintf(`{"name":"Zephyrine Quillfeather","mrn":"CANARY-%d","card":"4000 0566 5566 5556","birth_date":"1987-05-03","notes":"Quicksilver, nightly."}`, n)
}

// create makes the n-th patient.
func (s *service) create(n int) patientView {
	s.t.Helper()
	return decode[patientView](s.t, s.want(http.StatusCreated, "POST", "/patients", numbered(n)).body)
}

// mrns are those of the patients in an answer of GET /patients.
func mrns(t *testing.T, body string) (list []string) {
	t.Helper()
	for _, p := range decode[page](t, body).Patients {
		list = append(list, p.MRN)
	}
	return list
}

// screen is what was written so far.
type screen struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

// logged are the lines of the log with a message.
func logged(t *testing.T, log, msg string) (lines []map[string]any) {
	t.Helper()
	for line := range strings.Lines(log) {
		var l map[string]any
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("the log is no JSON: %v: %s", err, line)
		}
		if l[slog.MessageKey] == msg {
			lines = append(lines, l)
		}
	}
	return lines
}
