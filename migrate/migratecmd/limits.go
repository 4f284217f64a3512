package migratecmd

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/fieldcrypt/go/migrate"
)

// limitFlags say how hard a job may press on the database.
type limitFlags struct {
	batchTarget, lockTimeout, maxLag time.Duration
	nice                             float64
	maxWAL                           byteSize
	maxWaiting, maxActive            int
	windows                          []string
	probe                            string
}

const limitHelp = `Limits (each can be changed while a job runs, with "migrate set"): what cannot
be measured counts as too much, and what is waited for is shown.`

func (f *limitFlags) register(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.DurationVar(&f.batchTarget, "batch-target", 0, "what one batch should take (default 10ms)")
	fs.DurationVar(&f.lockTimeout, "lock-timeout", 0, "how long a batch waits for rows that others hold (default 5ms)")
	fs.Float64Var(&f.nice, "nice", 0, "rest after each batch, in times of what it took")
	fs.DurationVar(&f.maxLag, "max-lag", 0, "wait while a replica is further behind")
	fs.Var(&f.maxWAL, "max-wal", "wait while the server writes more WAL a second, such as 50MB")
	fs.IntVar(&f.maxWaiting, "max-waiting", -1, "wait while more sessions wait for locks (-1: no limit)")
	fs.IntVar(&f.maxActive, "max-active", -1, "wait while more other sessions are at work (-1: no limit)")
	fs.StringArrayVar(&f.windows, "window", nil, "work in these `HOURS` alone, in UTC: 22:00-05:30; repeat it for several")
	fs.StringVar(&f.probe, "probe", "", "`SQL` that returns one text: what to wait for, or '' to go on")
}

// over returns limits with those that were given as flags in place of theirs.
func (f *limitFlags) over(cmd *cobra.Command, l migrate.Limits) (migrate.Limits, error) {
	given := cmd.Flags().Changed
	count := func(n int) *int {
		if n < 0 {
			return nil
		}
		return &n
	}
	if given("batch-target") {
		l.BatchTarget = f.batchTarget
	}
	if given("lock-timeout") {
		l.LockTimeout = f.lockTimeout
	}
	if given("nice") {
		l.Nice = f.nice
	}
	if given("max-lag") {
		l.MaxLag = f.maxLag
	}
	if given("max-wal") {
		l.MaxWAL = int64(f.maxWAL)
	}
	if given("max-waiting") {
		l.MaxWaiting = count(f.maxWaiting)
	}
	if given("max-active") {
		l.MaxActive = count(f.maxActive)
	}
	if given("window") {
		l.Windows = f.windows
		if len(f.windows) == 1 && f.windows[0] == "" {
			l.Windows = nil // --window= takes them away
		}
	}
	if given("probe") {
		l.Probe = f.probe
	}
	switch {
	case l.BatchTarget < 0 || l.LockTimeout < 0 || l.MaxLag < 0:
		return l, usagef("--batch-target, --lock-timeout and --max-lag are not negative")
	case l.LockTimeout > 500*time.Millisecond:
		return l, usagef("--lock-timeout is at most 500ms: Postgres looks for deadlocks after one second")
	case !(l.Nice >= 0 && l.Nice <= 1000):
		return l, usagef("--nice is a number from 0 to 1000")
	}
	if err := l.Check(); err != nil {
		return l, usagef("%v", err)
	}
	return l, nil
}

// any reports whether one of the flags was given.
func (f *limitFlags) any(cmd *cobra.Command) bool {
	for _, name := range []string{"batch-target", "lock-timeout", "nice", "max-lag", "max-wal", "max-waiting", "max-active", "window", "probe"} {
		if cmd.Flags().Changed(name) {
			return true
		}
	}
	return false
}
