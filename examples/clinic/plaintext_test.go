package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// secrets are parts of all patients of the tests, each long enough not to turn up
// in ciphertext by chance.
var secrets = []string{"Zephyrine", "Quillfeather", "CANARY", "0566 5566", "05665566", "0566-5566", "1987-05-03", "Quicksilver"}

// spellings are the forms in which a text may stand in a log or a database.
func spellings(s string) [][]byte {
	forms := [][]byte{[]byte(s), []byte(strings.ToLower(s)), []byte(strings.ToUpper(s)), []byte(hex.EncodeToString([]byte(s)))}
	for skip := range 3 { // base64 looks different at each of three places
		code := base64.StdEncoding.EncodeToString(append(make([]byte, skip), s...))
		from := []int{0, 2, 3}[skip]
		to := len(code) / 4 * 4
		if rest := (skip + len(s)) % 3; rest != 0 {
			to -= 4
		}
		forms = append(forms, []byte(code[from:to]))
	}
	return forms
}

func leaks(data []byte) (found []string) {
	for _, s := range secrets {
		for _, form := range spellings(s) {
			if bytes.Contains(data, form) {
				found = append(found, string(form))
			}
		}
	}
	return found
}

func checkNoPlaintext(t *testing.T, where string, data []byte) {
	t.Helper()
	for _, form := range leaks(data) {
		at := bytes.Index(data, []byte(form))
		t.Errorf("plaintext in %s: %q in %q", where, form, data[max(0, at-100):min(len(data), at+100)])
	}
}

func TestPlaintextIsFoundWhereThereIsSome(t *testing.T) {
	for _, s := range secrets {
		for n := range 3 {
			text := append([]byte("....."[:n]), s+"...."...)
			for _, data := range []string{
				string(text), strings.ToUpper(string(text)), hex.EncodeToString(text), base64.StdEncoding.EncodeToString(text),
			} {
				if len(leaks([]byte(data))) == 0 {
					t.Errorf("%q not found in %q", s, data)
				}
			}
		}
	}
}

func TestNoPlaintextInTheDatabaseOrTheLog(t *testing.T) {
	onEach(t, func(s *service) {
		p := s.create(1)
		s.create(2)
		s.want(http.StatusConflict, "POST", "/patients", numbered(1))
		s.want(http.StatusOK, "GET", "/patients?mrn=CANARY-1", "")
		s.want(http.StatusBadRequest, "GET", "/patients?name=Quillfeather", "")
		s.want(http.StatusBadRequest, "GET", "/patients?mrn=Zephyrine+Quillfeather", "")
		s.want(http.StatusBadRequest, "GET", "/patients?CANARY-1", "")
		s.want(http.StatusNotFound, "GET", "/patients/CANARY-1", "")
		s.want(http.StatusNotFound, "GET", "/Quillfeather", "")
		s.want(http.StatusBadRequest, "POST", "/patients", `{"Quillfeather":"Zephyrine"}`)
		s.want(http.StatusBadRequest, "POST", "/patients", `{"name":["Quillfeather"]}`)
		s.want(http.StatusBadRequest, "POST", "/patients", strings.ReplaceAll(numbered(3), "1987-05-03", "1987-05-03T"))
		s.want(http.StatusOK, "PATCH", location(p), `{"old_mrn":"CANARY-1","mrn":"CANARY-9","notes":"Quicksilver, by day"}`)
		s.want(http.StatusConflict, "PATCH", location(p), `{"old_mrn":"CANARY-1","mrn":"CANARY-8"}`)
		s.want(http.StatusConflict, "PATCH", location(p), `{"mrn":"CANARY-2"}`)
		s.kek.Unavailable()
		s.evict()
		s.want(http.StatusServiceUnavailable, "POST", "/patients", numbered(4))
		s.kek.Recover()
		s.want(http.StatusOK, "GET", location(p), "")
		s.want(http.StatusNoContent, "DELETE", location(p), "")

		held := s.stored()
		if n := bytes.Count(held, []byte{0xFC, 0x01, 0x01}); n < 5 {
			s.t.Errorf("%d sealed values in what the database holds, want the five of a patient", n)
		}
		checkNoPlaintext(s.t, "the database", held)
		// None of this is the service's fault, nor is a refused statement.
		if strings.Contains(s.log.String(), `"level":"ERROR"`) {
			s.t.Error("an error in the log")
		}
		// The log has all statements, or it would be easy.
		if n := len(logged(s.t, s.log.String(), "SQL executed")); n < 10 {
			s.t.Errorf("%d statements in the log", n)
		}
	})
}

// stored is what the database holds: the files of SQLite, the columns of all
// tables of Postgres.
func (s *service) stored() (all []byte) {
	t := s.t
	t.Helper()
	if s.cfg.database == "" {
		files, err := filepath.Glob(filepath.Join(s.cfg.data, "clinic.db*"))
		if err != nil || len(files) == 0 {
			t.Fatalf("files %v, %v", files, err)
		}
		for _, name := range files {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, data...)
		}
		return all
	}
	conn, err := pgx.Connect(t.Context(), s.cfg.database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	for _, table := range []string{"patients", "fieldcrypt_keysets", "fieldcrypt_keyset_wraps", "fieldcrypt_key_events", "pg_stats"} {
		rows, err := conn.Query(t.Context(), "SELECT * FROM "+table)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			for _, value := range rows.RawValues() {
				all = append(all, value...)
			}
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	return all
}
