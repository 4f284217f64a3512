package migrate_test

import (
	"os"
	"testing"
)

// soak returns how much to do: FIELDCRYPT_SOAK is unset, "short" or "long".
func soak(t *testing.T, short, long int) int {
	switch os.Getenv("FIELDCRYPT_SOAK") {
	case "short":
		return short
	case "long":
		return long
	}
	t.Skip("FIELDCRYPT_SOAK is not set (make soak)")
	return 0
}
