package pgx_test

import (
	"testing"

	"github.com/fieldcrypt/go/drivers/drivertest"
)

const canary = drivertest.Canary

// noCanary checks output, of which there must be some.
func noCanary(t testing.TB, what string, data []byte) {
	t.Helper()
	if form := drivertest.FindCanary(data); form != "" {
		t.Errorf("the canary is in %s: %s: %.2000s", what, form, data)
	}
	if len(data) == 0 {
		t.Errorf("there is nothing in %s", what)
	}
}
