package keymgr_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldcrypt/go/keymgr"
)

const crowd = 100

func TestColdCrowdMakesOneKMSCall(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFixture(t)
		cold := f.open(lazy)
		calls := f.kek.Calls()
		loads, _ := f.store.Reads()
		release := f.kek.Block()
		var wg sync.WaitGroup
		for range crowd {
			wg.Go(func() { mustKeys(t, cold, medical) })
		}
		synctest.Wait() // all of them wait now
		release()
		wg.Wait()
		if got := f.kek.Calls().Unwrap - calls.Unwrap; got != 1 {
			t.Errorf("%d KMS calls", got)
		}
		if got, _ := f.store.Reads(); got-loads != 1 {
			t.Errorf("%d loads", got-loads)
		}
	})
}

func TestCrowdPastCacheTTLMakesOneKMSCall(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFixture(t)
		for _, fail := range []error{nil, keymgr.ErrKMSUnavailable} {
			f.kek.Answer(fail)
			before := f.kek.Calls().Unwrap
			time.Sleep(cacheTTL)
			release := f.kek.Block()
			var wg sync.WaitGroup
			for range crowd {
				wg.Go(func() { f.keys(medical) })
			}
			synctest.Wait()
			release()
			wg.Wait()
			if got := f.kek.Calls().Unwrap - before; got != 1 {
				t.Errorf("KMS answers %v: %d calls", fail, got)
			}
		}
	})
}

func TestEnsureOfACrowdCreatesOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFixture(t, func(cfg *keymgr.Config) {
			d := cfg.Domains["records"]
			d.AutoCreate = true
			cfg.Domains["records"] = d
		})
		before := f.kek.Calls()
		release := f.kek.Block()
		var wg sync.WaitGroup
		for range crowd {
			wg.Go(func() { mustBe(t, "Ensure", f.Ensure(t.Context(), acme), nil) })
			wg.Go(func() { f.Keys(t.Context(), acme) }) // finds it or not
		}
		synctest.Wait()
		release()
		wg.Wait()
		f.keys(acme)
		after := f.kek.Calls()
		if after.GenerateDataKey-before.GenerateDataKey != 1 || after.Unwrap != before.Unwrap {
			t.Errorf("calls %+v, before %+v", after, before)
		}
	})
}

func TestKeysNeverCreates(t *testing.T) {
	f := newFixture(t, func(cfg *keymgr.Config) {
		d := cfg.Domains["records"]
		d.AutoCreate = true
		cfg.Domains["records"] = d
	})
	_, err := f.Keys(t.Context(), acme)
	mustBe(t, "Keys", err, keymgr.ErrScopeNotFound)
	_, err = f.KeysFor(t.Context(), acme, 1)
	mustBe(t, "KeysFor", err, keymgr.ErrScopeNotFound)
}

func TestWaitersObeyTheirOwnContextAndTheOpeningGoesOn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFixture(t)
		cold := f.open(lazy)
		before := f.kek.Calls().Unwrap
		release := f.kek.Block()
		cause := errors.New("the request was cut off")
		ctx, cancel := context.WithCancelCause(t.Context())
		first := make(chan error)
		go func() {
			_, err := cold.Keys(ctx, medical) // it is this one that starts the opening
			first <- err
		}()
		synctest.Wait()
		second := make(chan error)
		go func() {
			_, err := cold.Keys(t.Context(), medical)
			second <- err
		}()
		synctest.Wait()
		cancel(cause)
		mustBe(t, "the waiter that gave up", <-first, cause)
		release()
		mustBe(t, "the waiter that stayed", <-second, nil)
		if got := f.kek.Calls().Unwrap - before; got != 1 {
			t.Errorf("%d KMS calls", got)
		}
	})
}

func TestEvictedScopeOpensThroughTheKMS(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFixture(t)
		old := f.keys(medical)
		f.Evict(medical)
		f.Evict(keymgr.Scope{Domain: "nothing"})
		before := f.kek.Calls().Unwrap
		f.keys(medical)
		if got := f.kek.Calls().Unwrap - before; got != 1 {
			t.Errorf("%d KMS calls", got)
		}
		if _, err := old.SealKey(old.Primary().ID()); err != nil {
			t.Errorf("keys that were handed out: %v", err)
		}
	})
}

func TestOpeningThatBeganBeforeEvictIsNotCached(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFixture(t)
		f.Evict(medical)
		release := f.kek.Block()
		done := make(chan error)
		go func() {
			_, err := f.Keys(t.Context(), medical)
			done <- err
		}()
		synctest.Wait()
		f.Evict(medical)
		release()
		mustBe(t, "the waiter", <-done, nil)
		before := f.kek.Calls().Unwrap
		f.keys(medical)
		if got := f.kek.Calls().Unwrap - before; got != 1 {
			t.Errorf("%d KMS calls after Evict", got)
		}
	})
}

