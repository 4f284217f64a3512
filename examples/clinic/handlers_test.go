package main

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

func location(p patientView) string { return "/patients/" + strconv.FormatUint(p.ID, 10) }

func TestCreateAndGet(t *testing.T) {
	onEach(t, func(s *service) {
		created := s.want(http.StatusCreated, "POST", "/patients", numbered(1))
		p := decode[patientView](s.t, created.body)
		if got := created.header.Get("Location"); got != location(p) {
			s.t.Errorf("Location %q, want %q", got, location(p))
		}
		if p.Name != "Zephyrine Quillfeather" || p.MRN != "CANARY-1" || *p.Card != "4000 0566 5566 5556" || p.BirthDate != "1987-05-03" || *p.Notes != "Quicksilver, nightly." {
			s.t.Errorf("created: %s", created.body)
		}
		read := s.want(http.StatusOK, "GET", location(p), "")
		if read.body != created.body {
			s.t.Errorf("read %s, created %s", read.body, created.body)
		}
		if cache := read.header.Get("Cache-Control"); cache != "no-store" {
			s.t.Errorf("Cache-Control %q", cache)
		}
	})
}

func TestCreateWithoutCardAndNotes(t *testing.T) {
	onEach(t, func(s *service) {
		for i, body := range []string{
			`{"name":"Quillfeather","mrn":"CANARY-1","birth_date":"1987-05-03"}`,
			`{"name":"Quillfeather","mrn":"CANARY-2","birth_date":"1987-05-03","card":null,"notes":null}`,
		} {
			p := decode[patientView](s.t, s.want(http.StatusCreated, "POST", "/patients", body).body)
			if p.Card != nil || p.Notes != nil {
				s.t.Errorf("%d: card %v, notes %v", i, p.Card, p.Notes)
			}
		}
		var null int
		if err := s.db.sql.QueryRow("SELECT count(*) FROM patients WHERE card IS NULL AND card_bidx IS NULL AND notes IS NULL").Scan(&null); err != nil || null != 2 {
			s.t.Errorf("%d rows with NULLs, want 2 (%v)", null, err)
		}
	})
}

func TestWhatIsNoPatientIsRefused(t *testing.T) {
	with := func(member, value string) string {
		body := strings.TrimSuffix(numbered(1), "}")
		var kept []string
		for m := range strings.SplitSeq(strings.TrimPrefix(body, "{"), `,"`) {
			if m = `"` + strings.TrimPrefix(m, `"`); !strings.HasPrefix(m, `"`+member+`"`) {
				kept = append(kept, m)
			}
		}
		if value != "" {
			kept = append(kept, `"`+member+`":`+value)
		}
		return "{" + strings.Join(kept, ",") + "}"
	}
	tomorrow := time.Now().AddDate(0, 0, 2).Format(time.DateOnly)
	onEach(t, func(s *service) {
		for body, want := range map[string]string{
			"{}":                                 "is missing",
			"null":                               "is missing",
			with("name", ""):                     "name is missing",
			with("mrn", ""):                      "mrn is missing",
			with("birth_date", ""):               "birth_date is missing",
			with("name", "null"):                 "name must be",
			with("name", `" "`):                  "name must be",
			with("name", `"a\u0000"`):            "name must be",
			with("name", `"`+long(201)+`"`):      "name must be",
			with("mrn", `"a b"`):                 "mrn must be",
			with("mrn", `"`+long(33)+`"`):        "mrn must be",
			with("mrn", `""`):                    "mrn must be",
			with("card", `"4111"`):               "card must be",
			with("card", `""`):                   "card must be",
			with("birth_date", `"1987-02-30"`):   "birth_date must be",
			with("birth_date", `"`+tomorrow+`"`): "birth_date must be",
			with("notes", `"`+long(10001)+`"`):   "notes must be",
			with("old_mrn", `"A"`):               "old_mrn is for changes",
			with("name", "7"):                    "no JSON object",
			with("other", `"x"`):                 "no JSON object",
			numbered(1) + numbered(2):            "no JSON object",
			"[]":                                 "no JSON object",
			`{"name":`:                           "no JSON object",
		} {
			r := s.do("POST", "/patients", body)
			if r.status != http.StatusBadRequest || !strings.Contains(decode[map[string]string](s.t, r.body)["error"], want) {
				s.t.Errorf("%.200s: status %d, %s; want 400 and %q", body, r.status, r.body, want)
			}
		}
		if found := mrns(s.t, s.want(http.StatusOK, "GET", "/patients", "").body); len(found) != 0 {
			s.t.Errorf("stored: %v", found)
		}
		s.want(http.StatusCreated, "POST", "/patients", with("name", `"`+long(200)+`"`))
	})
}

