package devkeys_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/fieldcrypt/go/fieldcrypt/devkeys"
)

func TestProductionIsRefusedBeforeAnythingIsMade(t *testing.T) {
	t.Setenv(devkeys.EnvVariable, "production")
	file := filepath.Join(t.TempDir(), "key")
	t.Setenv(devkeys.KeyFileVariable, file)
	if _, err := devkeys.Open(t.Context(), nil, "medical"); !errors.Is(err, devkeys.ErrProduction) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("a key file was made")
	}
}
