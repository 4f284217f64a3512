package keymgrtest

import (
	"testing"

	"github.com/fieldcrypt/go/keymgr"
)

// AssertKMSCalls fails the test unless exactly n KMS calls have been made so far:
// through a *[keymgr.Manager] since it was opened, which made one call for each
// KEK of a scope that it created and one for a scope that it opened, or of a
// [KEK] of this package since it was made or last told to [KEK.ResetCalls].
func AssertKMSCalls(t testing.TB, of any, n int) {
	t.Helper()
	var got int
	switch of := of.(type) {
	case *keymgr.Manager:
		got = int(of.Stats().KMSCalls)
	case interface{ Calls() Calls }:
		got = of.Calls().Total()
	default:
		t.Fatalf("AssertKMSCalls: a %T counts no KMS calls: give a *keymgr.Manager or a KEK of keymgrtest", of)
	}
	if got != n {
		t.Errorf("%d KMS calls were made, want %d", got, n)
	}
}

// ResetCalls makes Calls count from zero.
func (k *KEK) ResetCalls() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.calls = Calls{}
}
