package migratecmd

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fieldcrypt/go/migrate"
)

// statusView is the JSON of a job, for scripts.
type statusView struct {
	*migrate.Status
	Next string `json:"next"`
}

func viewStatus(s *migrate.Status) statusView {
	if s.Shards == nil {
		s.Shards = []migrate.Shard{}
	}
	if s.Failures == nil {
		s.Failures = []migrate.FailureCount{}
	}
	return statusView{s, nextStep(s)}
}

// nextStep says what is to be done, and by whom.
func nextStep(s *migrate.Status) string {
	at := 0
	for _, sh := range s.Shards {
		if sh.Owner != "" && sh.Lease >= 0 {
			at++
		}
	}
	open := false
	for _, f := range s.Failures {
		open = open || f.Resolution == ""
	}
	switch {
	case s.Phase == migrate.PhaseDone:
		return "nothing: it is done"
	case s.Phase == migrate.PhaseCancelled:
		return "nothing: it was cancelled"
	case s.Desired == "pause":
		return "`migrate resume " + s.Job + "`, then `migrate work`"
	case s.Phase == migrate.PhaseSweeping && at > 0:
		return "nothing: " + plural(at, "worker") + " at it"
	case s.Phase == migrate.PhaseSweeping:
		return "`migrate work " + s.Job + "`: nobody is at it"
	case open:
		return "`migrate failures list " + s.Job + "`, then retry or waive them"
	case s.Kind == migrate.KindReencrypt:
		return "`rotate` or `migrate retire` proves that the old key is not needed"
	}
	return "nothing: every row was visited"
}

func (c commands) status() *cobra.Command {
	var (
		asJSON, live, watch bool
		every               time.Duration
	)
	cmd := &cobra.Command{
		Use:   "status [<job>...]",
		Short: "Show how far jobs are, and what comes next",
		Long: `Show jobs: all, or those that are named. A job that waits says what for, which
is a healthy state.`,
		Example: `  fieldcrypt migrate status
  fieldcrypt migrate status --live --json`,
		PreRunE: func(*cobra.Command, []string) error {
			if watch && asJSON {
				return usagef("--watch or --json, not both")
			}
			if every < time.Millisecond {
				return usagef("--every is at least 1ms")
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&live, "live", false, "only those that are not finished")
	cmd.Flags().BoolVar(&watch, "watch", false, "show them again and again, until none is being swept")
	cmd.Flags().DurationVar(&every, "every", 2*time.Second, "with --watch: so often")
	return c.verb(cmd, Need{}, func(ctx context.Context, p *migrate.Project, args []string) error {
		meters := map[string]*meter{}
		for {
			list, err := readJobs(ctx, p.DB, args, live)
			if err != nil {
				return err
			}
			if asJSON {
				views := []statusView{}
				for _, s := range list {
					views = append(views, viewStatus(s))
				}
				return printJSON(cmd.OutOrStdout(), views)
			}
			sweeping := false
			for _, s := range list {
				if meters[s.Job] == nil {
					meters[s.Job] = &meter{}
				}
				meters[s.Job].add(time.Now(), s.Scanned)
				printStatus(cmd.OutOrStdout(), s, meters[s.Job])
				sweeping = sweeping || s.Phase == migrate.PhaseSweeping
			}
			if len(list) == 0 {
				sayf(cmd.OutOrStdout(), "no jobs")
			}
			if !watch || !sweeping {
				return nil
			}
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(every):
			}
		}
	})
}

func readJobs(ctx context.Context, db *migrate.DB, ids []string, live bool) (list []*migrate.Status, err error) {
	if len(ids) == 0 {
		if ids, err = migrate.List(ctx, db, live); err != nil {
			return nil, err
		}
	}
	for _, id := range ids {
		s, err := migrate.Read(ctx, db, id)
		if err != nil {
			return nil, err
		}
		if !live || s.Phase != migrate.PhaseDone && s.Phase != migrate.PhaseCancelled {
			list = append(list, s)
		}
	}
	return list, nil
}

func printStatus(w io.Writer, s *migrate.Status, m *meter) {
	p := progressOf(s, m)
	sayf(w, "%s  %s %s", s.Job, s.Kind, s.Target)
	phase := s.Phase
	if s.Phase == migrate.PhaseSweeping && s.Desired != "run" {
		phase += " (" + s.Desired + ")"
	}
	sayf(w, "  phase     %s, pass %d, started %s", phase, s.Pass, s.Created)
	sayf(w, "  rows      ~%s, %s", countText(s.Rows), sumText(s))
	if s.Phase == migrate.PhaseSweeping {
		rate := countText(int64(s.RowsPerSecond)) + "/s while at work"
		if p.Average > 0 {
			rate = countText(int64(p.Now)) + "/s now, " + countText(int64(p.Average)) + "/s on average"
		}
		sayf(w, "  rate      %s, %s, batch %d rows", rate, p.etaText(), p.BatchRows)
	}
	if p.Waiting != "" {
		since := ""
		for _, sh := range s.Shards {
			if sh.Reason == p.Waiting && sh.WaitingSince != "" {
				since = " since " + sh.WaitingSince
			}
		}
		sayf(w, "  waiting   for %s%s", p.Waiting, since)
	}
	for _, sh := range s.Shards {
		if sh.Owner != "" && sh.Lease >= 0 {
			sayf(w, "  worker    %s on shard %d of %s, last heard of %.0fs ago", sh.Owner, sh.Shard, sh.Relation, sh.Heartbeat)
		}
	}
	for _, f := range s.Failures {
		how := "failed"
		if f.Resolution != "" {
			how = f.Resolution
		}
		sayf(w, "  %-9s %s: %s", how, f.Class, plural(int(f.Rows), "row"))
	}
	sayf(w, "  next      %s", strings.TrimSpace(nextStep(s)))
}
