package fieldcrypttest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// faults is a way to a KMS that counts calls and fails on demand.
type faults struct {
	next    http.RoundTripper
	resolve func(ctx context.Context, key string) (id string, err error)

	mu       sync.Mutex
	denied   map[string]bool // by key id
	throttle float64         // fraction of calls
	debt     float64         // of throttling, in calls: at 1 a call is throttled
	down     bool
	calls    []string // operations
}

var errDown = errors.New("connection reset by peer: the KMS is down on demand")

// RoundTrip implements http.RoundTripper.
func (f *faults) RoundTrip(r *http.Request) (*http.Response, error) {
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	code, err := f.fault(r.Context(), body)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	f.calls = append(f.calls, operation)
	f.mu.Unlock()
	if code != "" {
		text, _ := json.Marshal(map[string]string{"__type": code, "message": "Failed on demand."})
		return &http.Response{
			Status: "400 Bad Request", StatusCode: http.StatusBadRequest,
			Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
			Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}},
			Body:   io.NopCloser(bytes.NewReader(text)), ContentLength: int64(len(text)),
		}, nil
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(body))
	return f.next.RoundTrip(r)
}

// fault says how a call fails: with an error code, with a broken connection, or
// not at all.
func (f *faults) fault(ctx context.Context, body []byte) (code string, err error) {
	f.mu.Lock()
	down, denies := f.down, len(f.denied) > 0
	f.mu.Unlock()
	if down {
		return "", errDown
	}
	var id []string
	if denies {
		var named struct{ KeyId, SourceKeyId, DestinationKeyId string }
		if err := json.Unmarshal(body, &named); err != nil {
			return "", err
		}
		for _, key := range []string{named.KeyId, named.SourceKeyId, named.DestinationKeyId} {
			if key == "" {
				continue
			}
			if resolved, err := f.resolve(ctx, key); err == nil { // else the KMS will say what is wrong
				id = append(id, resolved)
			}
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if slices.ContainsFunc(id, func(id string) bool { return f.denied[id] }) {
		return "AccessDeniedException", nil
	}
	if f.debt += f.throttle; f.debt >= 1-1e-9 { // ten tenths make one
		f.debt--
		return "ThrottlingException", nil
	}
	return "", nil
}

func (f *faults) setDenied(id string, denied bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.denied == nil {
		f.denied = map[string]bool{}
	}
	if denied {
		f.denied[id] = true
	} else {
		delete(f.denied, id)
	}
}

// Throttle implements KMS.
func (f *faults) Throttle(fraction float64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.throttle, f.debt = fraction, 0
}

// Down implements KMS.
func (f *faults) Down() { f.setDown(true) }

// Up implements KMS.
func (f *faults) Up() { f.setDown(false) }

func (f *faults) setDown(down bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = down
}

// Recover implements KMS.
func (f *faults) Recover() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down, f.throttle, f.debt, f.denied = false, 0, 0, nil
}

// Count implements KMS.
func (f *faults) Count(operations ...string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.calls {
		if len(operations) == 0 || slices.Contains(operations, c) {
			n++
		}
	}
	return n
}

// ResetCalls implements KMS.
func (f *faults) ResetCalls() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = nil
}
