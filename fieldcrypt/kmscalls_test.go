package fieldcrypt_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
	"github.com/fieldcrypt/go/keymgr/memstore"
)

// Once a scope is open, sealing calls no KMS before the keys are due again, and
// then once.
func TestAMillionSealsMakeNoKMSCall(t *testing.T) {
	kek, clock := keymgrtest.NewKEK("key"), keymgrtest.NewClock(time.Now())
	keys, err := keymgr.Open(t.Context(), keymgr.Config{
		Store:   memstore.New(),
		Domains: map[string]keymgr.Domain{"medical": {KEKs: []keymgr.KEK{kek}, AutoCreate: true}},
		Now:     clock.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer keys.Close()
	fc := fieldcrypt.New(keys, fieldcrypt.Config{})
	m := modelOf(t, fc, record{})
	v := reflect.ValueOf("x")
	var buf []byte
	seal := func() {
		if buf, _, err = fc.Sealer(t.Context(), fieldcrypt.Row{}).AppendSeal(buf[:0], m.Fields[0], v); err != nil {
			t.Fatal(err)
		}
	}
	seal()
	kek.ResetCalls()
	clock.Advance(5 * time.Minute * 74 / 100) // the earliest refresh is at three quarters of CacheTTL
	for range 1_000_000 {
		seal()
	}
	keymgrtest.AssertKMSCalls(t, kek, 0)
	clock.Advance(5 * time.Minute)
	for range 1000 {
		seal()
	}
	keymgrtest.AssertKMSCalls(t, kek, 1)
}
