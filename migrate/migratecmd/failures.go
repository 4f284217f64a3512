package migratecmd

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fieldcrypt/go/migrate"
)

func (c commands) failures() *cobra.Command {
	return group("failures", "See the rows that a job could not do, and decide on them",
		c.failuresList(), c.failuresRetry(), c.failuresWaive())
}

func (c commands) failuresList() *cobra.Command {
	var (
		asJSON bool
		limit  int
	)
	cmd := &cobra.Command{
		Use:   "list <job>",
		Short: "List the rows that failed, by their keys and what is wrong",
		Long: `List the rows that failed: the table, the primary key and the class of what is
wrong, never a value. Open ones come first.`,
		Example: "  fieldcrypt migrate failures list " + exampleJob + "\n" +
			"  fieldcrypt migrate failures list " + exampleJob + " --limit 10 --json",
		PreRunE: func(cmd *cobra.Command, args []string) error {
			if limit < 1 {
				return usagef("--limit is at least 1")
			}
			return oneJob(cmd, args)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().IntVar(&limit, "limit", 1000, "at most so many")
	return c.verb(cmd, Need{}, func(ctx context.Context, p *migrate.Project, args []string) error {
		if _, err := migrate.Load(ctx, p.DB, args[0]); err != nil {
			return err
		}
		list, err := migrate.Failures(ctx, p.DB, args[0], limit)
		if err != nil {
			return err
		}
		if asJSON {
			if list == nil {
				list = []migrate.Failure{}
			}
			return printJSON(cmd.OutOrStdout(), list)
		}
		if len(list) == 0 {
			sayf(cmd.OutOrStdout(), "no failures")
			return nil
		}
		rows := [][]string{{"TABLE", "KEY", "CLASS", "ATTEMPTS", "LAST", "RESOLUTION"}}
		for _, f := range list {
			resolution := "open"
			if f.Resolution != "" {
				resolution = strings.TrimSpace(f.Resolution + " " + f.ResolvedBy)
			}
			rows = append(rows, []string{f.Relation, f.Key, f.Class, fmt.Sprint(f.Attempts), f.Last.UTC().Format(time.RFC3339), resolution})
		}
		return table(cmd.OutOrStdout(), rows)
	})
}

func (c commands) failuresRetry() *cobra.Command {
	return c.steering(&cobra.Command{
		Use:   "retry <job>",
		Short: "Walk the table of a swept job once more, to try the rows again",
		Long: `Let a job that was swept walk its table once more, to try the rows again that
failed: mend them first. "migrate work" does it.`,
		Example: "  fieldcrypt migrate failures retry " + exampleJob,
	}, "again", migrate.Retry)
}

func (c commands) failuresWaive() *cobra.Command {
	var class, reason string
	cmd := &cobra.Command{
		Use:   "waive <job>",
		Short: "Accept that rows stay as they are",
		Long: `Accept that the open failures of a job stay as they are, all or those of a class.
The reason is recorded. A row that names a key keeps it from being retired all
the same.`,
		Example: "  fieldcrypt migrate failures waive " + exampleJob + " --class not-sealed --reason 'test rows, ticket 17'",
		PreRunE: func(cmd *cobra.Command, args []string) error {
			if strings.TrimSpace(reason) == "" {
				return usagef("--reason is missing: why may they stay?")
			}
			return oneJob(cmd, args)
		},
	}
	cmd.Flags().StringVar(&class, "class", "", "only failures of this `CLASS`")
	cmd.Flags().StringVar(&reason, "reason", "", "`WHY`, for the record")
	return c.verb(cmd, Need{}, func(ctx context.Context, p *migrate.Project, args []string) error {
		n, err := migrate.Waive(ctx, p.DB, args[0], class, p.Actor, reason)
		if err != nil {
			return err
		}
		sayf(cmd.OutOrStdout(), "%-9s  %s: %s", "waived", args[0], plural(int(n), "row"))
		return nil
	})
}
