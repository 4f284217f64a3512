package keymgr_test

import (
	"context"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldcrypt/go/keymgr"
)

func TestPromotionByAcknowledgement(t *testing.T) {
	inFleet(t, func(t *testing.T, f *fleet) {
		operator, a, b := f.open(lazy), f.open(), f.open()
		time.Sleep(time.Hour)
		id := operator.add(medical, keymgr.Index)
		err := operator.promote(medical, id)
		mustBe(t, "PromoteKey at once", err, keymgr.ErrInstancesBehind)
		for _, m := range []*member{a, b} {
			if !strings.Contains(err.Error(), m.InstanceID()+") holds version 1") {
				t.Errorf("%v does not name %s", err, m.InstanceID())
			}
		}
		if !strings.Contains(err.Error(), time.Now().Add(maxStale+cacheTTL).UTC().Format(time.RFC3339)) {
			t.Errorf("%v does not say from when on age suffices", err)
		}
		beat()
		if !a.searches(medical, id) || !b.searches(medical, id) {
			t.Error("after a heartbeat an instance does not search with the new key")
		}
		mustBe(t, "PromoteKey", operator.promote(medical, id), nil)
		beat()
		for _, m := range []*member{a, b} {
			if i := f.told(m); len(i.Scopes) != 1 || i.Scopes[0].IndexKey != id || i.Scopes[0].Version != 3 {
				t.Errorf("reported after the promotion: %+v", i)
			}
		}
	})
}

// A scope that nobody holds, as far as anybody knows: everybody must have looked.
func TestPromotionOfAScopeThatNobodyHolds(t *testing.T) {
	inFleet(t, func(t *testing.T, f *fleet) {
		operator, a := f.open(lazy), f.open()
		beat()
		id := operator.add(acme, keymgr.Index)
		mustBe(t, "PromoteKey at once", operator.promote(acme, id), keymgr.ErrInstancesBehind)
		a.searches(acme, id)
		beat()
		mustBe(t, "PromoteKey", operator.promote(acme, id), nil)
	})
}

func TestNobodyToWaitForIsNoProof(t *testing.T) {
	inFleet(t, func(t *testing.T, f *fleet) {
		operator := f.open(lazy)
		silent := f.open(func(cfg *keymgr.Config) { cfg.Heartbeat = -1 })
		if silent.InstanceID() != "" || f.told(silent) != nil {
			t.Error("an instance reports that was told not to")
		}
		id := operator.add(medical, keymgr.Index)
		beat()
		mustBe(t, "PromoteKey", operator.promote(medical, id), keymgr.ErrKeyState)
		time.Sleep(maxStale + cacheTTL)
		mustBe(t, "PromoteKey by age", operator.promote(medical, id), nil)
	})
}

// The largest age of the fleet counts, not that of who asks.
func TestPromotionByTheAgeOfTheFleet(t *testing.T) {
	inFleet(t, func(t *testing.T, f *fleet) {
		operator := f.open(lazy)
		old := f.open(func(cfg *keymgr.Config) { cfg.MaxStale = 3 * maxStale })
		id := operator.add(medical, keymgr.Index)
		old.kek.down.Store(true)
		time.Sleep(3*maxStale + cacheTTL - time.Minute)
		mustBe(t, "PromoteKey by the age of the operator", operator.promote(medical, id), keymgr.ErrInstancesBehind)
		time.Sleep(2 * time.Minute)
		mustBe(t, "PromoteKey by the age of the fleet", operator.promote(medical, id), nil)
		if _, err := old.Keys(t.Context(), medical); err == nil {
			t.Error("an instance serves keys that are older than its MaxAge")
		}
	})
}

func TestKMSDownAtOneInstance(t *testing.T) {
	inFleet(t, func(t *testing.T, f *fleet) {
		operator, a, b := f.open(lazy), f.open(), f.open()
		b.kek.down.Store(true)
		id := operator.add(medical, keymgr.Index)
		for range 20 {
			beat()
			err := operator.promote(medical, id)
			mustBe(t, "PromoteKey", err, keymgr.ErrInstancesBehind)
			if strings.Contains(err.Error(), a.InstanceID()) || !strings.Contains(err.Error(), b.InstanceID()) {
				t.Errorf("%v names the wrong instance", err)
			}
		}
		b.kek.down.Store(false)
		beat()
		mustBe(t, "PromoteKey", operator.promote(medical, id), nil)
		if !b.searches(medical, id) {
			t.Error("an instance that has acknowledged does not search with the key")
		}
	})
}

