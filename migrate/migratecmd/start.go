package migratecmd

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/migrate"
)

func (c commands) start() *cobra.Command {
	var (
		f       planFlags
		limits  limitFlags
		execute bool
	)
	cmd := &cobra.Command{
		Use:   "start (reencrypt | verify | rewrap) [<table>...]",
		Short: "Start jobs, for \"migrate work\" to do",
		Long: `Start jobs, one for each table. Without --execute it is "migrate plan". A job
is frozen when it starts; "migrate work" does it, in any number of processes. A
table whose live job does the same gets no second one. A rewrap is done at once.

` + kindsHelp + `

` + limitHelp,
		Example: `  fieldcrypt migrate start reencrypt --config fieldcrypt.yaml
  fieldcrypt migrate start reencrypt --nice 1 --execute --config fieldcrypt.yaml`,
		PreRunE: func(_ *cobra.Command, args []string) error { _, err := f.options(args); return err },
	}
	cmd.ValidArgs = kinds
	f.register(cmd)
	limits.register(cmd)
	cmd.Flags().BoolVar(&execute, "execute", false, "do it")
	return c.verb(cmd, Need{Manifest: true, Keys: true}, func(ctx context.Context, p *migrate.Project, args []string) error {
		o, err := f.options(args)
		if err != nil {
			return err
		}
		l, err := limits.over(cmd, migrate.Limits{})
		if err != nil {
			return err
		}
		if o.Kind == migrate.KindRewrap {
			return rewrap(ctx, cmd, p, keymgr.RewrapOptions{DryRun: !execute}, f.asJSON)
		}
		plan, err := makePlan(ctx, p, o)
		if err != nil {
			return err
		}
		var ids []string
		if execute {
			if ids, err = p.Start(ctx, plan, l); err != nil {
				return err
			}
		}
		if f.asJSON {
			if ids == nil {
				ids = []string{}
			}
			if err := printJSON(cmd.OutOrStdout(), struct {
				Jobs []string `json:"jobs"`
				Plan planView `json:"plan"`
			}{ids, viewPlan(plan)}); err != nil {
				return err
			}
			return plan.Problems.Err()
		}
		if !execute {
			printPlan(cmd.OutOrStdout(), plan)
			if err := plan.Problems.Err(); err != nil {
				return err
			}
			sayf(cmd.ErrOrStderr(), dryRunNote)
			return nil
		}
		printProblems(cmd.ErrOrStderr(), plan.Problems)
		for i, id := range ids {
			sayf(cmd.OutOrStdout(), "started  %s  %s %s", id, plan.Kind, plan.Tables[i].Table)
		}
		if len(ids) == 0 {
			sayf(cmd.OutOrStdout(), "nothing to do")
			return nil
		}
		sayf(cmd.ErrOrStderr(), "`%s work %s` does it, here and in as many processes as you like", parentPath(cmd), strings.Join(ids, " "))
		return nil
	})
}

// parentPath is how the group of a command is called.
func parentPath(cmd *cobra.Command) string { return cmd.Parent().CommandPath() }
