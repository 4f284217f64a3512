package memstore_test

import (
	"testing"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
	"github.com/fieldcrypt/go/keymgr/memstore"
)

func TestConformance(t *testing.T) {
	keymgrtest.ExerciseStore(t, func(*testing.T) keymgr.Store { return memstore.New() })
}
