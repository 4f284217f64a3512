package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
)

// keysRewrap holds the flags of "keys rewrap".
type keysRewrap struct {
	database      databaseFlag
	to            kekFlags
	from          []string
	actor         actorFlag
	tenantContext string
	execute       bool
}

func newKeysRewrap() *cobra.Command {
	var c keysRewrap
	cmd := &cobra.Command{
		Use:   "rewrap <domain>[/<tenant>]...",
		Short: "Wrap the keysets of scopes under other KMS keys",
		Long: `Wrap the data key of scopes under exactly the KEKs that --kek names, and under
none of those of before. No key and no row changes. Without --execute it prints
what it would do, and asks no KMS.

Each new wrap is unwrapped, and the keysets opened with it, before it replaces
the old ones. A scope that is wrapped under exactly these KEKs is passed over,
so after an interruption the same command does the rest.

Running applications open their keys anew every few minutes. Give all of them
the new KEK first, beside the old one, and take the old one away afterwards;
disable it in the KMS only then, and keep it as long as backups need it.

` + kekHelp,
		Example: `  # what would happen
  fieldcrypt keys rewrap medical \
    --from 'aws-kms:///alias/medical-key?region=eu-west-1' \
    --kek 'aws-kms:///alias/medical-key-2?region=eu-west-1'

  # do it
  fieldcrypt keys rewrap medical --execute \
    --from 'aws-kms:///alias/medical-key?region=eu-west-1' \
    --kek 'aws-kms:///alias/medical-key-2?region=eu-west-1'`,
		RunE: c.run,
	}
	c.database.register(cmd.Flags())
	c.to.register(cmd.Flags(), "`URI` of a KMS key to wrap under; repeat it for several")
	c.to.registerCreate(cmd.Flags())
	cmd.Flags().StringArrayVar(&c.from, "from", nil, "`URI` of a KMS key that opens the scopes now, if no --kek does; repeat it for several")
	c.actor.register(cmd.Flags())
	cmd.Flags().StringVar(&c.tenantContext, "tenant-context", "", "how tenants appear in the KMS's log from now on: plain or sha256 (default: as before)")
	cmd.Flags().BoolVar(&c.execute, "execute", false, "do it")
	complete(cmd, "tenant-context", "plain", "sha256")
	return cmd
}

func (c *keysRewrap) run(cmd *cobra.Command, args []string) error {
	scopes, err := parseScopes(args)
	if err != nil {
		return err
	}
	ctx, err := c.actor.context(cmd.Context())
	if err != nil {
		return err
	}
	var tc *keymgr.TenantContext // nil: each scope's own
	if c.tenantContext != "" {
		given, err := parseTenantContext(c.tenantContext)
		if err != nil {
			return err
		}
		tc = &given
	}
	to, err := c.to.planned(ctx)
	if err != nil {
		return err
	}
	from, err := openKEKs(ctx, c.from, false, io.Discard)
	if err != nil {
		return err
	}
	db, err := c.database.open(ctx, false)
	if err != nil {
		return err
	}
	defer db.Close()
	store := sqlstore.New(db)
	moves, err := planMoves(ctx, store, scopes, to, from, tc)
	if err != nil {
		return err
	}
	if !c.execute {
		for _, m := range moves {
			m.print(cmd.OutOrStdout(), "would be rewrapped")
		}
		fmt.Fprint(cmd.ErrOrStderr(), "dry run: nothing was changed. Once every running application lists the new KEKs, add --execute\n")
		return nil
	}
	keks, err := c.to.open(ctx, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	for _, m := range moves {
		if !m.done() {
			m.to = uris(keks)
			if err := m.run(ctx, store, keks, from, cmd.ErrOrStderr()); err != nil {
				return err
			}
		}
		m.print(cmd.OutOrStdout(), "rewrapped and verified")
	}
	return nil
}
