package gorm_test

import (
	"fmt"
	"testing"

	"github.com/fieldcrypt/go/drivers/drivertest"
)

// noCanary checks an error and the log.
func noCanary(t testing.TB, what string, err error, l *log) {
	t.Helper()
	if form := drivertest.FindCanary(fmt.Appendf(nil, "%v %+v %#v", err, err, err)); form != "" {
		t.Errorf("%s: the canary is in the error: %s", what, form)
	}
	if form := drivertest.FindCanary([]byte(l.String())); form != "" {
		t.Errorf("%s: the canary is in the log: %s\n%s", what, form, l)
	}
}
