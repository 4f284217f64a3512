package keymgr_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
	"github.com/fieldcrypt/go/keymgr/memstore"
)

const heartbeat = 15 * time.Second

// fleet is instances that share a store, each with a way to it and to the KMS that
// a test can cut.
type fleet struct {
	t     *testing.T
	kek   *keymgrtest.KEK
	store *memstore.Store
}

type member struct {
	*keymgr.Manager
	t     *testing.T
	store *memberStore
	kek   *memberKEK
	log   *logBuffer
}

// inFleet runs f in a bubble, on a fleet of no instances, whose scopes "medical"
// and "records/acme" exist.
func inFleet(t *testing.T, f func(t *testing.T, f *fleet)) {
	t.Helper()
	inBubble(t, func(t *testing.T) {
		fl := newFleet(t)
		f(t, fl)
	})
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{t: t, kek: keymgrtest.NewKEK("key"), store: memstore.New()}
	operator := f.open(lazy)
	mustBe(t, "Create", operator.Create(t.Context(), medical), nil)
	mustBe(t, "Create", operator.Create(t.Context(), acme), nil)
	mustBe(t, "Close", operator.Close(), nil)
	return f
}

func (f *fleet) open(options ...func(*keymgr.Config)) *member {
	f.t.Helper()
	m := &member{t: f.t, store: &memberStore{Store: f.store}, kek: &memberKEK{KEK: f.kek}, log: &logBuffer{}}
	cfg := (&fixture{t: f.t, log: m.log}).config(func(cfg *keymgr.Config) {
		for name, d := range cfg.Domains {
			d.KEKs = []keymgr.KEK{m.kek}
			cfg.Domains[name] = d
		}
		cfg.Store = m.store
	})
	for _, o := range options {
		o(&cfg)
	}
	m.store = cfg.Store.(*memberStore)
	var err error
	if m.Manager, err = keymgr.Open(f.t.Context(), cfg); err != nil {
		f.t.Fatalf("Open: %v", err)
	}
	f.t.Cleanup(func() { m.Close() })
	return m
}

func (m *member) add(s keymgr.Scope, p keymgr.Purpose) uint32 {
	m.t.Helper()
	id, err := m.AddKey(m.t.Context(), s, p)
	if err != nil {
		m.t.Fatalf("AddKey: %v", err)
	}
	return id
}

func (m *member) promote(s keymgr.Scope, id uint32) error {
	return m.PromoteKey(m.t.Context(), s, keymgr.Index, id)
}

// searches reports whether the member searches with an index key.
func (m *member) searches(s keymgr.Scope, id uint32) bool {
	m.t.Helper()
	return searches(mustKeys(m.t, m.Manager, s), id)
}

func searches(k *keymgr.Keys, id uint32) bool {
	for _, key := range k.IndexKeys() {
		if key.ID() == id {
			return true
		}
	}
	return false
}

// told is what the store knows of the member, or nil.
func (f *fleet) told(m *member) *keymgr.Instance {
	f.t.Helper()
	all, err := f.store.Instances(f.t.Context(), keymgr.Scope{})
	mustBe(f.t, "Instances", err, nil)
	for _, i := range all.Instances {
		if i.ID == m.InstanceID() {
			return &i
		}
	}
	return nil
}

// beat lets one heartbeat of every member pass.
func beat() {
	time.Sleep(heartbeat)
	synctest.Wait()
}

// memberStore is a member's way to the store.
type memberStore struct {
	*memstore.Store
	down                 atomic.Pointer[error] // for reports and versions
	noReport, noVersions atomic.Bool
	sparing              bool
	reports              atomic.Int32
	gone                 atomic.Pointer[keymgr.Scope]
	leaveFails           bool

	afterLoad      atomic.Pointer[func(keymgr.Scope)]
	beforeVersions atomic.Pointer[func()]
	beforeReport   atomic.Pointer[func(context.Context)]
	afterSwap      atomic.Pointer[func()]
	loseAnswer     atomic.Bool   // of reports
	ahead          atomic.Uint64 // of the stored versions, in what Versions tells
	listedAll      atomic.Int32  // Instances with all that they hold
}

func (s *memberStore) cut(err error) {
	if err == nil {
		s.down.Store(nil)
	} else {
		s.down.Store(&err)
	}
}

func (s *memberStore) Load(ctx context.Context, scope keymgr.Scope) (keymgr.Record, error) {
	if err := s.down.Load(); err != nil {
		return keymgr.Record{}, *err
	}
	if gone := s.gone.Load(); gone != nil && *gone == scope {
		return keymgr.Record{}, keymgr.ErrScopeNotFound
	}
	r, err := s.Store.Load(ctx, scope)
	if do := s.afterLoad.Swap(nil); do != nil {
		(*do)(scope)
	}
	return r, err
}

func (s *memberStore) Versions(ctx context.Context, scopes []keymgr.Scope) (keymgr.Versions, error) {
	if do := s.beforeVersions.Swap(nil); do != nil {
		(*do)()
	}
	if err := s.down.Load(); err != nil {
		return keymgr.Versions{}, *err
	}
	if s.noVersions.Load() {
		return keymgr.Versions{}, keymgr.ErrStoreUnavailable
	}
	v, err := s.Store.Versions(ctx, scopes)
	v.Sparing = s.sparing
	for scope := range v.Current {
		v.Current[scope] += s.ahead.Load()
	}
	if gone := s.gone.Load(); gone != nil {
		delete(v.Current, *gone)
	}
	return v, err
}

func (s *memberStore) Report(ctx context.Context, r keymgr.InstanceReport) error {
	s.reports.Add(1)
	if do := s.beforeReport.Swap(nil); do != nil {
		(*do)(ctx)
	}
	if err := s.down.Load(); err != nil {
		return *err
	}
	if s.noReport.Load() {
		return keymgr.ErrStoreUnavailable
	}
	err := s.Store.Report(ctx, r)
	if s.loseAnswer.Load() {
		return keymgr.ErrStoreUnavailable
	}
	return err
}

// memberKEK is a member's way to the KMS.
type memberKEK struct {
	*keymgrtest.KEK
	down atomic.Bool
}

func (k *memberKEK) Unwrap(ctx context.Context, wrapped []byte, wc keymgr.WrapContext) ([]byte, error) {
	if k.down.Load() {
		return nil, keymgr.ErrKMSUnavailable
	}
	return k.KEK.Unwrap(ctx, wrapped, wc)
}

func (s *memberStore) Forget(ctx context.Context, id string) error {
	if s.leaveFails {
		return keymgr.ErrStoreUnavailable
	}
	return s.Store.Forget(ctx, id)
}

func (s *memberStore) SwapWraps(ctx context.Context, scope keymgr.Scope, version uint64, old, new []keymgr.Wrap, events []keymgr.Event) error {
	err := s.Store.SwapWraps(ctx, scope, version, old, new, events)
	if do := s.afterSwap.Swap(nil); do != nil {
		(*do)()
	}
	return err
}

func (s *memberStore) Replace(ctx context.Context, r keymgr.Record, events []keymgr.Event) error {
	err := s.Store.Replace(ctx, r, events)
	if do := s.afterSwap.Swap(nil); do != nil {
		(*do)()
	}
	return err
}

func (s *memberStore) Instances(ctx context.Context, of keymgr.Scope) (keymgr.Fleet, error) {
	if of == (keymgr.Scope{}) {
		s.listedAll.Add(1)
	}
	return s.Store.Instances(ctx, of)
}
