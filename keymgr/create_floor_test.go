package keymgr_test

import (
	"testing"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
	"github.com/fieldcrypt/go/keymgr/memstore"
)

// Keysets that are known to have been there are not replaced by new ones.
func TestLostKeysetsAreNotReplaced(t *testing.T) {
	kek := keymgrtest.NewKEK("key")
	m, err := keymgr.Open(t.Context(), keymgr.Config{
		Store:       memstore.New(), // a database that was restored without its keysets
		Domains:     map[string]keymgr.Domain{"medical": {KEKs: []keymgr.KEK{kek}, AutoCreate: true}},
		MinVersions: map[keymgr.Scope]uint64{medical: 3},
		Lazy:        true,
	})
	mustBe(t, "Open", err, nil)
	defer m.Close()
	mustBe(t, "Ensure", m.Ensure(t.Context(), medical), keymgr.ErrRollback)
	mustBe(t, "Create", m.Create(t.Context(), medical), keymgr.ErrRollback)
	if n := kek.Calls().Total(); n != 0 {
		t.Errorf("%d KMS calls", n)
	}
}