func long(n int) string { return strings.Repeat("x", n) }

func TestBodyTooLargeOrOfAnotherType(t *testing.T) {
	onEach(t, func(s *service) {
		s.want(http.StatusRequestEntityTooLarge, "POST", "/patients", strings.Repeat(" ", maxBody+1)+numbered(1))
		s.want(http.StatusRequestEntityTooLarge, "PATCH", "/patients/1", `{"notes":"`+long(maxBody)+`"}`)
		for _, content := range []string{"", "text/plain", "application/x-www-form-urlencoded", ";"} {
			req, err := http.NewRequest("POST", s.url+"/patients", strings.NewReader(numbered(1)))
			if err != nil {
				s.t.Fatal(err)
			}
			req.Header.Set("Content-Type", content)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				s.t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusUnsupportedMediaType {
				s.t.Errorf("Content-Type %q: status %d", content, resp.StatusCode)
			}
		}
	})
}

func TestDuplicateMRN(t *testing.T) {
	onEach(t, func(s *service) {
		s.create(1)
		two := s.create(2)
		for _, body := range []string{numbered(1), strings.ReplaceAll(numbered(1), "CANARY", "canary")} {
			r := s.want(http.StatusConflict, "POST", "/patients", body)
			if !strings.Contains(r.body, errDuplicate.Error()) {
				s.t.Errorf("%s", r.body)
			}
		}
		s.want(http.StatusConflict, "PATCH", location(two), `{"mrn":"CANARY-1"}`)
		if got := decode[patientView](s.t, s.want(http.StatusOK, "GET", location(two), "").body).MRN; got != "CANARY-2" {
			s.t.Errorf("after the refused change: %s", got)
		}
	})
}

func TestOneOfManyAtOnceGetsTheMRN(t *testing.T) {
	onEach(t, func(s *service) {
		statuses := atOnce(s, func(int) (method, path, body string) { return "POST", "/patients", numbered(1) })
		if statuses[http.StatusCreated] != 1 || statuses[http.StatusConflict] != 7 {
			s.t.Errorf("statuses %v, want one 201 and seven 409", statuses)
		}
	}, "-request-timeout", "30s")
}

func TestOneOfManyAtOnceComparesAndSets(t *testing.T) {
	onEach(t, func(s *service) {
		p := s.create(0)
		statuses := atOnce(s, func(n int) (method, path, body string) {
			return "PATCH", location(p), fmt.Sprintf(`{"old_mrn":"CANARY-0","mrn":"CANARY-%d"}`, n+1)
		})
		if statuses[http.StatusOK] != 1 || statuses[http.StatusConflict] != 7 {
			s.t.Errorf("statuses %v, want one 200 and seven 409", statuses)
		}
	}, "-request-timeout", "30s")
}

// atOnce sends eight requests and counts the statuses.
func atOnce(s *service, request func(n int) (method, path, body string)) map[int]int {
	statuses, mu := map[int]int{}, sync.Mutex{}
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			method, path, body := request(n)
			r, err := send(s.t.Context(), method, s.url+path, body)
			if err != nil {
				s.t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			statuses[r.status]++
		})
	}
	all.Wait()
	return statuses
}

