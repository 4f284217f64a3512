package migratecmd

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/fieldcrypt/go/migrate"
)

func (c commands) verify() *cobra.Command {
	var (
		scope  scopeFlags
		limits limitFlags
		f      workFlags
		watch  watchFlags
		sample string
	)
	cmd := &cobra.Command{
		Use:   "verify [<table>...]",
		Short: "Open every value and recompute every blind index",
		Long: `Open every value of the encrypted columns and recompute every blind index, by
read-only jobs: nothing of the application's is written. An interrupted verify
goes on with the same command, and others may help with "migrate work". It exits
with 3 if something is not as it must be; "migrate failures list" names the rows.

` + limitHelp,
		Example: `  fieldcrypt verify --config fieldcrypt.yaml
  fieldcrypt verify patients --sample 10% --json --config fieldcrypt.yaml`,
	}
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		_, err := parseSample(sample)
		_, lerr := limits.over(cmd, migrate.Limits{})
		_, werr := f.options(nil)
		return errors.Join(scope.check(), watch.check(), err, lerr, werr)
	}
	scope.register(cmd)
	limits.register(cmd)
	f.register(cmd)
	watch.register(cmd)
	cmd.Flags().StringVar(&sample, "sample", "", "open this `PART` of the rows only, such as 1%: it finds what is common, and proves nothing")
	return c.verb(cmd, Need{Manifest: true, Keys: true}, func(ctx context.Context, p *migrate.Project, args []string) error {
		if err := knownTables(p, args, scope.domain); err != nil {
			return err
		}
		part, err := parseSample(sample)
		if err != nil {
			return err
		}
		l, err := limits.over(cmd, migrate.Limits{})
		if err != nil {
			return err
		}
		work, err := f.options(p)
		if err != nil {
			return err
		}
		w := watch.watch(ctx, cmd, p.DB)
		r, err := p.Verify(ctx, migrate.VerifyOptions{
			Sample: part, Tables: args, Domain: scope.domain, Tenant: scope.tenant, Limits: l, Work: work, Began: w.watchJobs,
		})
		w.stop()
		if r != nil && (err == nil || errors.Is(err, migrate.ErrFailures)) {
			if watch.asJSON {
				printLine(cmd.OutOrStdout(), struct {
					Result *migrate.VerifyReport `json:"result"`
				}{r})
			} else if err := printVerify(cmd.OutOrStdout(), r); err != nil {
				return err
			}
		}
		if err != nil && ctx.Err() != nil {
			return advise(err, "stopped after the batch at hand; the same command goes on")
		}
		return err
	})
}

func printVerify(w io.Writer, r *migrate.VerifyReport) error {
	rows := [][]string{{"TABLE", "COLUMN", "VALUES", "OPENED"}}
	for _, t := range r.Tables {
		for _, col := range t.Columns {
			rows = append(rows, []string{t.Table, col.Column, countText(col.Values), countText(col.Opened)})
		}
	}
	if err := table(w, rows); err != nil {
		return err
	}
	for _, t := range r.Tables {
		for _, f := range t.Failures {
			how := "failed"
			if f.Resolution != "" {
				how = f.Resolution
			}
			sayf(w, "%s  %s: %s (job %s)", how, f.Class, plural(int(f.Rows), "row"), t.Job)
		}
	}
	what := "every value opens, every blind index is that of its value"
	if r.Sample > 0 {
		what = fmt.Sprintf("in a sample of %g %% of the rows, %s", 100*r.Sample, what)
	}
	if r.OK() {
		sayf(w, "%s", what)
	}
	return nil
}
