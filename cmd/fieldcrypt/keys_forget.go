package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
)

func newKeysForget() *cobra.Command {
	var (
		database databaseFlag
		force    bool
	)
	cmd := &cobra.Command{
		Use:   "forget <instance>",
		Short: "Forget an instance that is dead, so that nothing waits for it",
		Long: `Forget an instance that has died without saying so. Promotion of keys would wait
for it until it is gone: for about an hour, unless the application is configured
otherwise.

Make sure that it is dead, and not paused or cut off: when one that was
forgotten wakes up, it may search with the keys of before and miss rows, until
its next report. An instance that still reports is not forgotten without --force.`,
		Example: `  fieldcrypt keys instances
  fieldcrypt keys forget tgk3qdqyo2ox7fnqdbhuvbmu4m`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("which instance? `fieldcrypt keys instances` lists them; name one")
			}
			ctx := cmd.Context()
			db, err := database.open(ctx, false)
			if err != nil {
				return err
			}
			defer db.Close()
			store := sqlstore.New(db)
			fleet, err := store.Instances(ctx, keymgr.Scope{})
			if err != nil {
				return err
			}
			i := slices.IndexFunc(fleet.Instances, func(i keymgr.Instance) bool { return i.ID == args[0] })
			if i >= 0 && !force && instanceState(fleet.Instances[i], fleet.Now) == "live" {
				return withCure(refusedError{fmt.Errorf("instance %s on %s was seen %s ago", args[0], fleet.Instances[i].Host, fleet.Now.Sub(fleet.Instances[i].LastSeen).Round(time.Second))},
					"wait until it is silent, or give --force if you know that it is dead")
			}
			if err := store.Forget(ctx, args[0]); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "forgotten  %s\n", args[0])
			return err
		},
	}
	database.register(cmd.Flags())
	cmd.Flags().BoolVar(&force, "force", false, "even if it still reports")
	return cmd
}
