package sqlstore_test

import (
	"testing"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
)

func TestConformance(t *testing.T) {
	onKinds(t, func(t *testing.T, open func(t *testing.T) database) {
		keymgrtest.ExerciseStore(t, func(t *testing.T) keymgr.Store { return sqlstore.New(migrated(t, open(t))) })
	})
}
