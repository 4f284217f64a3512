package main

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/internal/pgtest"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
)

// everyRequest are requests that need keys, on the first patient.
func everyRequest() map[[2]string]string {
	return map[[2]string]string{
		{"POST", "/patients"}:             numbered(2),
		{"GET", "/patients/1"}:            "",
		{"GET", "/patients"}:              "",
		{"GET", "/patients?mrn=CANARY-1"}: "",
		{"PATCH", "/patients/1"}:          `{"name":"Quillfeather"}`,
		{"GET", "/healthz"}:               "",
	}
}

func TestWithoutKeys(t *testing.T) {
	for name, c := range map[string]struct {
		fail  func(k *keymgrtest.KEK)
		retry string
		text  string
	}{
		"KMS does not answer": {(*keymgrtest.KEK).Unavailable, retryAfter, "the key service does not answer"},
		"KMS refuses":         {(*keymgrtest.KEK).Deny, "", "the key service refuses"},
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(s *service) {
				s.create(1)
				c.fail(s.kek)
				for request, body := range everyRequest() {
					s.evict()
					r := s.want(http.StatusServiceUnavailable, request[0], request[1], body)
					if got := r.header.Get("Retry-After"); got != c.retry {
						s.t.Errorf("%v: Retry-After %q, want %q", request, got, c.retry)
					}
					if got := decode[map[string]string](s.t, r.body)["error"]; got != c.text {
						s.t.Errorf("%v: %q, want %q", request, got, c.text)
					}
				}
				s.kek.Recover()
				if got := mrns(s.t, s.want(http.StatusOK, "GET", "/patients", "").body); len(got) != 1 {
					s.t.Errorf("stored in between: %v", got)
				}
				s.want(http.StatusOK, "GET", "/healthz", "")
			})
		})
	}
}

func TestKeysInTheCacheServeWhileTheKMSIsDown(t *testing.T) {
	onEach(t, func(s *service) {
		p := s.create(1)
		s.kek.Unavailable()
		s.create(2)
		s.want(http.StatusOK, "GET", location(p), "")
		s.want(http.StatusOK, "GET", "/healthz", "")
	})
}

func TestKMSThatHangsDoesNotHoldTheRequest(t *testing.T) {
	onEach(t, func(s *service) {
		s.create(1)
		release := s.kek.Block()
		defer release()
		s.evict()
		r := s.want(http.StatusServiceUnavailable, "GET", "/patients/1", "")
		if got := r.header.Get("Retry-After"); got != retryAfter {
			s.t.Errorf("Retry-After %q", got)
		}
		release()
		s.want(http.StatusOK, "GET", "/patients/1", "")
	}, "-request-timeout", "200ms")
}

func TestLockedTableDoesNotHoldTheRequest(t *testing.T) {
	s := start(t, pgtest.DB(t), "-request-timeout", "200ms")
	s.create(1)
	conn, err := pgx.Connect(t.Context(), s.cfg.database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), "BEGIN; LOCK TABLE patients"); err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{"GET", "DELETE"} {
		r := s.want(http.StatusServiceUnavailable, method, "/patients/1", "")
		if r.header.Get("Retry-After") != retryAfter || !strings.Contains(r.body, "too long") {
			t.Errorf("%s: %v %s", method, r.header, r.body)
		}
	}
	if _, err := conn.Exec(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	s.want(http.StatusOK, "GET", "/patients/1", "")
}

func TestDatabaseGone(t *testing.T) {
	server := pgtest.Start(t, pgtest.Options{})
	s := start(t, server.DB(t))
	s.create(1)
	server.Stop()
	for request, body := range everyRequest() {
		r := s.do(request[0], request[1], body)
		if r.status != http.StatusServiceUnavailable || r.header.Get("Retry-After") != retryAfter || !strings.Contains(r.body, "the database does not answer") {
			t.Errorf("%v: status %d, %s", request, r.status, r.body)
		}
	}
}

func TestRowsThatSomebodyChangedAreNotShown(t *testing.T) {
	for name, change := range map[string]string{
		"value of another column": `UPDATE patients SET name = notes`,
		"value of another row":    `UPDATE patients SET card = notes WHERE id = 1`,
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(s *service) {
				p := s.create(1)
				s.exec(change)
				for _, path := range []string{location(p), "/patients", "/patients?mrn=CANARY-1"} {
					r := s.want(http.StatusInternalServerError, "GET", path, "")
					if want := `{"error":"what is stored cannot be read"}` + "\n"; r.body != want {
						s.t.Errorf("%s: %s", path, r.body)
					}
				}
				if lines := logged(s.t, s.log.String(), "request failed"); len(lines) != 3 || lines[0]["level"] != "ERROR" {
					s.t.Errorf("logged %v", lines)
				}
			})
		})
	}
}

func TestQueryOnCiphertextIsTheClients(t *testing.T) {
	onEach(t, func(s *service) {
		fc := fieldcrypt.New(s.keys, fieldcrypt.Config{})
		log := newLogger(s.log, s.cfg.logLevel)
		g, err := openGORM(s.db, fc, log)
		if err != nil {
			s.t.Fatal(err)
		}
		srv := &server{store: store{g}, log: log, timeout: time.Minute}
		for _, order := range []string{"name", "mrn DESC"} {
			w := httptest.NewRecorder()
			srv.around(srv.handle(func(_ http.ResponseWriter, r *http.Request) error {
				return g.WithContext(r.Context()).Order(order).Find(&[]Patient{}).Error
			})).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
			column, _, _ := strings.Cut(order, " ")
			if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), column+" is encrypted") {
				s.t.Errorf("ORDER BY %s: status %d, %s", order, w.Code, w.Body)
			}
		}
	})
}

func TestAnswers(t *testing.T) {
	const inside = "CANARY inside"
	for _, c := range []struct {
		err    error
		status int
		retry  bool
	}{
		{errNotFound, 404, false},
		{errDuplicate, 409, false},
		{errChanged, 409, false},
		{badRequest{418, "teapot"}, 418, false},
		{fieldcrypt.ErrQueryOnCiphertext, 400, false},
		{fieldcrypt.ErrUnsearchable, 400, false},
		{&fieldcrypt.Error{Op: "query", Column: "name", Err: fieldcrypt.ErrQueryOnCiphertext}, 400, false},
		{fieldcrypt.ErrKMSUnavailable, 503, true},
		{fieldcrypt.ErrStoreUnavailable, 503, true},
		{&pgconn.PgError{Code: "57P01"}, 503, true},
		{&pgconn.PgError{Code: "53300"}, 503, true},
		{&pgconn.PgError{Code: "42P01"}, 500, false},
		{io.ErrUnexpectedEOF, 503, true},
		{driver.ErrBadConn, 503, true},
		{context.DeadlineExceeded, 503, true},
		{context.Canceled, 499, false},
		{fieldcrypt.ErrKMSDenied, 503, false},
		{fieldcrypt.ErrKEKNotAllowed, 503, false},
		{fieldcrypt.ErrAuthentication, 500, false},
		{fieldcrypt.ErrNotSealed, 500, false},
		{fieldcrypt.ErrUnknownKey, 500, false},
		{fieldcrypt.ErrNotRegistered, 500, false},
		{errors.New("anything else"), 500, false},
	} {
		a := answerTo(fmt.Errorf("%s: %w", inside, c.err))
		if a.status != c.status || a.retry != c.retry || a.text == "" || strings.Contains(a.text, inside) {
			t.Errorf("%v: %+v, want status %d, retry %v", c.err, a, c.status, c.retry)
		}
	}
}
