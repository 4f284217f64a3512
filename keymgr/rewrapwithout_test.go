package keymgr_test

import (
	"context"
	"testing"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
	"github.com/fieldcrypt/go/keymgr/memstore"
)

func TestRewrapWithoutOpening(t *testing.T) {
	f := newMoveFixture(t, 5)
	m := f.operator()
	from := f.from.Calls()
	report, err := m.RewrapAll(keymgr.WithActor(t.Context(), "ops@example"), keymgr.RewrapOptions{WithoutOpening: true})
	if err != nil || report.Rewrapped != 6 || !report.NotOpened {
		t.Fatalf("%+v, %v", report, err)
	}
	if got := f.to.Calls(); got != (keymgrtest.Calls{Rewrap: 12}) || f.from.Calls() != from {
		t.Errorf("calls: %+v, %+v", got, f.from.Calls())
	}
	events, err := f.store.Store.(*memstore.Store).Events(t.Context(), tenant(0))
	if last := events[len(events)-1]; err != nil || last.Kind != keymgr.EventRewrapped || last.Actor != "ops@example" ||
		last.Detail != "from test-kms://from to test-kms://to (not opened)" {
		t.Errorf("%+v, %v", last, err)
	}
	if f.moved(t) != 5 {
		t.Error("not all scopes open")
	}

	res, err := m.RewrapWith(t.Context(), tenant(0), keymgr.RewrapOptions{WithoutOpening: true, Force: true})
	if err != nil || res.Outcome != keymgr.RewrapDone || !res.NotOpened {
		t.Fatalf("%+v, %v", res, err)
	}
	unwraps := f.to.Calls().Unwrap
	mustKeys(t, m, tenant(0))
	if f.to.Calls().Unwrap != unwraps+1 {
		t.Error("keys were cached by who did not open them")
	}
}

func TestRewrapWithoutOpeningWhereTheKMSCannot(t *testing.T) {
	a, ra, rb := keymgrtest.NewKEK("a"), keymgrtest.NewRewrapKEK("ra"), keymgrtest.NewRewrapKEK("rb")
	for _, c := range []struct {
		name string
		from keymgr.KEK
		to   []keymgr.KEK
	}{
		{"from one that cannot be taken over", a, []keymgr.KEK{rb}},
		{"to one that cannot take over", ra, []keymgr.KEK{a}},
		{"to several, one of which cannot", ra, []keymgr.KEK{rb, a}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t, withKEKs([]keymgr.KEK{c.from}))
			before := f.record(medical)
			m := f.open(lazy, withKEKs(c.to, c.from))
			calls := a.Calls()
			for _, dry := range []bool{true, false} {
				_, err := m.RewrapWith(t.Context(), medical, keymgr.RewrapOptions{WithoutOpening: true, DryRun: dry})
				mustBe(t, "RewrapWith", err, keymgr.ErrKEKNotAllowed)
				mustBeOneClass(t, err)
			}
			if a.Calls() != calls || ra.Calls().Unwrap+rb.Calls().Unwrap+ra.Calls().Wrap+rb.Calls().Wrap != 0 {
				t.Error("a data key was unwrapped or wrapped")
			}
			if after := f.record(medical); string(after.Wraps[0].Wrapped) != string(before.Wraps[0].Wrapped) {
				t.Error("the old wrap is gone")
			}
		})
	}
}

func TestAWrapThatDoesNotAuthenticateIsNotStored(t *testing.T) {
	old, bad := newKey("old"), newKey("bad")
	bad.scramble = true
	f := newFixture(t, withKEKs([]keymgr.KEK{old}))
	f.keys(medical)
	before := f.record(medical)
	for _, o := range []keymgr.RewrapOptions{{WithoutOpening: true}, {}} {
		res, err := f.open(lazy, withKEKs([]keymgr.KEK{bad}, old)).RewrapWith(t.Context(), medical, o)
		mustBe(t, "RewrapWith", err, keymgr.ErrKeysetInvalid)
		if res.Outcome != keymgr.RewrapFailed || res.NotOpened {
			t.Errorf("%+v", res)
		}
		if after := f.record(medical); string(after.Wraps[0].Wrapped) != string(before.Wraps[0].Wrapped) {
			t.Error("the old wrap is gone")
		}
	}
}

func TestRewrapKeepsTheTenantContextIfAskedTo(t *testing.T) {
	hashed := func(cfg *keymgr.Config) {
		d := cfg.Domains["records"]
		d.TenantContext = keymgr.TenantSHA256
		cfg.Domains["records"] = d
	}
	f := newFixture(t, hashed)
	if err := f.Create(t.Context(), acme); err != nil {
		t.Fatal(err)
	}
	context := func() keymgr.TenantContext { return f.record(acme).Wraps[0].TenantContext }
	plain := f.open(lazy)
	res, err := plain.RewrapWith(t.Context(), acme, keymgr.RewrapOptions{KeepTenantContext: true, Force: true})
	if err != nil || res.TenantContext != keymgr.TenantSHA256 || context() != keymgr.TenantSHA256 {
		t.Errorf("%+v, %v", res, err)
	}
	res, err = plain.RewrapWith(t.Context(), acme, keymgr.RewrapOptions{})
	if err != nil || res.Outcome != keymgr.RewrapDone || context() != keymgr.TenantPlain {
		t.Errorf("%+v, %v", res, err)
	}
	f.store.Lie(func(r *keymgr.Record) {
		r.Wraps = append(r.Wraps, keymgr.Wrap{KEKURI: "test-kms://z", TenantContext: keymgr.TenantSHA256})
	})
	_, err = plain.RewrapWith(t.Context(), acme, keymgr.RewrapOptions{KeepTenantContext: true})
	mustBe(t, "mixed", err, keymgr.ErrConfig)
	f.store.Lie(func(r *keymgr.Record) { r.Wraps[0].TenantContext = "md5" })
	_, err = plain.RewrapWith(t.Context(), acme, keymgr.RewrapOptions{KeepTenantContext: true})
	mustBe(t, "unknown", err, keymgr.ErrKeysetInvalid)
}

