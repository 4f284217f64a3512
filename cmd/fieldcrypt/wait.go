package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/pflag"

	"github.com/fieldcrypt/go/keymgr"
)

// waitFlag is --wait[=DURATION] of "keys promote".
type waitFlag struct{ limit time.Duration } // 0: do not wait

// waitDefault is what --wait alone means: longer than the age by which alone a
// key can be promoted, unless the application is configured otherwise.
const waitDefault = 90 * time.Minute

func (f *waitFlag) register(fs *pflag.FlagSet) {
	fs.Var(f, "wait", "wait until all instances have the key, at most `DURATION` (--wait alone: "+waitDefault.String()+")")
	fs.Lookup("wait").NoOptDefVal = waitDefault.String()
}

func (f *waitFlag) String() string {
	if f.limit == 0 {
		return ""
	}
	return f.limit.String()
}

// Set reads a duration.
func (f *waitFlag) Set(s string) error {
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return errors.New("want a duration such as 90s or 1h")
	}
	f.limit = d
	return nil
}

// Type is for the help.
func (f *waitFlag) Type() string { return "duration" }

// promote promotes a key, and before that waits as long as the flag says, telling
// progress when it changes.
func (f *waitFlag) promote(ctx context.Context, m *keymgr.Manager, s keymgr.Scope, p keymgr.Purpose, keyID uint32, progress io.Writer) error {
	if f.limit > 0 {
		limited, cancel := context.WithTimeout(ctx, f.limit)
		defer cancel()
		last := ""
		err := m.WaitPromotable(limited, s, p, keyID, func(status keymgr.PromoteStatus) {
			if text := status.String(); text != last && !status.Ready {
				last = text
				fmt.Fprintf(progress, "waiting: %s\n", plain(text))
			}
		})
		if err != nil && (ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded)) {
			return err
		}
		// When the time is over, PromoteKey says what is in the way.
	}
	return m.PromoteKey(ctx, s, p, keyID)
}