// What a paused or cut-off process has in its cache may serve when it wakes up.
func TestSilentInstanceIsBehindUntilItIsGone(t *testing.T) {
	inFleet(t, func(t *testing.T, f *fleet) {
		operator, paused, live := f.open(lazy), f.open(), f.open()
		beat()
		lastSeen := f.told(paused).LastSeen
		paused.store.cut(keymgr.ErrStoreUnavailable)
		time.Sleep(20 * time.Minute)
		id := operator.add(medical, keymgr.Index)
		for time.Since(lastSeen) <= maxStale+cacheTTL {
			err := operator.promote(medical, id)
			mustBe(t, "PromoteKey", err, keymgr.ErrInstancesBehind)
			if strings.Contains(err.Error(), live.InstanceID()) && time.Since(lastSeen) > 21*time.Minute {
				t.Errorf("%v names the instance that lives", err)
			}
			if time.Since(lastSeen) > 21*time.Minute && !strings.Contains(err.Error(), "is silent") {
				t.Errorf("%v does not say that it is silent", err)
			}
			time.Sleep(time.Minute)
		}
		mustBe(t, "PromoteKey when it is gone", operator.promote(medical, id), nil)
		if k, err := paused.Keys(t.Context(), medical); err == nil && !searches(k, id) {
			t.Error("an instance that is gone serves the keys of before")
		}
		paused.store.cut(nil)
		if !paused.searches(medical, id) {
			t.Error("an instance that has come back serves the keys of before")
		}
		beat()
		if i := f.told(paused); i == nil || i.Gone(time.Now()) || i.Scopes[0].IndexKey != id {
			t.Errorf("an instance that has come back tells %+v", i)
		}
	})
}

// An instance that can read keysets and not report is gone to all others. It must
// not rely on a cache that nobody waits for.
func TestAnInstanceThatCannotReportOpensAtEachUse(t *testing.T) {
	inFleet(t, func(t *testing.T, f *fleet) {
		operator, mute, live := f.open(lazy), f.open(), f.open()
		beat()
		lastSeen := f.told(mute).LastSeen
		mute.store.noReport.Store(true)
		for time.Since(lastSeen) < maxStale+cacheTTL {
			time.Sleep(10 * time.Second)
			mustKeys(t, mute.Manager, medical)
			synctest.Wait()
		}
		time.Sleep(time.Second)
		mute.store.noVersions.Store(true) // so that no heartbeat helps
		id := operator.add(medical, keymgr.Index)
		live.searches(medical, id)
		mustBe(t, "WaitPromotable", operator.WaitPromotable(t.Context(), medical, keymgr.Index, id, nil), nil)
		mustBe(t, "PromoteKey", operator.promote(medical, id), nil)
		if !mute.searches(medical, id) {
			t.Error("an instance that is gone to all others serves from its cache")
		}
		mute.store.noReport.Store(false)
		mute.store.noVersions.Store(false)
		beat()
		calls := mute.kek.Calls().Unwrap
		for range 10 {
			mustKeys(t, mute.Manager, medical)
		}
		if got := mute.kek.Calls().Unwrap - calls; got > 1 {
			t.Errorf("reporting again, 10 uses made %d KMS calls", got)
		}
	})
}

func TestClocksOfProcessesDoNotDecide(t *testing.T) {
	for _, skew := range []time.Duration{-30 * 24 * time.Hour, 30 * 24 * time.Hour} {
		inFleet(t, func(t *testing.T, f *fleet) {
			operator := f.open(lazy)
			a := f.open(func(cfg *keymgr.Config) { cfg.Now = func() time.Time { return time.Now().Add(skew) } })
			id := operator.add(medical, keymgr.Index)
			mustBe(t, "PromoteKey at once", operator.promote(medical, id), keymgr.ErrInstancesBehind)
			beat()
			mustBe(t, "PromoteKey", operator.promote(medical, id), nil)
			if !a.searches(medical, id) {
				t.Error("an instance with another clock serves the keys of before")
			}
		})
	}
}

func TestTwoManagersInOneProcess(t *testing.T) {
	inFleet(t, func(t *testing.T, f *fleet) {
		a, b := f.open(), f.open()
		if a.InstanceID() == b.InstanceID() {
			t.Fatal("two Managers have one id")
		}
		id := a.add(medical, keymgr.Index) // a holds it at once, and reports it at its next heartbeat
		b.kek.down.Store(true)
		beat()
		err := a.promote(medical, id)
		mustBe(t, "PromoteKey", err, keymgr.ErrInstancesBehind)
		if strings.Contains(err.Error(), a.InstanceID()) {
			t.Errorf("%v names who asks", err)
		}
		mustBe(t, "Close", b.Close(), nil)
		mustBe(t, "PromoteKey", a.promote(medical, id), nil)
	})
}