func TestWhichScopesARewrapLooksAt(t *testing.T) {
	f := newMoveFixture(t, 4)
	m := f.operator()
	for _, c := range []struct {
		name string
		o    keymgr.RewrapOptions
		want int
	}{
		{"all", keymgr.RewrapOptions{}, 5},
		{"a domain", keymgr.RewrapOptions{Domains: []string{"medical"}}, 1},
		{"domains", keymgr.RewrapOptions{Domains: []string{"records", "medical"}}, 5},
		{"scopes", keymgr.RewrapOptions{Scopes: []keymgr.Scope{tenant(2), medical}}, 2},
		{"after", keymgr.RewrapOptions{After: tenant(1)}, 2},
		{"scopes after", keymgr.RewrapOptions{Scopes: []keymgr.Scope{tenant(3), tenant(1), medical}, After: tenant(1)}, 1},
	} {
		c.o.DryRun = true
		report, err := m.RewrapAll(t.Context(), c.o)
		if err != nil || report.Planned != c.want || report.Scopes != c.want || report.Unlisted != 0 {
			t.Errorf("%s: %+v, %v", c.name, report, err)
		}
	}

	other := f.operator(func(cfg *keymgr.Config) { delete(cfg.Domains, "records") })
	report, err := other.RewrapAll(t.Context(), keymgr.RewrapOptions{})
	if err != nil || report.Rewrapped != 1 || report.Unlisted != 4 {
		t.Errorf("a domain that is not listed: %+v, %v", report, err)
	}
	_, err = other.RewrapAll(t.Context(), keymgr.RewrapOptions{Domains: []string{"records"}})
	mustBe(t, "a domain that is not listed, by name", err, keymgr.ErrUnknownDomain)
	report, err = m.RewrapAll(t.Context(), keymgr.RewrapOptions{Scopes: []keymgr.Scope{tenant(77)}})
	mustBe(t, "a scope that is not there", err, keymgr.ErrRewrapFailed)
	if report.Failed != 1 {
		t.Errorf("%+v", report)
	}
	for _, o := range []keymgr.RewrapOptions{{Concurrency: -1}, {Rate: -1}, {Rate: 1e-9}, {Rate: 1e300}} {
		_, err := m.RewrapAll(t.Context(), o)
		mustBe(t, "options", err, keymgr.ErrConfig)
	}
}

func TestAScopeThatIsDeletedMeanwhileIsNoFailure(t *testing.T) {
	f := newMoveFixture(t, 3)
	m := f.operator(func(cfg *keymgr.Config) { cfg.Store = forgetful{f.store, tenant(1)} })
	report, err := m.RewrapAll(t.Context(), keymgr.RewrapOptions{})
	if err != nil || report.Gone != 1 || report.Rewrapped != 3 {
		t.Errorf("%+v, %v", report, err)
	}
}

// forgetful is a store that has lost a scope since it was listed.
type forgetful struct {
	keymgr.Store
	scope keymgr.Scope
}

func (s forgetful) Load(ctx context.Context, scope keymgr.Scope) (keymgr.Record, error) {
	if scope == s.scope {
		return keymgr.Record{}, keymgr.ErrScopeNotFound
	}
	return s.Store.Load(ctx, scope)
}

func TestCloseEndsARewrapAll(t *testing.T) {
	f := newMoveFixture(t, 30)
	arrived := make(chan struct{})
	to := unkind{f.to, func(keymgr.Scope) error { arrived <- struct{}{}; return nil }}
	m := f.open(lazy, withAllKEKs([]keymgr.KEK{to}, f.from))
	defer f.to.Block()()
	result := make(chan error)
	go func() {
		_, err := m.RewrapAll(context.Background(), keymgr.RewrapOptions{Concurrency: 1})
		result <- err
	}()
	<-arrived
	go func() {
		for range arrived {
		}
	}()
	m.Close()
	mustBe(t, "RewrapAll", <-result, keymgr.ErrClosed)
	close(arrived)
	_, err := m.RewrapAll(t.Context(), keymgr.RewrapOptions{})
	mustBe(t, "RewrapAll after Close", err, keymgr.ErrClosed)
	_, err = m.RewrapWith(t.Context(), medical, keymgr.RewrapOptions{})
	mustBe(t, "RewrapWith after Close", err, keymgr.ErrClosed)
}
