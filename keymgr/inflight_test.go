package keymgr_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldcrypt/go/keymgr"
)

// stopAfterLoad makes the member's next opening of a scope stop when it has read
// the store. It returns how to wait for that, and how to let it go on.
func (m *member) stopAfterLoad(s keymgr.Scope) (stopped <-chan struct{}, goOn func()) {
	reached, gate := make(chan struct{}), make(chan struct{})
	var do func(keymgr.Scope)
	do = func(scope keymgr.Scope) {
		if scope != s {
			m.store.afterLoad.Store(&do)
			return
		}
		close(reached)
		<-gate
	}
	m.store.afterLoad.Store(&do)
	return reached, sync.OnceFunc(func() { close(gate) })
}

// begin begins an opening by the member, and returns how to get its keys.
func (m *member) begin(s keymgr.Scope) (keys func() *keymgr.Keys) {
	done := make(chan *keymgr.Keys, 1)
	go func() {
		k, err := m.Keys(m.t.Context(), s)
		if err != nil {
			m.t.Errorf("Keys: %v", err)
		}
		done <- k
	}()
	return func() *keymgr.Keys { return <-done }
}

// An opening has read the store before the key was added, and lands after the
// heartbeat that acknowledges the key.
func TestOpeningInFlightOverAHeartbeat(t *testing.T) {
	for name, evict := range map[string]bool{"": false, "and evicted": true} {
		t.Run(name, func(t *testing.T) {
			inFleet(t, func(t *testing.T, f *fleet) {
				operator, a := f.open(lazy), f.open()
				stopped, goOn := a.stopAfterLoad(acme)
				defer goOn()
				keys := a.begin(acme) // for the first time
				<-stopped
				if evict {
					a.Evict(acme)
				}
				id := operator.add(acme, keymgr.Index)
				mustBe(t, "PromoteKey", operator.promote(acme, id), keymgr.ErrInstancesBehind)
				beat()
				mustBe(t, "PromoteKey", operator.promote(acme, id), nil)
				goOn()
				if k := keys(); !searches(k, id) {
					t.Errorf("an opening in flight gave %v after the promotion", k)
				}
				if !a.searches(acme, id) {
					t.Error("an opening in flight left the keys of before in the cache")
				}
			})
		})
	}
}

// The same, begun when the heartbeat has listed its scopes and not read versions.
func TestOpeningThatBeginsWithinAHeartbeat(t *testing.T) {
	inFleet(t, func(t *testing.T, f *fleet) {
		operator, a := f.open(lazy), f.open()
		stopped, goOn := a.stopAfterLoad(acme)
		defer goOn()
		var keys func() *keymgr.Keys
		var id uint32
		within := func() {
			keys = a.begin(acme)
			<-stopped
			id = operator.add(acme, keymgr.Index)
			err := operator.promote(acme, id)
			mustBe(t, "PromoteKey within the heartbeat", err, keymgr.ErrInstancesBehind)
			time.Sleep(time.Millisecond)
		}
		a.store.beforeVersions.Store(&within)
		beat()
		mustBe(t, "PromoteKey after it", operator.promote(acme, id), nil)
		goOn()
		if k := keys(); !searches(k, id) {
			t.Errorf("the opening gave %v after the promotion", k)
		}
	})
}

// A process that is stopped in the middle of an opening for longer than its MaxAge.
func TestOpeningThatTookLongerThanKeysServe(t *testing.T) {
	inFleet(t, func(t *testing.T, f *fleet) {
		operator, a, b := f.open(lazy), f.open(), f.open()
		beat()
		stopped, goOn := a.stopAfterLoad(acme)
		defer goOn()
		keys := a.begin(acme)
		<-stopped
		a.store.noVersions.Store(true) // its heartbeats stop with it
		time.Sleep(maxStale)
		id := operator.add(acme, keymgr.Index)
		mustBe(t, "PromoteKey at once", operator.promote(acme, id), keymgr.ErrInstancesBehind)
		time.Sleep(cacheTTL + time.Minute)
		mustBe(t, "PromoteKey", operator.promote(acme, id), nil)
		goOn()
		if k := keys(); !searches(k, id) {
			t.Errorf("the opening gave %v, an hour late", k)
		}
		if !b.searches(acme, id) {
			t.Error("the live instance does not search with the key")
		}
	})
}

// A change of this Manager's own that another one has overtaken.
func TestChangeThatWasOvertakenIsNotCached(t *testing.T) {
	inFleet(t, func(t *testing.T, f *fleet) {
		operator, a := f.open(lazy), f.open()
		var id uint32
		meanwhile := func() { // when it has been made, and not yet been noted
			id = operator.add(medical, keymgr.Index)
			beat()
			a.Evict(medical)
		}
		a.store.afterSwap.Store(&meanwhile)
		mustBe(t, "Rewrap", a.Rewrap(t.Context(), medical), nil)
		if !a.searches(medical, id) {
			t.Error("an overtaken change left the keys of before in the cache")
		}
	})
}

// The store holds less than the last heartbeat has read there.
func TestStoreThatGoesBack(t *testing.T) {
	inFleet(t, func(t *testing.T, f *fleet) {
		a := f.open()
		stopped, goOn := a.stopAfterLoad(acme)
		defer goOn()
		done := make(chan error, 1)
		go func() {
			_, err := a.Keys(t.Context(), acme)
			done <- err
		}()
		<-stopped
		a.store.ahead.Store(7)
		beat()
		before := f.kek.Calls().Unwrap
		goOn()
		mustBe(t, "Keys", <-done, keymgr.ErrStoreUnavailable)
		if got := f.kek.Calls().Unwrap - before; got > 4 {
			t.Errorf("%d KMS calls", got)
		}
		a.store.ahead.Store(0)
		beat()
		mustKeys(t, a.Manager, acme)
	})
}

// It registers while Promote looks: it can only read what is stored by then.
func TestInstanceThatRegistersWhilePromoteLooks(t *testing.T) {
	inFleet(t, func(t *testing.T, f *fleet) {
		operator, a := f.open(lazy), f.open()
		stopped, goOn := a.stopAfterLoad(medical) // of its refresh
		id := operator.add(medical, keymgr.Index)
		time.Sleep(heartbeat)
		<-stopped
		late := f.open()
		goOn()
		synctest.Wait()
		mustBe(t, "PromoteKey", operator.promote(medical, id), nil)
		if !late.searches(medical, id) {
			t.Error("a new instance serves the keys of before")
		}

		// It has registered, and has opened nothing yet, when the next key comes.
		var next uint32
		within := func() {
			next = operator.add(medical, keymgr.Index)
			mustBe(t, "PromoteKey", operator.promote(medical, next), keymgr.ErrInstancesBehind)
		}
		f.onOpen(func(s *memberStore) {
			do := func(keymgr.Scope) { within() }
			s.afterLoad.Store(&do)
		})
		beat()
		mustBe(t, "PromoteKey", operator.promote(medical, next), nil)
	})
}