func TestWaitPromotable(t *testing.T) {
	inFleet(t, func(t *testing.T, f *fleet) {
		operator, b := f.open(lazy), f.open()
		b.kek.down.Store(true)
		id := operator.add(medical, keymgr.Seal)
		mustBe(t, "WaitPromotable of no key", operator.WaitPromotable(t.Context(), medical, keymgr.Seal, 1, nil), keymgr.ErrUnknownKey)
		mustBe(t, "WaitPromotable of the primary", operator.WaitPromotable(t.Context(), medical, keymgr.Seal, mustKeys(t, b.Manager, medical).Primary().ID(), nil), keymgr.ErrKeyState)
		mustBe(t, "WaitPromotable for no purpose", operator.WaitPromotable(t.Context(), medical, "x", id, nil), keymgr.ErrKeyState)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		mustBe(t, "WaitPromotable", operator.WaitPromotable(ctx, medical, keymgr.Seal, id, nil), context.DeadlineExceeded)

		began, told := time.Now(), 0
		err := operator.WaitPromotable(t.Context(), medical, keymgr.Seal, id, func(s keymgr.PromoteStatus) {
			told++
			if s.Ready != (len(s.Behind) == 0) || s.Instances != 1 || !s.Ready && !strings.Contains(s.String(), b.InstanceID()) {
				t.Errorf("status %+v: %s", s, s)
			}
			if time.Since(began) > time.Minute {
				b.kek.down.Store(false)
			}
		})
		mustBe(t, "WaitPromotable", err, nil)
		if told < 60 {
			t.Errorf("told %d times", told)
		}
		mustBe(t, "PromoteKey", operator.PromoteKey(t.Context(), medical, keymgr.Seal, id), nil)
	})
}

func TestCloseEndsWaitPromotable(t *testing.T) {
	inFleet(t, func(t *testing.T, f *fleet) {
		operator := f.open(lazy)
		id := operator.add(medical, keymgr.Seal)
		done := make(chan error, 1)
		go func() { done <- operator.WaitPromotable(t.Context(), medical, keymgr.Seal, id, nil) }()
		time.Sleep(time.Minute)
		operator.Close()
		mustBe(t, "WaitPromotable", <-done, keymgr.ErrClosed)
	})
}

// What DisableKey asks: who may still serve a version from before.
func TestBehindAVersion(t *testing.T) {
	inFleet(t, func(t *testing.T, f *fleet) {
		operator, a, b := f.open(lazy), f.open(), f.open()
		mustKeys(t, a.Manager, acme)
		beat()
		operator.add(acme, keymgr.Index)
		behind := func(want ...*member) {
			t.Helper()
			got, of, err := operator.Behind(t.Context(), acme, 2)
			mustBe(t, "behind", err, nil)
			if of != 2 || len(got) != len(want) {
				t.Fatalf("%d of %d are behind: %+v", len(got), of, got)
			}
			for _, m := range want {
				if got[0].ID != m.InstanceID() && got[len(got)-1].ID != m.InstanceID() {
					t.Errorf("behind: %+v", got)
				}
			}
		}
		behind(a, b)
		a.kek.down.Store(true)
		beat()
		behind(a)
		a.kek.down.Store(false)
		beat()
		behind()
	})
}

// "For ever", added to anything, is a time that has passed.
func TestKeysThatServeForEver(t *testing.T) {
	const forEver = math.MaxInt64
	f := newFixture(t)
	for name, set := range map[string]func(*keymgr.Config){
		"MaxStale":     func(cfg *keymgr.Config) { cfg.MaxStale = forEver },
		"CacheTTL":     func(cfg *keymgr.Config) { cfg.CacheTTL = forEver },
		"KMSTimeout":   func(cfg *keymgr.Config) { cfg.KMSTimeout = forEver },
		"StoreTimeout": func(cfg *keymgr.Config) { cfg.StoreTimeout = forEver },
	} {
		m, err := keymgr.Open(t.Context(), f.config(set))
		mustBe(t, "Open with a "+name+" of 292 years", err, keymgr.ErrConfig)
		if err == nil {
			m.Close()
		}
	}
	operator := f.open(lazy, func(cfg *keymgr.Config) { cfg.MaxStale = 10 * 365 * 24 * time.Hour })
	id, err := operator.AddKey(t.Context(), medical, keymgr.Index)
	mustBe(t, "AddKey", err, nil)
	mustBe(t, "PromoteKey of a new key", operator.PromoteKey(t.Context(), medical, keymgr.Index, id), keymgr.ErrKeyState)
}
