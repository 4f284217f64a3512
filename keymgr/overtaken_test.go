package keymgr_test

import (
	"context"
	"testing"

	"github.com/fieldcrypt/go/keymgr"
)

// A change of this Manager's own is stored, and not yet noted, when its scope is
// evicted and others change it further: no heartbeat finds an entry of it.
func TestChangeOfAScopeThatIsEvictedMeanwhileIsNotCached(t *testing.T) {
	for name, change := range map[string]func(context.Context, *keymgr.Manager) error{
		"AddKey": func(ctx context.Context, m *keymgr.Manager) error {
			_, err := m.AddKey(ctx, acme, keymgr.Seal)
			return err
		},
		"Rewrap": func(ctx context.Context, m *keymgr.Manager) error { return m.Rewrap(ctx, acme) },
	} {
		for held, first := range map[string]bool{"held": true, "not held": false} {
			t.Run(name+" of a scope that is "+held, func(t *testing.T) {
				inFleet(t, func(t *testing.T, f *fleet) {
					operator, a := f.open(lazy), f.open(bound(1))
					mustBe(t, "Create", operator.Create(t.Context(), tenant(0)), nil)
					if first {
						mustKeys(t, a.Manager, acme)
					}
					var id uint32
					meanwhile := func() {
						mustKeys(t, a.Manager, acme)
						mustKeys(t, a.Manager, tenant(0)) // takes the room of acme
						id = operator.add(acme, keymgr.Index)
						mustBe(t, "PromoteKey at once", operator.promote(acme, id), keymgr.ErrInstancesBehind)
						beat()
						mustBe(t, "PromoteKey", operator.promote(acme, id), nil)
					}
					a.store.afterSwap.Store(&meanwhile)
					mustBe(t, name, change(t.Context(), a.Manager), nil)
					if !a.searches(acme, id) {
						t.Error("it serves the keys of before, after a promotion that it has acknowledged")
					}
				})
			})
		}
	}
}
