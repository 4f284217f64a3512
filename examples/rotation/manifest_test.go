package main

import (
	"flag"
	"os"
	"testing"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
)

var updateManifest = flag.Bool("manifest", false, "write fieldcrypt.json anew")

// TestManifest: after a change of the model, go test ./examples/rotation -run
// TestManifest -manifest, and look at the difference in review.
func TestManifest(t *testing.T) {
	fc := fieldcrypt.New(keymgrtest.New(t, medical.Domain), fieldcrypt.Config{})
	if *updateManifest {
		var err error
		if manifest, err = fc.Manifest(&Patient{}); err == nil {
			err = os.WriteFile("fieldcrypt.json", manifest, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := fc.CheckManifest(manifest, &Patient{}); err != nil {
		t.Error(err)
	}
}
