package migratecmd

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/migrate"
)

func TestExitCodes(t *testing.T) {
	for code, list := range map[int][]error{
		ExitDone:   {nil},
		ExitFailed: {errors.New("anything else")},
		ExitIncomplete: {
			&migrate.Incomplete{Job: "j", Cause: context.Canceled}, &migrate.Incomplete{Job: "j", Cause: migrate.ErrPaused},
			fmt.Errorf("x: %w", migrate.ErrViolated), keymgr.ErrInstancesBehind, keymgr.ErrKMSUnavailable, context.Canceled,
		},
		ExitFailures: {fmt.Errorf("3 rows: %w", migrate.ErrFailures), ErrStray},
		ExitRefused: {
			migrate.ErrRefused, migrate.ErrJobNotFound, migrate.ErrTampered, fieldcrypt.ErrSchema, keymgr.ErrKMSDenied, keymgr.ErrKeyInUse,
			&migrate.Incomplete{Job: "j", Cause: migrate.ErrCancelled}, refusalError{errors.New("x")},
		},
		ExitUsage: {usagef("which job?"), usage(keymgr.ErrInvalidScope), errors.Join(nil, usagef("x")), fieldcrypt.ErrManifest},
	} {
		for _, err := range list {
			if got := ExitCode(err); got != code {
				t.Errorf("%v: exit code %d, want %d", err, got, code)
			}
		}
	}
	if got := Advice(advise(migrate.ErrPaused, "do %s", "this")); got != "do this" {
		t.Errorf("advice %q", got)
	}
	if Advice(migrate.ErrPaused) == "" || Advice(errors.New("x")) != "" {
		t.Error("the advice of a class")
	}
	if err := usagef("which job?"); err.Error() != "which job?" || !errors.Is(err, ErrUsage) {
		t.Errorf("%v", err)
	}
}

func TestScopesKeysAndSamples(t *testing.T) {
	for arg, ok := range map[string]bool{"medical": true, "notes/acme": true, "notes/": false, "Medical": false, "": false, "a/b/c": false} {
		if _, err := parseScope(arg); (err == nil) != ok || err != nil && ExitCode(err) != ExitUsage {
			t.Errorf("%q: %v", arg, err)
		}
	}
	for arg, want := range map[string]uint32{"7": 7, "0x0000000a": 10, "4294967295": 4294967295, "0": 0, "x": 0, "4294967296": 0, "-1": 0, "": 0} {
		if got, err := parseKey(arg); got != want || (err == nil) != (want != 0) {
			t.Errorf("%q: %d, %v", arg, got, err)
		}
	}
	for arg, want := range map[string]float64{"": 0, "1%": 0.01, "0.5": 0.5, "100%": 0, "1": 0} {
		if got, err := parseSample(arg); got != want || err != nil {
			t.Errorf("%q: %v, %v", arg, got, err)
		}
	}
	for _, arg := range []string{"0", "-1%", "101%", "NaN", "x", "%"} {
		if got, err := parseSample(arg); err == nil {
			t.Errorf("%q: taken as %v", arg, got)
		}
	}
}
