package keymgr_test

import (
	"bytes"
	"context"
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

// late is a KEK that answers when it likes, whether or not anyone waits, and
// remembers the data keys that it gave.
type late struct {
	*keymgrtest.KEK
	mu   sync.Mutex
	gave [][]byte
}

func (k *late) Unwrap(ctx context.Context, wrapped []byte, wc keymgr.WrapContext) ([]byte, error) {
	dataKey, err := k.KEK.Unwrap(context.WithoutCancel(ctx), wrapped, wc)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.gave = append(k.gave, dataKey)
	return dataKey, err
}

// Nothing stays of a data key that came too late, and Close waits for it.
func TestTheDataKeyThatCameTooLateIsCleared(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		a, b := &late{KEK: keymgrtest.NewKEK("a")}, &late{KEK: keymgrtest.NewKEK("b")}
		f := newFixture(t, withKEKs([]keymgr.KEK{a, b}))
		f.Evict(medical)
		a.Slow(5 * time.Second)
		began := time.Now()
		f.keys(medical)
		if took := time.Since(began); took != time.Second {
			t.Errorf("took %v", took)
		}
		f.Close()
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("Close took until %v", took)
		}
		for _, dataKey := range append(a.gave, b.gave...) {
			if len(dataKey) == 0 || !bytes.Equal(dataKey, make([]byte, len(dataKey))) {
				t.Errorf("a data key of %d bytes stays", len(dataKey))
			}
		}
		if len(a.gave) != 1 || len(b.gave) != 1 {
			t.Errorf("%d and %d answers", len(a.gave), len(b.gave))
		}
	})
}
