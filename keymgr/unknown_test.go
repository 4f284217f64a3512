package keymgr_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldcrypt/go/keymgr"
)

func TestKeysForFindsANewKeyOfAnotherProcess(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFixture(t)
		other := f.open()
		id, err := other.AddKey(t.Context(), medical, keymgr.Seal)
		mustBe(t, "AddKey", err, nil)

		before := f.kek.Calls().Unwrap
		loads, versions := f.store.Reads()
		release := f.kek.Block()
		var wg sync.WaitGroup
		for range crowd {
			wg.Go(func() {
				k, err := f.KeysFor(t.Context(), medical, id)
				if err != nil || k.Version() != 2 {
					t.Errorf("KeysFor: %v, %v", k, err)
				}
			})
		}
		synctest.Wait()
		release()
		wg.Wait()
		if got := f.kek.Calls().Unwrap - before; got != 1 {
			t.Errorf("%d KMS calls", got)
		}
		if l, v := f.store.Reads(); l-loads != 1 || v-versions != 1 {
			t.Errorf("%d loads, %d versions", l-loads, v-versions)
		}
	})
}

func TestPlantedKeyIDsAreNoStorm(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFixture(t)
		calls := f.kek.Calls().Total()
		loads, versions := f.store.Reads()
		for id := range uint32(10_000) {
			_, err := f.KeysFor(t.Context(), medical, id)
			mustBe(t, "a planted id", err, keymgr.ErrUnknownKey)
		}
		if got := f.kek.Calls().Total() - calls; got != 0 {
			t.Errorf("%d KMS calls", got)
		}
		l, v := f.store.Reads()
		if l != loads || v-versions != 8 {
			t.Errorf("%d loads and %d reads of the version at once", l-loads, v-versions)
		}

		// In time, one a second, for other ids only.
		for range 100 {
			time.Sleep(time.Second / 10)
			for id := range uint32(100) {
				f.KeysFor(t.Context(), medical, 20_000+id)
			}
		}
		l, w := f.store.Reads()
		if l != loads || w-v > 11 {
			t.Errorf("%d loads and %d reads of the version in ten seconds", l-loads, w-v)
		}
	})
}

func TestUnknownKeyIsRememberedForAWhile(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFixture(t)
		reads := func() int {
			_, v := f.store.Reads()
			return v
		}
		before := reads()
		for range 100 {
			f.KeysFor(t.Context(), medical, 7)
		}
		if got := reads() - before; got != 1 {
			t.Errorf("%d reads for one id", got)
		}
		time.Sleep(time.Minute)
		f.KeysFor(t.Context(), medical, 7)
		if got := reads() - before; got != 2 {
			t.Errorf("%d reads after a minute", got)
		}
	})
}

func TestNewVersionForgetsUnknownKeys(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFixture(t)
		for id := range uint32(100) { // the budget is gone
			f.KeysFor(t.Context(), medical, id)
		}
		other := f.open()
		id, err := other.AddKey(t.Context(), medical, keymgr.Seal)
		mustBe(t, "AddKey", err, nil)
		_, err = f.KeysFor(t.Context(), medical, id)
		mustBe(t, "within the limit's bound", err, keymgr.ErrUnknownKey)
		time.Sleep(time.Second)
		_, err = f.KeysFor(t.Context(), medical, id)
		mustBe(t, "a second later", err, nil)
		next, err := other.AddKey(t.Context(), medical, keymgr.Seal)
		mustBe(t, "AddKey", err, nil)
		_, err = f.KeysFor(t.Context(), medical, next)
		mustBe(t, "the next new key", err, nil)
	})
}

func TestKeysForWhenNothingAnswers(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFixture(t)
		f.store.Fail(keymgr.ErrStoreUnavailable)
		for id := range uint32(100) { // also when the budget is gone
			_, err := f.KeysFor(t.Context(), medical, id)
			mustBe(t, "store unavailable", err, keymgr.ErrStoreUnavailable)
		}
		f.store.Fail(nil)
		time.Sleep(time.Minute)

		id, err := f.open().AddKey(t.Context(), medical, keymgr.Seal)
		mustBe(t, "AddKey", err, nil)
		f.kek.Unavailable()
		_, err = f.KeysFor(t.Context(), medical, id)
		mustBe(t, "KMS unavailable", err, keymgr.ErrKMSUnavailable)
		f.keys(medical) // the cached keys serve on
		f.kek.Recover()
		_, err = f.KeysFor(t.Context(), medical, id)
		mustBe(t, "after recovery", err, nil)
	})
}

func TestKeysForSeesARollback(t *testing.T) {
	f := newFixture(t)
	_, err := f.AddKey(t.Context(), medical, keymgr.Seal)
	mustBe(t, "AddKey", err, nil)
	calls := f.kek.Calls().Total()
	f.store.Lie(func(r *keymgr.Record) { r.Version = 1 })
	_, err = f.KeysFor(t.Context(), medical, 7)
	mustBe(t, "KeysFor", err, keymgr.ErrRollback)
	if f.kek.Calls().Total() != calls {
		t.Error("the KMS was called")
	}
}

func TestKeysForSeesThatTheRowIsGone(t *testing.T) {
	f := newFixture(t)
	f.store.Fail(keymgr.ErrScopeNotFound)
	_, err := f.KeysFor(t.Context(), medical, 7)
	mustBe(t, "KeysFor", err, keymgr.ErrScopeNotFound)
	_, err = f.Keys(t.Context(), medical)
	mustBe(t, "Keys", err, keymgr.ErrScopeNotFound)
}

func TestKeysForJoinsAnOpeningThatCameTooEarly(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFixture(t)
		other := f.open(func(cfg *keymgr.Config) { cfg.Store = f.store.Store })
		gate := make(chan struct{})
		f.store.Lie(func(r *keymgr.Record) {
			if r.Seal != nil {
				<-gate
			}
		})
		time.Sleep(cacheTTL * 96 / 100)
		f.keys(medical) // a refresh begins: it has read version 1 and hangs
		synctest.Wait()
		id, err := other.AddKey(t.Context(), medical, keymgr.Seal)
		mustBe(t, "AddKey", err, nil)
		found := make(chan error)
		go func() {
			_, err := f.KeysFor(t.Context(), medical, id)
			found <- err
		}()
		synctest.Wait()
		close(gate)
		mustBe(t, "KeysFor", <-found, nil)
	})
}
