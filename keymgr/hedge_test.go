package keymgr_test

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
)

// A KEK that the budget makes wait is not slow: no other is asked beside it.
func TestWaitingForTheBudgetIsNoReasonToHedge(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		const tenants = 60
		a, b := keymgrtest.NewKEK("a"), keymgrtest.NewKEK("b")
		seen := &observed{}
		f := newFixture(t)
		both := func(cfg *keymgr.Config) {
			d := cfg.Domains["records"]
			d.KEKs = []keymgr.KEK{a, b}
			cfg.Domains["records"] = d
		}
		admin := f.open(lazy, both)
		for i := range tenants {
			mustBe(t, "Create", admin.Create(t.Context(), recordsOf(i)), nil)
		}
		m := f.open(lazy, both, func(cfg *keymgr.Config) { cfg.KMSRate, cfg.Observer = 20, seen })
		a.ResetCalls()
		b.ResetCalls()
		a.Slow(50 * time.Millisecond)
		var wg sync.WaitGroup
		for i := range tenants {
			wg.Go(func() { mustKeys(t, m, recordsOf(i)) })
		}
		wg.Wait()
		synctest.Wait()
		keymgrtest.AssertKMSCalls(t, a, tenants)
		keymgrtest.AssertKMSCalls(t, b, 0)
		for _, o := range all[keymgr.ScopeOpened](seen) {
			if o.Failover != "" {
				t.Errorf("observed %+v", o)
			}
		}
		if n := len(all[keymgr.KMSThrottled](seen)); n != 0 {
			t.Errorf("%d calls were not made", n)
		}
	})
}

// So it is for a re-wrap that waits for its own turn.
func TestWaitingForTheRateOfARewrapIsNoReasonToHedge(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		const tenants = 10
		a, b, c := keymgrtest.NewKEK("a"), keymgrtest.NewKEK("b"), keymgrtest.NewKEK("c")
		f := newFixture(t)
		keks := func(keks []keymgr.KEK, old ...keymgr.KEK) func(*keymgr.Config) {
			return func(cfg *keymgr.Config) {
				d := cfg.Domains["records"]
				d.KEKs, d.DecryptOnly = keks, old
				cfg.Domains["records"] = d
			}
		}
		admin := f.open(lazy, keks([]keymgr.KEK{a, b}))
		for i := range tenants {
			mustBe(t, "Create", admin.Create(t.Context(), recordsOf(i)), nil)
		}
		b.ResetCalls()
		m := f.open(lazy, keks([]keymgr.KEK{c}, a, b))
		report, err := m.RewrapAll(t.Context(), keymgr.RewrapOptions{Rate: 1, Domains: []string{"records"}})
		mustBe(t, "RewrapAll", err, nil)
		if report.Rewrapped != tenants || report.KMSCalls != 3*tenants {
			t.Errorf("%+v", report)
		}
		keymgrtest.AssertKMSCalls(t, b, 0)
	})
}

// What the log says of an opening is what happened.
func TestTheFirstKEKIsNotCalledAnother(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		a, b := keymgrtest.NewKEK("a"), keymgrtest.NewKEK("b")
		f := newFixture(t, withKEKs([]keymgr.KEK{a, b}))
		f.Evict(medical)
		a.Slow(2 * time.Second)
		b.Deny()
		f.keys(medical)
		if strings.Contains(f.log.String(), "only another KEK") {
			t.Error(f.log)
		}
	})
}
