package keymgr_test

import (
	"testing"
	"time"

	"github.com/fieldcrypt/go/keymgr"
)

// Changes within one second, in the times of keys, do not make a key that was
// disabled look like one that readers have had all along.
func TestKeyThatWasEnabledIsNotTakenForTheOneToGoBackTo(t *testing.T) {
	p := keymgr.Index
	for name, changes := range map[string]func(t *testing.T, m *keymgr.Manager, old, next, disabled uint32) (enabled uint32){
		"disabled and enabled when it was replaced": func(t *testing.T, m *keymgr.Manager, old, next, _ uint32) uint32 {
			mustBe(t, "PromoteKey", m.PromoteKey(t.Context(), medical, p, next), nil)
			mustBe(t, "DisableKey", m.DisableKey(t.Context(), medical, p, old, overridden), nil)
			mustBe(t, "EnableKey", m.EnableKey(t.Context(), medical, p, old), nil)
			return old
		},
		"enabled when another was replaced, that is disabled": func(t *testing.T, m *keymgr.Manager, old, next, disabled uint32) uint32 {
			mustBe(t, "EnableKey", m.EnableKey(t.Context(), medical, p, disabled), nil)
			mustBe(t, "PromoteKey", m.PromoteKey(t.Context(), medical, p, next), nil)
			mustBe(t, "DisableKey", m.DisableKey(t.Context(), medical, p, old, overridden), nil)
			return disabled
		},
		"enabled after another was replaced, that is disabled": func(t *testing.T, m *keymgr.Manager, old, next, disabled uint32) uint32 {
			mustBe(t, "PromoteKey", m.PromoteKey(t.Context(), medical, p, next), nil)
			mustBe(t, "EnableKey", m.EnableKey(t.Context(), medical, p, disabled), nil)
			mustBe(t, "DisableKey", m.DisableKey(t.Context(), medical, p, old, overridden), nil)
			return disabled
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				f := newFixture(t)
				old := f.keys(medical).IndexKeys()[0].ID()
				disabled, next := keyIn(t, f.Manager, p, keymgr.StateDisabled), keyIn(t, f.Manager, p, keymgr.StatePending)
				id := changes(t, f.Manager, old, next, disabled)
				mustBe(t, "PromoteKey at once", f.PromoteKey(t.Context(), medical, p, id), keymgr.ErrKeyState)
				aged()
				time.Sleep(time.Second)
				mustBe(t, "PromoteKey when it is old enough", f.PromoteKey(t.Context(), medical, p, id), nil)
			})
		})
	}
}
