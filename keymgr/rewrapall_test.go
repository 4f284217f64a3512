package keymgr_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
)

// withAllKEKs sets the KEKs of "medical" and of "records".
func withAllKEKs(keks []keymgr.KEK, decryptOnly ...keymgr.KEK) func(*keymgr.Config) {
	return func(cfg *keymgr.Config) {
		for name, d := range cfg.Domains {
			d.KEKs, d.DecryptOnly = keks, decryptOnly
			cfg.Domains[name] = d
		}
	}
}

// moveFixture holds "medical" and n tenants under one KEK, which are to move to
// another.
type moveFixture struct {
	*fixture
	from, to keymgrtest.RewrapKEK
	n        int
}

func newMoveFixture(t *testing.T, n int) moveFixture {
	t.Helper()
	f := moveFixture{from: keymgrtest.NewRewrapKEK("from"), to: keymgrtest.NewRewrapKEK("to"), n: n}
	f.fixture = newFixture(t, withAllKEKs([]keymgr.KEK{f.from}))
	for i := range n {
		if err := f.Create(t.Context(), tenant(i)); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// operator is a Manager that moves the scopes.
func (f moveFixture) operator(options ...func(*keymgr.Config)) *keymgr.Manager {
	return f.open(append([]func(*keymgr.Config){lazy, withAllKEKs([]keymgr.KEK{f.to}, f.from)}, options...)...)
}

// moved counts the scopes that open under the new KEK alone.
func (f moveFixture) moved(t *testing.T) (n int) {
	t.Helper()
	m := f.open(lazy, withAllKEKs([]keymgr.KEK{f.to}))
	for i := range f.n {
		_, err := m.Keys(t.Context(), tenant(i))
		switch {
		case err == nil:
			n++
		case !errors.Is(err, keymgr.ErrKEKNotAllowed):
			t.Errorf("%v: %v", tenant(i), err)
		}
	}
	return n
}

func TestRewrapAll(t *testing.T) {
	f := newMoveFixture(t, 30)
	m := f.operator()
	var told []keymgr.RewrapProgress
	o := keymgr.RewrapOptions{Progress: func(p keymgr.RewrapProgress) { told = append(told, p) }}

	o.DryRun = true
	writes := f.record(tenant(7)).UpdatedAt
	report, err := m.RewrapAll(t.Context(), o)
	if err != nil || report.Planned != 31 || report.Scopes != 31 || report.KMSCalls != 0 || f.to.Calls().Total() != 0 {
		t.Fatalf("dry run: %+v, %v", report, err)
	}
	if f.record(tenant(7)).UpdatedAt != writes || f.moved(t) != 0 {
		t.Error("the dry run has written")
	}
	if !slices.Equal(told[3].From, []string{"test-kms://from"}) || !slices.Equal(told[3].To, []string{"test-kms://to"}) {
		t.Errorf("told: %+v", told[3])
	}

	told, o.DryRun = nil, false
	opened := f.from.Calls().Unwrap
	report, err = m.RewrapAll(keymgr.WithActor(t.Context(), "ops@example"), o)
	if err != nil || report.Rewrapped != 31 || report.Scopes != 31 || report.Last != tenant(29) {
		t.Fatalf("%+v, %v", report, err)
	}
	if got := f.to.Calls(); got.Rewrap != 31 || got.Unwrap != 31 || got.Wrap != 0 || report.KMSCalls != 62 {
		t.Errorf("calls: %+v, %d", got, report.KMSCalls)
	}
	if f.from.Calls().Unwrap != opened {
		t.Error("the old KEK has opened scopes")
	}
	done := 0
	for _, p := range told {
		if done++; p.Done != done || p.Failed != 0 || p.Outcome != keymgr.RewrapDone || p.Version != 1 || p.NotOpened {
			t.Errorf("%+v", p)
		}
	}
	if done != 31 || f.moved(t) != 30 {
		t.Errorf("told of %d scopes, moved %d", done, f.moved(t))
	}
	if n := m.Entries(); n != 0 {
		t.Errorf("the operator's Manager keeps %d scopes", n)
	}

	calls := f.to.Calls()
	report, err = m.RewrapAll(t.Context(), keymgr.RewrapOptions{})
	if err != nil || report.Unchanged != 31 || f.to.Calls() != calls || report.KMSCalls != 0 {
		t.Errorf("again: %+v, %v", report, err)
	}
	report, err = m.RewrapAll(t.Context(), keymgr.RewrapOptions{Force: true, Domains: []string{"medical"}})
	if err != nil || report.Rewrapped != 1 || report.Scopes != 1 {
		t.Errorf("by force: %+v, %v", report, err)
	}
}

// unkind is a KEK that fails for some scopes.
type unkind struct {
	keymgrtest.RewrapKEK
	fails func(keymgr.Scope) error
}

func (k unkind) Rewrap(ctx context.Context, wrapped []byte, from keymgr.KEK, old, wc keymgr.WrapContext) ([]byte, error) {
	if err := k.fails(wc.Scope); err != nil {
		return nil, err
	}
	return k.RewrapKEK.Rewrap(ctx, wrapped, from, old, wc)
}

func (k unkind) Wrap(ctx context.Context, plaintext []byte, wc keymgr.WrapContext) ([]byte, error) {
	if err := k.fails(wc.Scope); err != nil {
		return nil, err
	}
	return k.RewrapKEK.Wrap(ctx, plaintext, wc)
}

func TestRewrapAllGoesOnAfterFailures(t *testing.T) {
	f := newMoveFixture(t, 20)
	to := unkind{f.to, func(s keymgr.Scope) error {
		switch s {
		case tenant(5):
			return fmt.Errorf("%w: not this one", keymgr.ErrKMSDenied)
		case tenant(11):
			return fmt.Errorf("%w: slow down", keymgr.ErrKMSUnavailable)
		}
		return nil
	}}
	old := f.record(tenant(5)).Wraps[0].Wrapped
	report, err := f.open(lazy, withAllKEKs([]keymgr.KEK{to}, f.from)).RewrapAll(t.Context(), keymgr.RewrapOptions{})
	mustBe(t, "RewrapAll", err, keymgr.ErrRewrapFailed)
	mustBeOneClass(t, err)
	if report.Failed != 2 || report.Rewrapped != 19 || len(report.Failures) != 2 {
		t.Fatalf("%+v", report)
	}
	for _, res := range report.Failures {
		want := map[keymgr.Scope]error{tenant(5): keymgr.ErrKMSDenied, tenant(11): keymgr.ErrKMSUnavailable}[res.Scope]
		if want == nil || !errors.Is(res.Err, want) || res.Class != want.Error() || res.Outcome != keymgr.RewrapFailed {
			t.Errorf("%+v", res)
		}
	}
	if string(f.record(tenant(5)).Wraps[0].Wrapped) != string(old) || f.moved(t) != 18 {
		t.Error("the old wrap did not stay, or others did not move")
	}
	// The cause is mended: the rest is done, and that alone.
	calls := f.to.Calls().Rewrap
	report, err = f.operator().RewrapAll(t.Context(), keymgr.RewrapOptions{})
	if err != nil || report.Rewrapped != 2 || report.Unchanged != 19 || f.to.Calls().Rewrap-calls != 2 {
		t.Errorf("again: %+v, %v", report, err)
	}
}

func TestRewrapAllThatIsStoppedFinishesWhatIsUnderWay(t *testing.T) {
	f := newMoveFixture(t, 40)
	ctx, stop := context.WithCancel(t.Context())
	seen := 0
	report, err := f.operator().RewrapAll(ctx, keymgr.RewrapOptions{Progress: func(p keymgr.RewrapProgress) {
		if p.Outcome != keymgr.RewrapDone {
			t.Errorf("%+v", p)
		}
		if seen++; seen == 10 {
			stop()
		}
	}})
	mustBe(t, "RewrapAll", err, context.Canceled)
	if report.Failed != 0 || report.Rewrapped < 10 || report.Rewrapped > 20 || report.Rewrapped != seen {
		t.Fatalf("%+v", report)
	}
	if f.moved(t) != report.Rewrapped-1 { // "medical" is one of them
		t.Errorf("%d have moved, the report says %d", f.moved(t), report.Rewrapped)
	}
	rest, err := f.operator().RewrapAll(t.Context(), keymgr.RewrapOptions{After: report.Last})
	if err != nil || rest.Unchanged != 0 || rest.Rewrapped+report.Rewrapped != 41 {
		t.Errorf("the rest: %+v, %v", rest, err)
	}
}

// dyingStore stops answering after some swaps, as for a process that is killed:
// of the last one the process does not hear.
type dyingStore struct {
	keymgr.Store
	left atomic.Int32
}

func (s *dyingStore) alive() error {
	if s.left.Load() > 0 {
		return nil
	}
	return fmt.Errorf("%w: dead", keymgr.ErrStoreUnavailable)
}

func (s *dyingStore) Load(ctx context.Context, scope keymgr.Scope) (keymgr.Record, error) {
	if err := s.alive(); err != nil {
		return keymgr.Record{}, err
	}
	return s.Store.Load(ctx, scope)
}

func (s *dyingStore) SwapWraps(ctx context.Context, scope keymgr.Scope, v uint64, old, new []keymgr.Wrap, events []keymgr.Event) error {
	left := s.left.Add(-1)
	if left < 0 {
		return s.alive()
	}
	if err := s.Store.SwapWraps(ctx, scope, v, old, new, events); err != nil {
		return err
	}
	if left == 0 {
		return s.alive()
	}
	return nil
}

func TestRewrapAllIsResumedAfterAKillAtAnyPoint(t *testing.T) {
	const n = 12
	f := newMoveFixture(t, n)
	total := func() int {
		done := f.moved(t)
		if f.record(medical).Wraps[0].KEKURI == f.to.URI() {
			done++
		}
		return done
	}
	for done, swaps := 0, 1; done < n+1; swaps = swaps%3 + 1 {
		dying := &dyingStore{Store: f.store}
		dying.left.Store(int32(swaps))
		f.operator(func(cfg *keymgr.Config) { cfg.Store = dying }).RewrapAll(t.Context(), keymgr.RewrapOptions{})
		done = min(done+swaps, n+1)
		if now := total(); now != done {
			t.Fatalf("%d scopes have moved, want %d", now, done)
		}
	}
	report, err := f.operator().RewrapAll(t.Context(), keymgr.RewrapOptions{})
	if err != nil || report.Unchanged != n+1 {
		t.Errorf("%+v, %v", report, err)
	}
}

func TestTwoOperatorsRewrapAllAtOnce(t *testing.T) {
	f := newMoveFixture(t, 60)
	var wg sync.WaitGroup
	reports := make([]keymgr.RewrapReport, 2)
	for i := range reports {
		m := f.operator()
		wg.Go(func() {
			var err error
			if reports[i], err = m.RewrapAll(t.Context(), keymgr.RewrapOptions{Concurrency: 8}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	a, b := reports[0], reports[1]
	if a.Scopes != 61 || b.Scopes != 61 || a.Rewrapped+b.Rewrapped != 61 || a.Failed+b.Failed != 0 || f.moved(t) != 60 {
		t.Errorf("%+v\n%+v", a, b)
	}
}

func TestRewrapAllAfterAConflict(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(*testing.T, moveFixture)
		want keymgr.RewrapOutcome
	}{
		{"the other did the same", func(t *testing.T, f moveFixture) {
			mustBe(t, "Rewrap", f.operator().Rewrap(t.Context(), tenant(0)), nil)
		}, keymgr.RewrapUnchanged},
		{"the other has changed the keys", func(t *testing.T, f moveFixture) {
			_, err := f.Manager.AddKey(t.Context(), tenant(0), keymgr.Seal)
			mustBe(t, "AddKey", err, nil)
		}, keymgr.RewrapDone},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newMoveFixture(t, 1)
			m := f.operator(func(cfg *keymgr.Config) {
				cfg.Store = &beforeSwap{f.store, func() { c.do(t, f) }}
			})
			var outcome keymgr.RewrapOutcome
			report, err := m.RewrapAll(t.Context(), keymgr.RewrapOptions{Domains: []string{"records"},
				Progress: func(p keymgr.RewrapProgress) { outcome = p.Outcome }})
			if err != nil || report.Conflicts != 1 || outcome != c.want || f.moved(t) != 1 {
				t.Errorf("%s: %+v, %v", outcome, report, err)
			}
		})
	}
}

func TestRewrapAllGivesUpOnAScopeThatNeverStandsStill(t *testing.T) {
	f := newMoveFixture(t, 1)
	m := f.operator(func(cfg *keymgr.Config) { cfg.Store = conflicting{f.store} })
	report, err := m.RewrapAll(t.Context(), keymgr.RewrapOptions{Domains: []string{"records"}})
	mustBe(t, "RewrapAll", err, keymgr.ErrRewrapFailed)
	if report.Failed != 1 || report.Conflicts != 3 || report.Failures[0].Class != keymgr.ErrConflict.Error() {
		t.Errorf("%+v", report)
	}
}

type conflicting struct{ keymgr.Store }

func (conflicting) SwapWraps(context.Context, keymgr.Scope, uint64, []keymgr.Wrap, []keymgr.Wrap, []keymgr.Event) error {
	return keymgr.ErrConflict
}

func TestRewrapAllOfThousandsOfTenants(t *testing.T) {
	const n = 3000
	f := newMoveFixture(t, n)
	var underWay, most atomic.Int32
	to := unkind{f.to, func(keymgr.Scope) error {
		now := underWay.Add(1)
		defer underWay.Add(-1)
		for was := most.Load(); now > was && !most.CompareAndSwap(was, now); was = most.Load() {
		}
		return nil
	}}
	m := f.open(lazy, withAllKEKs([]keymgr.KEK{to}, f.from))
	report, err := m.RewrapAll(t.Context(), keymgr.RewrapOptions{Concurrency: 16})
	if err != nil || report.Rewrapped != n+1 || most.Load() > 16 {
		t.Errorf("%+v, %v; %d at once", report, err, most.Load())
	}
	if m.Entries() != 0 {
		t.Errorf("%d entries were kept", m.Entries())
	}
}

func TestRewrapAllKeepsToItsRate(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newMoveFixture(t, 19) // and "medical": 20 scopes, two calls each
		began := time.Now()
		var at []time.Duration
		to := unkind{f.to, func(keymgr.Scope) error { return nil }}
		counted := timed{to, func() { at = append(at, time.Since(began)) }}
		report, err := f.open(lazy, withAllKEKs([]keymgr.KEK{counted}, f.from)).
			RewrapAll(t.Context(), keymgr.RewrapOptions{Rate: 10, Concurrency: 8})
		if err != nil || report.Rewrapped != 20 || report.KMSCalls != 40 {
			t.Fatalf("%+v, %v", report, err)
		}
		for i, d := range at {
			if want := time.Duration(i) * 100 * time.Millisecond; d != want {
				t.Fatalf("call %d was made after %v, want %v", i, d, want)
			}
		}
		if len(at) != 40 {
			t.Errorf("%d calls", len(at))
		}
	})
}

// timed notes when the KEK is called. In a bubble with a rate no two calls are
// made at once.
type timed struct {
	unkind
	note func()
}

func (k timed) Rewrap(ctx context.Context, wrapped []byte, from keymgr.KEK, old, wc keymgr.WrapContext) ([]byte, error) {
	k.note()
	return k.unkind.Rewrap(ctx, wrapped, from, old, wc)
}

func (k timed) Unwrap(ctx context.Context, wrapped []byte, wc keymgr.WrapContext) ([]byte, error) {
	k.note()
	return k.unkind.Unwrap(ctx, wrapped, wc)
}

// A scope that is destroyed while a run goes on is gone, not failed.
func TestRewrapAllOverAScopeThatIsDestroyedMeanwhile(t *testing.T) {
	f := newFixture(t)
	f.createTenants(2)
	other := f.open(lazy)
	var destroyed bool
	report, err := f.RewrapAll(t.Context(), keymgr.RewrapOptions{
		Force: true, Concurrency: 1, Domains: []string{"records", "medical"},
		Progress: func(keymgr.RewrapProgress) {
			if !destroyed {
				destroyed = true
				_, err := other.DestroyScope(t.Context(), tenant(1), "test")
				mustBe(t, "DestroyScope", err, nil)
			}
		},
	})
	mustBe(t, "RewrapAll", err, nil)
	if report.Failed != 0 || report.Gone != 1 {
		t.Errorf("report %+v", report)
	}
}
