package keymgr_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldcrypt/go/keymgr"
)

// world is a state of what a Manager depends on.
type world struct {
	name string
	set  func(f *fixture)
	// err is what an opening gives; nil for success.
	err error
	// kms is how many KMS calls an opening makes.
	kms int
	// passes: the cached keys serve on.
	passes bool
}

var worlds = []world{
	{"all is well", func(*fixture) {}, nil, 1, true},
	{"KMS unavailable", func(f *fixture) { f.kek.Unavailable() }, keymgr.ErrKMSUnavailable, 1, true},
	{"KMS fails with an error of no class", func(f *fixture) { f.kek.Answer(context.DeadlineExceeded) }, keymgr.ErrKMSUnavailable, 1, true},
	{"KMS hangs", func(f *fixture) { f.kek.Block() }, keymgr.ErrKMSUnavailable, 1, true},
	{"store unavailable", func(f *fixture) { f.store.Fail(keymgr.ErrStoreUnavailable) }, keymgr.ErrStoreUnavailable, 0, true},
	{"store fails with an error of no class", func(f *fixture) { f.store.Fail(context.DeadlineExceeded) }, keymgr.ErrStoreUnavailable, 0, true},
	{"KMS denied", func(f *fixture) { f.kek.Deny() }, keymgr.ErrKMSDenied, 1, false},
	{"another KMS key", func(f *fixture) { f.kek.Answer(keymgr.ErrKEKNotAllowed) }, keymgr.ErrKEKNotAllowed, 1, false},
	{"keyset changed by hand", func(f *fixture) { f.store.Lie(func(r *keymgr.Record) { r.Seal[9] ^= 1 }) }, keymgr.ErrKeysetInvalid, 1, false},
	{"row gone", func(f *fixture) { f.store.Fail(keymgr.ErrScopeNotFound) }, keymgr.ErrScopeNotFound, 0, false},
	{"version 0", func(f *fixture) { f.store.Lie(func(r *keymgr.Record) { r.Version = 0 }) }, keymgr.ErrRollback, 0, false},
	{"wrapped under another KEK", func(f *fixture) { f.store.Lie(func(r *keymgr.Record) { r.Wraps[0].KEKURI = "test-kms://thief" }) }, keymgr.ErrKEKNotAllowed, 0, false},
}

// What a caller gets, and how many KMS calls are made, in every state of the
// world and at every age of the cache.
func TestEveryStateAtEveryAge(t *testing.T) {
	for _, age := range []struct {
		name        string
		age         time.Duration
		refreshes   bool // the use opens the scope
		waits, dead bool // the use waits for it; the keys are too old to serve
	}{
		{"fresh", cacheTTL * 74 / 100, false, false, false},
		{"due for a refresh", cacheTTL * 96 / 100, true, false, false},
		{"idle past CacheTTL", cacheTTL, true, true, false},
		{"idle almost to MaxStale", maxStale - time.Second, true, true, false},
		{"idle to MaxStale", maxStale, true, true, true},
	} {
		for _, w := range worlds {
			t.Run(fmt.Sprintf("%s, %s", w.name, age.name), func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					f := newFixture(t, func(cfg *keymgr.Config) { cfg.KMSTimeout = time.Millisecond })
					before := f.kek.Calls().Total()
					w.set(f)
					time.Sleep(age.age)

					_, err := f.Keys(t.Context(), medical)
					switch {
					case age.waits && (age.dead || !w.passes) && w.err != nil:
						mustBe(t, "a use", err, w.err)
					case err != nil:
						t.Errorf("a use: %v", err)
					}
					synctest.Wait()
					if w.name == "KMS hangs" {
						time.Sleep(time.Millisecond) // let it time out
						synctest.Wait()
					}
					calls := 0
					if age.refreshes {
						calls = w.kms
					}
					if got := f.kek.Calls().Total() - before; got != calls {
						t.Errorf("the use made %d KMS calls, want %d", got, calls)
					}

					_, err = f.Keys(t.Context(), medical)
					evicted := age.refreshes && w.err != nil && (age.dead || !w.passes)
					if evicted {
						mustBe(t, "the next use", err, w.err)
						calls += w.kms
					} else if err != nil {
						t.Errorf("the next use: %v", err)
					}
					synctest.Wait()
					if got := f.kek.Calls().Total() - before; got != calls {
						t.Errorf("both uses made %d KMS calls, want %d", got, calls)
					}

					// The world is well again: so are we, at once.
					f.kek.Recover()
					f.kek.Block()()
					f.store.Fail(nil)
					f.store.Lie(nil)
					if _, err := f.Keys(t.Context(), medical); err != nil {
						t.Errorf("after recovery: %v", err)
					}
					if evicted {
						calls++
					}
					if got := f.kek.Calls().Total() - before; got != calls {
						t.Errorf("recovery made it %d KMS calls, want %d", got, calls)
					}
				})
			})
		}
	}
}

