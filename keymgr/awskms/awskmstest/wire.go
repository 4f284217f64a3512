package awskmstest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	targetPrefix = "TrentService."
	contentType  = "application/x-amz-json-1.1"
	maxBody      = 1 << 20 // bytes; no valid request comes near
)

// request is what an operation sees of a call.
type request struct {
	*params
	operation string
	user      *user
	now       time.Time
	call      *Call    // what the log will say
	alias     string   // by which the caller named the key
	tokens    []string // GrantTokens
	blind     bool     // the ciphertext is ignored

	grant      *grant            // that CreateGrant is to make
	constraint map[string]string // its encryption context
}

// serve answers one HTTP request.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	call := Call{RequestID: randomUUID()}
	w.Header().Set("x-amzn-RequestId", call.RequestID)
	w.Header().Set("Cache-Control", "no-cache, no-store, must-revalidate, private")

	name, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), targetPrefix)
	if r.Method != http.MethodPost || r.URL.Path != "/" || !ok {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, "<UnknownOperationException/>\n")
		return
	}
	operate := s.operation(name)
	if operate == nil {
		write(w, nil, fail("UnknownOperationException", ""))
		return
	}
	call.Operation = name

	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			write(w, nil, &apiError{code: "RequestEntityTooLargeException", status: http.StatusRequestEntityTooLarge})
			return
		}
		panic(http.ErrAbortHandler) // the client is gone
	}
	if !s.delay(r.Context(), name) {
		panic(http.ErrAbortHandler) // cut the connection: to return is to answer 200
	}
	out, err := s.answer(r, body, operate, &call)
	write(w, out, err)
}

// answer runs one operation from the signature to the log. All of the state
// moves under one lock, so calls are answered one by one.
func (s *Server) answer(r *http.Request, body []byte, operate operation, call *Call) (out any, err error) {
	now := s.now().UTC()
	s.mu.Lock()
	defer s.mu.Unlock()
	call.Time = now
	defer func() {
		var e *apiError
		if errors.As(err, &e) {
			call.ErrorCode = e.code
		}
		s.calls = append(s.calls, *call)
	}()

	s.tick()
	if e := s.faults.next(); e != nil {
		return nil, e
	}
	u, err := s.authenticate(r, body, call)
	if err != nil {
		return nil, err
	}
	call.Principal = u.session
	if s.faults.throttled() {
		return nil, throttling()
	}
	p, err := decode(body)
	if err != nil {
		return nil, err
	}
	return operate(&request{params: p, operation: call.Operation, user: u, now: now, call: call})
}

// write sends an answer: nothing in the body where an operation returns nothing.
func write(w http.ResponseWriter, out any, err error) {
	status := http.StatusOK
	if err != nil {
		status, out = errorBody(err)
	}
	var body bytes.Buffer
	if out != nil {
		enc := json.NewEncoder(&body)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(out); err != nil {
			panic(err) // a type of this package that JSON cannot hold
		}
	}
	b := bytes.TrimSuffix(body.Bytes(), []byte("\n"))
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	_, _ = w.Write(b)
}

func errorBody(err error) (status int, body map[string]string) {
	var e *apiError
	if !errors.As(err, &e) {
		e = &apiError{code: "KMSInternalException", status: http.StatusInternalServerError}
	}
	body = map[string]string{"__type": e.code}
	if e.message != "" {
		body[e.member()] = e.message
	}
	return e.status, body
}

// timestamp is written as AWS writes it: seconds since 1970 with milliseconds.
type timestamp struct{ time.Time }

func (t timestamp) MarshalJSON() ([]byte, error) {
	seconds := math.Round(float64(t.UnixMilli())) / 1000
	return strconv.AppendFloat(nil, seconds, 'f', -1, 64), nil
}