func TestSearch(t *testing.T) {
	onEach(t, func(s *service) {
		s.create(1)
		s.create(2)
		for query, want := range map[string][]string{
			"mrn=CANARY-1":             {"CANARY-1"},
			"mrn=canary-2":             {"CANARY-2"},
			"mrn=CANARY-3":             nil,
			"card=4000+0566+5566+5556": {"CANARY-1", "CANARY-2"},
			"card=4000056655665556":    {"CANARY-1", "CANARY-2"},
			"card=4000-0566-5566-5556": {"CANARY-1", "CANARY-2"},
			"card=4000056655665557":    nil,
		} {
			if got := mrns(s.t, s.want(http.StatusOK, "GET", "/patients?"+query, "").body); !slices.Equal(got, want) {
				s.t.Errorf("%s finds %v, want %v", query, got, want)
			}
		}
		for query, want := range map[string]string{
			"name=Zephyrine+Quillfeather": "name is encrypted",
			"notes=x":                     "notes is encrypted",
			"mrn=":                        "no mrn",
			"mrn=a+b":                     "no mrn",
			"card=x":                      "no card",
			"mrn=A&mrn=B":                 "twice",
			"mrn=A&card=4000056655665556": "one field",
			"mrn_bidx=x":                  "the parameters are",
			"mrn=%zz":                     "cannot be read",
			"limit=0":                     "limit must be",
			"limit=101":                   "limit must be",
			"limit=x":                     "limit must be",
			"after=-1":                    "after must be",
			"after=9223372036854775808":   "after must be",
		} {
			r := s.do("GET", "/patients?"+query, "")
			if r.status != http.StatusBadRequest || !strings.Contains(r.body, want) {
				s.t.Errorf("%s: status %d, %s; want 400 and %q", query, r.status, r.body, want)
			}
		}
	})
}

func TestListGoesThroughAllPages(t *testing.T) {
	onEach(t, func(s *service) {
		if empty := s.want(http.StatusOK, "GET", "/patients", ""); empty.body != `{"patients":[]}`+"\n" {
			s.t.Errorf("no patients: %s", empty.body)
		}
		var want []string
		for n := range 7 {
			want = append(want, s.create(n).MRN)
		}
		var got []string
		pages := 0
		for next := "/patients?limit=3"; next != ""; pages++ {
			body := s.want(http.StatusOK, "GET", next, "").body
			got = append(got, mrns(s.t, body)...)
			next = decode[page](s.t, body).Next
		}
		if !slices.Equal(got, want) || pages != 3 {
			s.t.Errorf("%v on %d pages, want %v on 3", got, pages, want)
		}
		// So does a search.
		s.want(http.StatusOK, "PATCH", "/patients/2", `{"card":null}`)
		got = nil
		for next := "/patients?limit=4&card=4000-0566-5566-5556"; next != ""; {
			body := s.want(http.StatusOK, "GET", next, "").body
			got = append(got, mrns(s.t, body)...)
			next = decode[page](s.t, body).Next
		}
		if found := slices.Delete(slices.Clone(want), 1, 2); !slices.Equal(got, found) {
			s.t.Errorf("search: %v, want %v", got, found)
		}
		full := s.want(http.StatusOK, "GET", "/patients?limit=7", "").body
		if next := decode[page](s.t, full).Next; next != "" {
			s.t.Errorf("the last page, which is full, is followed by %s", next)
		}
		if got := mrns(s.t, s.want(http.StatusOK, "GET", "/patients", "").body); !slices.Equal(got, want) {
			s.t.Errorf("without a limit: %v", got)
		}
	})
}

func TestPatchChangesWhatItNames(t *testing.T) {
	onEach(t, func(s *service) {
		p := s.create(1)
		for _, c := range []struct {
			body   string
			change func(p *patientView)
		}{
			{`{"name":"Quillfeather II"}`, func(p *patientView) { p.Name = "Quillfeather II" }},
			{`{"notes":null}`, func(p *patientView) { p.Notes = nil }},
			{`{"notes":""}`, func(p *patientView) { p.Notes = new(string) }},
			{`{"card":null}`, func(p *patientView) { p.Card = nil }},
			{`{"birth_date":"1987-05-04","card":"4000056655665557"}`, func(p *patientView) {
				card := "4000056655665557"
				p.BirthDate, p.Card = "1987-05-04", &card
			}},
			{`{"mrn":"CANARY-2","old_mrn":"canary-1"}`, func(p *patientView) { p.MRN = "CANARY-2" }},
		} {
			changed := s.want(http.StatusOK, "PATCH", location(p), c.body).body
			got := decode[patientView](s.t, changed)
			c.change(&p)
			if !got.UpdatedAt.After(p.UpdatedAt) {
				s.t.Errorf("%s: updated_at %v is not after %v", c.body, got.UpdatedAt, p.UpdatedAt)
			}
			p.UpdatedAt = got.UpdatedAt
			if a, b := fmt.Sprint(deref(got)), fmt.Sprint(deref(p)); a != b {
				s.t.Errorf("%s: got %s, want %s", c.body, a, b)
			}
			if read := s.want(http.StatusOK, "GET", location(p), "").body; read != changed {
				s.t.Errorf("%s: answered %s, read %s", c.body, changed, read)
			}
		}
		// The indexes moved along.
		for query, want := range map[string]int{"mrn=CANARY-1": 0, "mrn=CANARY-2": 1, "card=4000056655665556": 0, "card=4000056655665557": 1} {
			if got := mrns(s.t, s.want(http.StatusOK, "GET", "/patients?"+query, "").body); len(got) != want {
				s.t.Errorf("%s finds %v, want %d", query, got, want)
			}
		}
	})
}

