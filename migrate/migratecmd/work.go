package migratecmd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fieldcrypt/go/migrate"
)

// workFlags are those of every command that works on jobs.
type workFlags struct {
	workers int
	lease   time.Duration
}

func (f *workFlags) register(cmd *cobra.Command) {
	cmd.Flags().IntVar(&f.workers, "workers", 2, "shards that are worked on at once; SQLite has 1")
	cmd.Flags().DurationVar(&f.lease, "lease", 30*time.Second, "how long a shard stays with a process that gives no sign of life")
}

func (f *workFlags) options(p *migrate.Project) (migrate.Options, error) {
	if f.workers < 1 {
		return migrate.Options{}, usagef("--workers is at least 1")
	}
	if f.lease < 100*time.Millisecond {
		return migrate.Options{}, usagef("--lease is at least 100ms")
	}
	o := migrate.Options{Workers: f.workers, Lease: f.lease}
	if p != nil {
		o.Actor = p.Actor
	}
	return o, nil
}

func (c commands) work() *cobra.Command {
	var (
		f     workFlags
		watch watchFlags
	)
	cmd := &cobra.Command{
		Use:   "work [<job>...]",
		Short: "Do jobs, together with every other process that does",
		Long: `Do the jobs that are named, or all that are live, until they are swept. Any
number of processes on any machines may work on a job at the same time; one that
is killed loses nothing. Ctrl-C finishes the batches at hand and gives the work
back; the same command goes on.`,
		Example: `  fieldcrypt migrate work --config fieldcrypt.yaml
  fieldcrypt migrate work --workers 4 --json --config fieldcrypt.yaml`,
		PreRunE: func(*cobra.Command, []string) error {
			_, err := f.options(nil)
			return errors.Join(err, watch.check())
		},
	}
	f.register(cmd)
	watch.register(cmd)
	return c.verb(cmd, Need{Manifest: true, Keys: true}, func(ctx context.Context, p *migrate.Project, args []string) error {
		ids := args
		if len(ids) == 0 {
			var err error
			if ids, err = tableJobs(ctx, p.DB); err != nil {
				return err
			}
		}
		if len(ids) == 0 {
			sayf(cmd.OutOrStdout(), "no live jobs: `%s start` starts some", parentPath(cmd))
			return nil
		}
		for _, id := range ids { // before anything is begun
			if _, err := migrate.Load(ctx, p.DB, id); err != nil {
				return err
			}
		}
		o, err := f.options(p)
		if err != nil {
			return err
		}
		w := watch.watch(ctx, cmd, p.DB, ids...)
		err = p.Work(ctx, ids, o)
		w.stop()
		tellErr := tellJobs(context.WithoutCancel(ctx), cmd, p.DB, ids, watch.asJSON)
		if err != nil && errors.Is(err, migrate.ErrIncomplete) && ctx.Err() != nil {
			return advise(err, "stopped after the batch at hand; to go on: %s %s", cmd.CommandPath(), strings.Join(ids, " "))
		}
		return errors.Join(err, tellErr)
	})
}

// tableJobs are the live jobs that walk tables, the oldest first.
func tableJobs(ctx context.Context, db *migrate.DB) ([]string, error) {
	list, err := migrate.List(ctx, db, true)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, id := range list {
		job, err := migrate.Load(ctx, db, id)
		if err != nil {
			return nil, err
		}
		if job.Spec.Kind != migrate.KindRewrap && job.Phase == migrate.PhaseSweeping {
			ids = append([]string{id}, ids...)
		}
	}
	return ids, nil
}

// tellJobs says what came of jobs.
func tellJobs(ctx context.Context, cmd *cobra.Command, db *migrate.DB, ids []string, asJSON bool) error {
	var views []statusView
	for _, id := range ids {
		s, err := migrate.Read(ctx, db, id)
		if err != nil {
			return err
		}
		views = append(views, viewStatus(s))
		if !asJSON {
			sayf(cmd.OutOrStdout(), "%-9s  %s  %s %s: %s", s.Phase, s.Job, s.Kind, s.Target, sumText(s))
		}
	}
	if asJSON {
		printLine(cmd.OutOrStdout(), struct {
			Result []statusView `json:"result"`
		}{views})
	}
	return nil
}

// sumText is what a job has done so far.
func sumText(s *migrate.Status) string {
	parts := []string{countText(s.Scanned) + " rows read"}
	if s.Kind != migrate.KindVerify {
		parts = append(parts, countText(s.Changed)+" changed", plural(int(s.Conflicts), "conflict"))
	}
	open := int64(0)
	for _, f := range s.Failures {
		if f.Resolution == "" {
			open += f.Rows
		}
	}
	passes := "1 pass"
	if s.Pass != 1 {
		passes = fmt.Sprintf("%d passes", s.Pass)
	}
	return strings.Join(append(parts, countText(open)+" failed", passes), ", ")
}