// A cold scope fails with the class of what is wrong, every time anew.
func TestEveryStateWhenCold(t *testing.T) {
	for _, w := range worlds {
		t.Run(w.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				f := newFixture(t)
				cold := f.open(lazy, func(cfg *keymgr.Config) {
					cfg.MinVersions = map[keymgr.Scope]uint64{medical: 1}
				})
				before := f.kek.Calls().Total()
				w.set(f)
				for i := 1; i <= 2; i++ {
					_, err := cold.Keys(t.Context(), medical)
					if w.err == nil {
						mustBe(t, "a use", err, nil)
						return
					}
					mustBe(t, "a cold use", err, w.err)
					if got := f.kek.Calls().Total() - before; got != i*w.kms {
						t.Errorf("%d cold uses made %d KMS calls, want %d", i, got, i*w.kms)
					}
				}
			})
		})
	}
}

func TestRevocationTakesEffectWithinCacheTTLUnderLoad(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFixture(t)
		for range 1000 { // some time passes in use
			time.Sleep(time.Second)
			f.keys(medical)
		}
		f.kek.Deny()
		denied := time.Now()
		for {
			time.Sleep(time.Second)
			_, err := f.Keys(t.Context(), medical)
			synctest.Wait()
			if err != nil {
				mustBe(t, "a use after the revocation", err, keymgr.ErrKMSDenied)
				return
			}
			if time.Since(denied) > cacheTTL {
				t.Fatal("keys serve on after CacheTTL")
			}
		}
	})
}

func TestOutageShorterThanMaxStaleIsNotSeen(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFixture(t)
		f.kek.Unavailable()
		before := f.kek.Calls().Total()
		began := time.Now()
		for time.Since(began) < maxStale-time.Second {
			time.Sleep(time.Second)
			f.keys(medical)
			synctest.Wait()
		}
		if calls := f.kek.Calls().Total() - before; calls < 30 || calls > 130 {
			t.Errorf("an hour of outage made %d KMS calls: the pause between tries is wrong", calls)
		}
		f.kek.Recover()
		before = f.kek.Calls().Total()
		for range 90 {
			f.keys(medical)
			synctest.Wait()
			time.Sleep(time.Second)
		}
		if calls := f.kek.Calls().Total() - before; calls != 1 {
			t.Errorf("recovery made %d KMS calls, want 1", calls)
		}
	})
}

func TestOutageNeverMakesARequestWaitTwice(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFixture(t)
		f.kek.Block() // the worst outage: every call hangs until it times out
		time.Sleep(cacheTTL)
		began := time.Now()
		f.keys(medical)
		if waited := time.Since(began); waited != 10*time.Second {
			t.Errorf("the first use waited %v, want KMSTimeout", waited)
		}
		for range 200 {
			time.Sleep(5 * time.Second)
			began := time.Now()
			f.keys(medical)
			if waited := time.Since(began); waited != 0 {
				t.Fatalf("a later use waited %v", waited)
			}
		}
	})
}

func TestRefreshesAreSpread(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFixture(t)
		var first, last time.Duration
		for range 50 {
			f.Evict(medical)
			f.keys(medical)
			synctest.Wait()
			before, began := f.kek.Calls().Unwrap, time.Now()
			for f.kek.Calls().Unwrap == before {
				time.Sleep(time.Second)
				f.keys(medical)
				synctest.Wait()
			}
			at := time.Since(began)
			if at < cacheTTL*3/4 || at > cacheTTL*95/100+time.Second {
				t.Fatalf("refreshed after %v", at)
			}
			if first == 0 || at < first {
				first = at
			}
			last = max(last, at)
		}
		if last-first < cacheTTL/10 {
			t.Errorf("50 refreshes came between %v and %v", first, last)
		}
	})
}