// deref makes patients comparable.
func deref(p patientView) []any {
	text := func(s *string) string {
		if s == nil {
			return "nil"
		}
		return strconv.Quote(*s)
	}
	return []any{p.ID, p.Name, p.MRN, text(p.Card), p.BirthDate, text(p.Notes), p.CreatedAt, p.UpdatedAt}
}

func TestPatchRefused(t *testing.T) {
	onEach(t, func(s *service) {
		p := s.create(1)
		for body, want := range map[string]int{
			`{}`:                                     http.StatusBadRequest,
			`{"old_mrn":"A"}`:                        http.StatusBadRequest,
			`{"name":null}`:                          http.StatusBadRequest,
			`{"mrn":"CANARY 9"}`:                     http.StatusBadRequest,
			`{"id":7}`:                               http.StatusBadRequest,
			`{"old_mrn":null,"name":"Quillfeather"}`: http.StatusBadRequest,
			`{"old_mrn":"CANARY-9","mrn":"CANARY-2"}`:    http.StatusConflict,
			`{"old_mrn":"CANARY-9","name":"Zephyrine "}`: http.StatusConflict,
		} {
			s.want(want, "PATCH", location(p), body)
		}
		s.want(http.StatusNotFound, "PATCH", "/patients/4711", `{"name":"Zephyrine"}`)
		s.want(http.StatusNotFound, "PATCH", "/patients/4711", `{"old_mrn":"CANARY-1","name":"Zephyrine"}`)
		if read := decode[patientView](s.t, s.want(http.StatusOK, "GET", location(p), "").body); fmt.Sprint(deref(read)) != fmt.Sprint(deref(p)) {
			s.t.Errorf("changed: %v", deref(read))
		}
	})
}

func TestDelete(t *testing.T) {
	onEach(t, func(s *service) {
		one, two := s.create(1), s.create(2)
		if r := s.want(http.StatusNoContent, "DELETE", location(one), ""); r.body != "" {
			s.t.Errorf("body %q", r.body)
		}
		s.want(http.StatusNotFound, "DELETE", location(one), "")
		s.want(http.StatusNotFound, "GET", location(one), "")
		s.want(http.StatusOK, "GET", location(two), "")
		s.create(1) // the MRN is free again
	})
}

func TestNobodyAndNothingThere(t *testing.T) {
	onEach(t, func(s *service) {
		s.create(1)
		for _, id := range []string{"0", "4711", "-1", "1x", "1.0", "9223372036854775808", "99999999999999999999", "%27%20OR%201=1--"} {
			for method, body := range map[string]string{"GET": "", "DELETE": "", "PATCH": `{"name":"Zephyrine"}`} {
				s.want(http.StatusNotFound, method, "/patients/"+id, body)
			}
		}
		s.want(http.StatusNotFound, "GET", "/", "")
		s.want(http.StatusMethodNotAllowed, "PUT", "/patients/1", numbered(1))
		s.want(http.StatusMethodNotAllowed, "DELETE", "/patients", "")
		if got := mrns(s.t, s.want(http.StatusOK, "GET", "/patients", "").body); len(got) != 1 {
			s.t.Errorf("left: %v", got)
		}
	})
}

func TestHealthy(t *testing.T) {
	onEach(t, func(s *service) {
		if r := s.want(http.StatusOK, "GET", "/healthz", ""); r.body != `{"status":"ok"}`+"\n" {
			s.t.Errorf("%s", r.body)
		}
		before := s.kek.Calls().Total()
		s.want(http.StatusOK, "GET", "/healthz", "")
		if n := s.kek.Calls().Total() - before; n != 0 {
			s.t.Errorf("%d KMS calls for a look at the health", n)
		}
	})
}
