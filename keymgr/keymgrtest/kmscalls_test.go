package keymgrtest_test

import (
	"fmt"
	"testing"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
)

// verdict is a test that is told of failures and goes on.
type verdict struct {
	testing.TB
	said []string
}

func (v *verdict) Helper() {}
func (v *verdict) Errorf(format string, args ...any) {
	v.said = append(v.said, fmt.Sprintf(format, args...))
}
func (v *verdict) Fatalf(format string, args ...any) {
	v.Errorf(format, args...)
	panic(v) // the end of a test, for this one
}

func TestAssertKMSCalls(t *testing.T) {
	m := keymgrtest.New(t, "medical")
	kek := keymgrtest.NewKEK("a")
	if _, _, err := kek.GenerateDataKey(t.Context(), keymgr.WrapContext{Scope: keymgr.Scope{Domain: "medical"}}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		of   any
		n    int
		said string
	}{
		{m, 1, ""},
		{m, 0, "1 KMS calls were made, want 0"},
		{m, 2, "1 KMS calls were made, want 2"},
		{kek, 1, ""},
		{kek, 3, "1 KMS calls were made, want 3"},
		{keymgrtest.NewReplicas("a")[0], 0, ""},
		{"a string", 0, "AssertKMSCalls: a string counts no KMS calls: give a *keymgr.Manager or a KEK of keymgrtest"},
	} {
		v := &verdict{}
		func() {
			defer func() {
				if r := recover(); r != nil && r != any(v) {
					panic(r)
				}
			}()
			keymgrtest.AssertKMSCalls(v, c.of, c.n)
		}()
		if got := fmt.Sprint(v.said); got != fmt.Sprint([]string{c.said}) && !(c.said == "" && v.said == nil) {
			t.Errorf("%T, %d: said %v", c.of, c.n, v.said)
		}
	}
}
