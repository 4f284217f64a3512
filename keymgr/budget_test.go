package keymgr_test

import (
	"context"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
)

func recordsOf(i int) keymgr.Scope { return keymgr.Scope{Domain: "records", Tenant: fmt.Sprint(i)} }

// Sixty tenants at 20 calls a second: 20 at once, and the rest in two seconds.
func TestKMSRateSpreadsCalls(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFixture(t)
		for i := range 60 {
			mustBe(t, "Create", f.Create(t.Context(), recordsOf(i)), nil)
		}
		m := f.open(lazy, func(cfg *keymgr.Config) { cfg.KMSRate = 20 })
		f.kek.ResetCalls()
		began := time.Now()
		errs := make(chan error)
		for i := range 60 {
			go func() {
				_, err := m.Keys(t.Context(), recordsOf(i))
				errs <- err
			}()
		}
		synctest.Wait() // 20 are done, and block at the channel
		keymgrtest.AssertKMSCalls(t, f.kek, 20)
		for range 60 {
			mustBe(t, "Keys", <-errs, nil)
		}
		if took := time.Since(began).Round(time.Millisecond); took != 2*time.Second {
			t.Errorf("60 calls took %v", took)
		}
		if s := m.Stats(); s.KMSCalls != 60 || s.Throttled != 40 || s.Opens != 60 || s.OpenScopes != 60 {
			t.Errorf("%+v", s)
		}
	})
}

// More scopes than the budget has calls for, all used again and again: calls that
// had to wait still have time to be answered, so all of them open in the end.
func TestKMSRateUnderLoadMakesProgress(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		const tenants, rate = 300, 20
		f := newFixture(t)
		for i := range tenants {
			mustBe(t, "Create", f.Create(t.Context(), recordsOf(i)), nil)
		}
		m := f.open(lazy, func(cfg *keymgr.Config) { cfg.KMSRate, cfg.KMSTimeout = rate, 2*time.Second })
		f.kek.Slow(100 * time.Millisecond)
		var open atomic.Int32
		var wg sync.WaitGroup
		for i := range tenants {
			wg.Go(func() {
				for range 10 * 60 {
					if _, err := m.Keys(t.Context(), recordsOf(i)); err == nil {
						open.Add(1)
						return
					}
					time.Sleep(100 * time.Millisecond)
				}
			})
		}
		wg.Wait()
		if n := open.Load(); n != tenants {
			t.Errorf("%d of %d scopes have opened, %+v", n, tenants, m.Stats())
		}
	})
}

// Where the budget leaves no room, cached keys serve on and others get
// ErrKMSUnavailable at once; another provider has a budget of its own.
func TestKMSRateExceededIsUnavailable(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		seen := &observed{}
		f := newFixture(t, func(cfg *keymgr.Config) {
			cfg.KMSRate, cfg.Observer = 1.0/3600, seen
			d := cfg.Domains["records"]
			d.KEKs = []keymgr.KEK{elsewhere{keymgrtest.NewKEK("key")}}
			cfg.Domains["records"] = d
		})
		time.Sleep(cacheTTL)
		f.keys(medical)
		keymgrtest.AssertKMSCalls(t, f.Manager, 1) // which made it
		mustBe(t, "another provider", f.Create(t.Context(), acme), nil)
		f.Evict(medical)
		began := time.Now()
		_, err := f.Keys(t.Context(), medical)
		mustBe(t, "nothing cached", err, keymgr.ErrKMSUnavailable)
		mustBeOneClass(t, err)
		if took := time.Since(began); took != 0 {
			t.Errorf("waited %v for what cannot come in time", took)
		}
		keymgrtest.AssertKMSCalls(t, f.Manager, 2)
		if s := f.Stats(); s.Throttled != 2 || len(all[keymgr.KMSThrottled](seen)) != 2 {
			t.Errorf("%+v", s)
		}
	})
}

// Who gives up while a call waits for the budget was not refused by it.
func TestACancelledWaitIsNotObservedAsThrottled(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		seen := &observed{}
		f := newFixture(t, func(cfg *keymgr.Config) { cfg.KMSRate, cfg.Observer = 1, seen })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		time.AfterFunc(time.Second/4, cancel)
		_, err := f.AddKey(ctx, medical, keymgr.Seal) // the budget's next call is in a second
		mustBe(t, "AddKey", err, keymgr.ErrKMSUnavailable)
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Second/4, cancel)
		_, err = f.AddKey(ctx, medical, keymgr.Seal)
		mustBe(t, "AddKey", err, context.Canceled)
		if got := all[keymgr.KMSThrottled](seen); len(got) != 1 {
			t.Errorf("observed %+v", got)
		}
	})
}

// elsewhere is a KEK of another provider.
type elsewhere struct{ *keymgrtest.KEK }

func (elsewhere) URI() string { return "other-kms://key" }

