package keymgrtest_test

import (
	"testing"

	"github.com/fieldcrypt/go/keymgr/keymgrtest"
)

func TestKEKsConform(t *testing.T) {
	keymgrtest.ExerciseKEK(t, keymgrtest.NewKEK("a"), keymgrtest.NewKEK("b"))
	keymgrtest.ExerciseKEK(t, keymgrtest.NewRewrapKEK("a"), keymgrtest.NewRewrapKEK("b"), keymgrtest.NewKEK("c"))
}
