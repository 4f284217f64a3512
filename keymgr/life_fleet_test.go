package keymgr_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/memstore"
)

// withStore is for stores that know of instances.
func withStore(s keymgr.Store) func(*keymgr.Config) {
	return func(cfg *keymgr.Config) { cfg.Store = s }
}

// While an instance may still write with a key no census of it holds.
func TestAKeyIsDisabledOnlyWhenAllInstancesHaveMovedOn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := withStore(memstore.New())
		f := newFixture(t, store)
		ctx := t.Context()
		other := f.open(store)
		old := keyIn(t, f.Manager, keymgr.Seal, keymgr.StateActive) // by a promotion just now
		err := f.DisableKey(ctx, medical, keymgr.Seal, old, proofOf(f.keys(medical), keymgr.Seal, old))
		mustBe(t, "DisableKey at once", err, keymgr.ErrKeyInUse)
		mustBeOneClass(t, err)
		if !strings.Contains(err.Error(), other.InstanceID()) {
			t.Errorf("%v does not name the instance that is behind", err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		err = f.DisableKey(ctx, medical, keymgr.Seal, old, proofOf(f.keys(medical), keymgr.Seal, old))
		mustBe(t, "DisableKey", err, nil)
	})
}

// The override is for when nobody can be waited for.
func TestAnOverrideDoesNotWaitForInstances(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := withStore(memstore.New())
		f := newFixture(t, store)
		f.open(store)
		old := keyIn(t, f.Manager, keymgr.Seal, keymgr.StateActive)
		mustBe(t, "DisableKey", f.DisableKey(t.Context(), medical, keymgr.Seal, old, overridden), nil)
	})
}

func TestAKeyIsDestroyedByTheLargestAgeOfTheFleet(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := withStore(memstore.New())
		f := newFixture(t, store)
		f.open(store, func(cfg *keymgr.Config) { cfg.MaxStale = 5 * time.Hour })
		id := keyIn(t, f.Manager, keymgr.Seal, keymgr.StateDisabled)
		mustBe(t, "DestroyKey", f.DestroyKey(t.Context(), medical, keymgr.Seal, id, overridden), keymgr.ErrKeyState)
		time.Sleep(4 * time.Hour)
		mustBe(t, "DestroyKey", f.DestroyKey(t.Context(), medical, keymgr.Seal, id, overridden), nil)
	})
}

// A thousand instances of ten thousand scopes each: no operation on one scope
// lists them all.
func TestOperationsOnAScopeListWhatIsHeldOfItAlone(t *testing.T) {
	inFleet(t, func(t *testing.T, f *fleet) {
		ctx := t.Context()
		operator := f.open(lazy)
		f.open()
		id := operator.add(acme, keymgr.Index)
		_ = operator.promote(acme, id)
		mustBe(t, "WaitPromotable", operator.WaitPromotable(ctx, acme, keymgr.Index, id, nil), nil)
		proof := proofOf(mustKeys(t, operator.Manager, acme), keymgr.Index, id)
		time.Sleep(cacheTTL + heartbeat)
		mustBe(t, "DisableKey", operator.DisableKey(ctx, acme, keymgr.Index, id, proof), nil)
		aged()
		mustBe(t, "DestroyKey", operator.DestroyKey(ctx, acme, keymgr.Index, id, overridden), nil)
		_, err := operator.DestroyScope(ctx, acme, "test")
		mustBe(t, "DestroyScope", err, nil)
		if n := operator.store.listedAll.Load(); n != 0 {
			t.Errorf("all that is held was listed %d times", n)
		}
	})
}

// The census began when the version was there: so an instance that has looked at
// the store since then has it, whoever asks. Clocks may differ by CacheTTL.
func TestAKeyOfAScopeThatNobodyHoldsIsDisabledByAProcessThatSeesItFirst(t *testing.T) {
	inFleet(t, func(t *testing.T, f *fleet) {
		id := f.open(lazy).add(acme, keymgr.Index)
		f.open()
		time.Sleep(time.Minute)
		proof := proofOf(mustKeys(t, f.open(lazy).Manager, acme), keymgr.Index, id)
		time.Sleep(cacheTTL)
		synctest.Wait()
		disable := func() error { return f.open(lazy).DisableKey(t.Context(), acme, keymgr.Index, id, proof) }
		mustBe(t, "DisableKey too early for clocks that differ", disable(), keymgr.ErrKeyInUse)
		time.Sleep(heartbeat)
		synctest.Wait()
		mustBe(t, "DisableKey", disable(), nil)
	})
}