func TestKMSRateMustBePositive(t *testing.T) {
	f := newFixture(t)
	for _, r := range []float64{-1, math.NaN(), math.Inf(-1)} {
		_, err := keymgr.Open(t.Context(), f.config(func(cfg *keymgr.Config) { cfg.KMSRate = r }))
		mustBe(t, fmt.Sprint(r), err, keymgr.ErrConfig)
	}
	_, err := keymgr.Open(t.Context(), f.config(func(cfg *keymgr.Config) { cfg.HedgeAfter = -1 }))
	mustBe(t, "HedgeAfter", err, keymgr.ErrConfig)
	f.open(func(cfg *keymgr.Config) { cfg.KMSRate = math.Inf(1) })
}

// A cold scope costs 8 openings at once and one a second, however often it is
// used, and opens within a second once the KMS is well.
func TestColdScopeThatIsRefusedIsNoStorm(t *testing.T) {
	for _, fail := range []error{keymgr.ErrKMSDenied, keymgr.ErrKMSUnavailable, keymgr.ErrKEKNotAllowed} {
		inBubble(t, func(t *testing.T) {
			f := newFixture(t)
			mustBe(t, "Create", f.Create(t.Context(), acme), nil)
			m := f.open(lazy)
			f.kek.Answer(fail)
			f.kek.ResetCalls()
			for range 1000 {
				_, err := m.Keys(t.Context(), medical)
				mustBe(t, "a cold use", err, fail)
				mustBeOneClass(t, err)
			}
			keymgrtest.AssertKMSCalls(t, f.kek, 8)
			for range 100 {
				time.Sleep(time.Second / 10)
				_, err := m.Keys(t.Context(), medical)
				mustBe(t, "a cold use", err, fail)
			}
			keymgrtest.AssertKMSCalls(t, f.kek, 18)
			if s := m.Stats(); s.Refused != 1000-8+100-10 {
				t.Errorf("%+v", s)
			}
			_, err := m.Keys(t.Context(), acme) // another scope has its own
			mustBe(t, "another scope", err, fail)
			keymgrtest.AssertKMSCalls(t, f.kek, 19)

			f.kek.Recover()
			_, err = m.Keys(t.Context(), medical)
			mustBe(t, "within the second", err, fail)
			time.Sleep(time.Second)
			mustKeys(t, m, medical)
			f.kek.Answer(fail)
			m.Evict(medical)
			for range 100 {
				m.Keys(t.Context(), medical)
			}
			keymgrtest.AssertKMSCalls(t, f.kek, 28) // after an opening all 8 are there again
			f.kek.Recover()
			m.Evict(medical) // the operator knows better
			mustKeys(t, m, medical)
		})
	}
}

// Scopes that AutoCreate could make are no way around it.
func TestColdScopeThatCannotBeMadeIsNoStorm(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFixture(t, func(cfg *keymgr.Config) {
			d := cfg.Domains["records"]
			d.AutoCreate = true
			cfg.Domains["records"] = d
		})
		f.kek.Deny()
		f.kek.ResetCalls()
		for range 1000 {
			mustBe(t, "Ensure", f.Ensure(t.Context(), acme), keymgr.ErrKMSDenied)
		}
		if n := f.kek.Calls().Total(); n > 8 {
			t.Errorf("%d KMS calls", n)
		}
		f.kek.Recover()
		time.Sleep(2 * time.Second) // to look for it, and to make it
		mustBe(t, "Ensure", f.Ensure(t.Context(), acme), nil)
	})
}

// A scope that could not be made while the KMS was away is made soon after,
// however many ask for it.
func TestAutoCreateRecoversUnderLoad(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFixture(t, func(cfg *keymgr.Config) {
			d := cfg.Domains["records"]
			d.AutoCreate = true
			cfg.Domains["records"] = d
		})
		f.kek.Unavailable()
		for range 100 {
			mustBe(t, "while the KMS is away", f.Ensure(t.Context(), acme), keymgr.ErrKMSUnavailable)
		}
		if n := f.kek.Calls().GenerateDataKey; n > 1+8 { // one for medical
			t.Errorf("%d calls", n)
		}
		f.kek.Recover()
		began := time.Now()
		for f.Ensure(t.Context(), acme) != nil {
			if time.Since(began) > 2*time.Second {
				t.Fatal("not made")
			}
			time.Sleep(10 * time.Millisecond)
		}
	})
}

func TestAMillionUsesMakeNoKMSCall(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFixture(t, func(cfg *keymgr.Config) { cfg.CountHits = true })
		s := f.ForScope(medical)
		id := f.keys(medical).Primary().ID()
		f.kek.ResetCalls()
		hits := f.Stats().Hits
		time.Sleep(cacheTTL * 74 / 100)
		for range 250_000 {
			f.Keys(t.Context(), medical)
			f.KeysFor(t.Context(), medical, id)
			s.Keys(t.Context())
			s.KeysFor(t.Context(), id)
		}
		keymgrtest.AssertKMSCalls(t, f.kek, 0)
		if n := f.Stats().Hits - hits; n != 1_000_000 {
			t.Errorf("%d hits", n)
		}
		time.Sleep(cacheTTL * 22 / 100)
		f.keys(medical)
		synctest.Wait()
		keymgrtest.AssertKMSCalls(t, f.kek, 1)
	})
}