func TestEvictionKeepsTheHighestVersion(t *testing.T) {
	f := newFixture(t)
	if _, err := f.AddKey(t.Context(), medical, keymgr.Seal); err != nil {
		t.Fatal(err)
	}
	f.Evict(medical)
	f.store.Lie(func(r *keymgr.Record) { r.Version = 1 })
	before := f.kek.Calls().Total()
	_, err := f.Keys(t.Context(), medical)
	mustBe(t, "Keys", err, keymgr.ErrRollback)
	if f.kek.Calls().Total() != before {
		t.Error("the KMS was called for a record that is too old")
	}
}

func TestCloseCancelsAndWaits(t *testing.T) {
	inBubble(t, func(t *testing.T) { // which fails if a goroutine is left
		f := newFixture(t)
		f.kek.Block() // never released
		time.Sleep(cacheTTL * 96 / 100)
		f.keys(medical) // starts a refresh in the background
		waiting := make(chan error)
		f.Evict(medical)
		go func() {
			_, err := f.Keys(t.Context(), medical)
			waiting <- err
		}()
		go func() {
			_, err := f.AddKey(t.Context(), medical, keymgr.Index)
			waiting <- err
		}()
		synctest.Wait()
		began := time.Now()
		closed := make(chan struct{})
		go func() {
			defer close(closed)
			f.Close()
		}()
		for range 2 {
			if err := <-waiting; err == nil {
				t.Error("a call in progress succeeded")
			}
		}
		<-closed
		if time.Since(began) != 0 {
			t.Errorf("Close took %v", time.Since(began))
		}
		f.Close() // again is fine
		_, err := f.Keys(t.Context(), medical)
		mustBe(t, "Keys", err, keymgr.ErrClosed)
		_, err = f.KeysFor(t.Context(), medical, 1)
		mustBe(t, "KeysFor", err, keymgr.ErrClosed)
		_, err = f.AddKey(t.Context(), medical, keymgr.Seal)
		mustBe(t, "AddKey", err, keymgr.ErrClosed)
		mustBe(t, "PromoteKey", f.PromoteKey(t.Context(), medical, keymgr.Seal, 1), keymgr.ErrClosed)
		mustBe(t, "Ensure", f.Ensure(t.Context(), medical), keymgr.ErrClosed)
		mustBe(t, "Create", f.Create(t.Context(), medical), keymgr.ErrClosed)
		mustBe(t, "Rewrap", f.Rewrap(t.Context(), medical), keymgr.ErrClosed)
	})
}

func TestCachedKeysCostNoAllocation(t *testing.T) {
	f := newFixture(t)
	mustBe(t, "Create", f.Create(t.Context(), acme), nil)
	id := f.keys(acme).Primary().ID()
	ctx := t.Context()
	for _, s := range []keymgr.Scope{medical, acme} {
		if n := testing.AllocsPerRun(100, func() { f.Keys(ctx, s) }); n != 0 {
			t.Errorf("Keys of %s allocates %v times", s, n)
		}
	}
	if n := testing.AllocsPerRun(100, func() { f.KeysFor(ctx, acme, id) }); n != 0 {
		t.Errorf("KeysFor allocates %v times", n)
	}
}

func TestMadeUpTenantsFillNoMemory(t *testing.T) {
	f := newFixture(t)
	calls := f.kek.Calls().Total()
	for i := range 1000 {
		_, err := f.Keys(t.Context(), keymgr.Scope{Domain: "records", Tenant: fmt.Sprint(i)})
		mustBe(t, "Keys", err, keymgr.ErrScopeNotFound)
	}
	if n := f.Entries(); n != 1 {
		t.Errorf("%d scopes in the cache, want medical alone", n)
	}
	if f.kek.Calls().Total() != calls {
		t.Error("the KMS was asked about scopes that do not exist")
	}
}

// A store that says that its own rows cannot be is not one that does not answer.
func TestStoreThatFindsItsRowsInvalid(t *testing.T) {
	f := newFixture(t)
	f.keys(medical)
	f.store.Fail(fmt.Errorf("no wrapped data key: %w", keymgr.ErrKeysetInvalid))
	f.Evict(medical)
	_, err := f.Manager.Keys(t.Context(), medical)
	mustBe(t, "Keys", err, keymgr.ErrKeysetInvalid)
	mustBeOneClass(t, err)
}
