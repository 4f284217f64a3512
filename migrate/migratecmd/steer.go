package migratecmd

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/fieldcrypt/go/migrate"
)

// oneJob is for commands of one job.
func oneJob(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usagef("which job? `migrate status` lists them")
	}
	return nil
}

// steering is a command that tells the workers of a job something.
func (c commands) steering(cmd *cobra.Command, done string, steer func(ctx context.Context, db *migrate.DB, id, actor string) error) *cobra.Command {
	cmd.PreRunE = oneJob
	return c.verb(cmd, Need{}, func(ctx context.Context, p *migrate.Project, args []string) error {
		if err := steer(ctx, p.DB, args[0], p.Actor); err != nil {
			return err
		}
		sayf(cmd.OutOrStdout(), "%-9s  %s", done, args[0])
		return nil
	})
}

func (c commands) pause() *cobra.Command {
	return c.steering(&cobra.Command{
		Use:     "pause <job>",
		Short:   "Make all workers of a job stop after the batch at hand",
		Long:    `Make all workers of a job stop after the batch at hand, until "migrate resume".`,
		Example: "  fieldcrypt migrate pause " + exampleJob,
	}, "paused", migrate.Pause)
}

func (c commands) resume() *cobra.Command {
	return c.steering(&cobra.Command{
		Use:     "resume <job>",
		Short:   "Let a paused job go on",
		Long:    `Let a paused job go on. Workers have stopped: start them again with "migrate work".`,
		Example: "  fieldcrypt migrate resume " + exampleJob,
	}, "resumed", migrate.Resume)
}

func (c commands) cancel() *cobra.Command {
	return c.steering(&cobra.Command{
		Use:   "cancel <job>",
		Short: "End a job before its time",
		Long: `End a job for good. What it has rewritten stays so: rows of both keys are there,
and both are read. "migrate rollback" leads back to the old key.`,
		Example: "  fieldcrypt migrate cancel " + exampleJob,
	}, "cancelled", migrate.Cancel)
}

// exampleJob is the id of a job in examples.
const exampleJob = "k3v5xq2m7d4fzq6a"

func (c commands) set() *cobra.Command {
	var (
		limits limitFlags
		period time.Duration
	)
	cmd := &cobra.Command{
		Use:   "set <job>",
		Short: "Change the limits of a job while it runs",
		Long: `Change the limits of a job, those that are given and no others. Workers obey
within a second. With --for, the limits of before are back after that time.

` + limitHelp,
		Example: "  fieldcrypt migrate set " + exampleJob + " --nice 4 --for 2h\n" +
			"  fieldcrypt migrate set " + exampleJob + " --max-lag 2s --max-wal 50MB --window 22:00-05:30",
	}
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		if err := oneJob(cmd, args); err != nil {
			return err
		}
		switch {
		case !limits.any(cmd):
			return usagef("which limit?")
		case cmd.Flags().Changed("for") && period <= 0:
			return usagef("--for is positive")
		}
		_, err := limits.over(cmd, migrate.Limits{})
		return err
	}
	limits.register(cmd)
	cmd.Flags().DurationVar(&period, "for", 0, "until so much time has passed")
	return c.verb(cmd, Need{}, func(ctx context.Context, p *migrate.Project, args []string) error {
		s, err := migrate.Read(ctx, p.DB, args[0])
		if err != nil {
			return err
		}
		l, err := limits.over(cmd, s.Limits)
		if err != nil {
			return err
		}
		if err := migrate.Set(ctx, p.DB, args[0], l, period, p.Actor); err != nil {
			return err
		}
		sayf(cmd.OutOrStdout(), "%-9s  %s", "set", args[0])
		return nil
	})
}
