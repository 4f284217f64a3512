package keymgr_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
	"github.com/fieldcrypt/go/keymgr/memstore"
)

var (
	medical = keymgr.Scope{Domain: "medical"}
	acme    = keymgr.Scope{Domain: "records", Tenant: "acme"}
)

const (
	cacheTTL = 5 * time.Minute
	maxStale = time.Hour
)

// fixture is a Manager with everything around it in the test's hand: "medical"
// is not per tenant and exists; "records" is per tenant.
type fixture struct {
	*keymgr.Manager
	t     *testing.T
	kek   *keymgrtest.KEK
	store *spyStore
	log   *logBuffer
}

// inBubble runs f in a synctest bubble, in which time.Sleep moves the Manager's
// clock, synctest.Wait waits for its background work, and a goroutine that
// outlives Close is a failure.
func inBubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

func newFixture(t *testing.T, options ...func(*keymgr.Config)) *fixture {
	t.Helper()
	f := &fixture{t: t, kek: keymgrtest.NewKEK("key"), store: &spyStore{Store: memstore.New()}, log: &logBuffer{}}
	f.Manager = f.open(options...)
	return f
}

// open opens another Manager on the same store, as another process does.
func (f *fixture) open(options ...func(*keymgr.Config)) *keymgr.Manager {
	f.t.Helper()
	m, err := keymgr.Open(f.t.Context(), f.config(options...))
	if err != nil {
		f.t.Fatalf("Open: %v", err)
	}
	f.t.Cleanup(func() { m.Close() })
	return m
}

func (f *fixture) config(options ...func(*keymgr.Config)) keymgr.Config {
	cfg := keymgr.Config{
		Store: f.store,
		Domains: map[string]keymgr.Domain{
			"medical": {KEKs: []keymgr.KEK{f.kek}, AutoCreate: true},
			"records": {KEKs: []keymgr.KEK{f.kek}, PerTenant: true},
		},
		KMSRate: 1e6, // the budget has tests of its own
		Logger:  slog.New(slog.NewTextHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, o := range options {
		o(&cfg)
	}
	return cfg
}

// withKEKs sets the KEKs of "medical".
func withKEKs(keks []keymgr.KEK, decryptOnly ...keymgr.KEK) func(*keymgr.Config) {
	return func(cfg *keymgr.Config) {
		d := cfg.Domains["medical"]
		d.KEKs, d.DecryptOnly = keks, decryptOnly
		cfg.Domains["medical"] = d
	}
}

func lazy(cfg *keymgr.Config) { cfg.Lazy = true }

func (f *fixture) keys(s keymgr.Scope) *keymgr.Keys {
	f.t.Helper()
	return mustKeys(f.t, f.Manager, s)
}

func mustKeys(t *testing.T, m *keymgr.Manager, s keymgr.Scope) *keymgr.Keys {
	t.Helper()
	k, err := m.Keys(t.Context(), s)
	if err != nil {
		t.Fatalf("Keys: %v", err)
	}
	return k
}

func mustBe(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: error %v, want %v", what, err, want)
	}
}

// record reads what is stored.
func (f *fixture) record(s keymgr.Scope) keymgr.Record {
	f.t.Helper()
	r, err := f.store.Store.Load(f.t.Context(), s)
	if err != nil {
		f.t.Fatalf("Load: %v", err)
	}
	return r
}

// spyStore counts the calls of a store, and can fail or lie.
type spyStore struct {
	keymgr.Store
	mu              sync.Mutex
	loads, versions int
	fail            error
	lie             func(*keymgr.Record)
}

func (s *spyStore) Load(ctx context.Context, scope keymgr.Scope) (keymgr.Record, error) {
	s.mu.Lock()
	s.loads++
	fail, lie := s.fail, s.lie
	s.mu.Unlock()
	if fail != nil {
		return keymgr.Record{}, fail
	}
	r, err := s.Store.Load(ctx, scope)
	if err == nil && lie != nil {
		lie(&r)
	}
	return r, err
}

func (s *spyStore) Version(ctx context.Context, scope keymgr.Scope) (uint64, error) {
	s.mu.Lock()
	s.versions++
	fail, lie := s.fail, s.lie
	s.mu.Unlock()
	if fail != nil {
		return 0, fail
	}
	v, err := s.Store.Version(ctx, scope)
	if err == nil && lie != nil {
		r := keymgr.Record{Version: v}
		lie(&r)
		v = r.Version
	}
	return v, err
}

func (s *spyStore) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

// Lie changes every record that is read; nil ends it.
func (s *spyStore) Lie(lie func(*keymgr.Record)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lie = lie
}

func (s *spyStore) Reads() (loads, versions int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.loads, s.versions
}

type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
