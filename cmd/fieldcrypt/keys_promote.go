package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
)

func newKeysPromote() *cobra.Command {
	var (
		database databaseFlag
		keks     kekFlags
		actor    actorFlag
		wait     waitFlag
	)
	cmd := &cobra.Command{
		Use:   "promote <domain>[/<tenant>] <key id>",
		Short: "Make a key the one that writes",
		Long: `Make a pending or active key the primary, which writes. All running applications
that report must have it (see "keys instances"), or it must be old enough.

` + kekHelp,
		Example: `  fieldcrypt keys promote medical 1122334455 --wait --kek 'aws-kms:///alias/medical-key?region=eu-west-1'`,
		Args:    cobra.MaximumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) < 2 {
				return usagef("which key? Name the scope and the key's id: `fieldcrypt keys show` lists them")
			}
			s, err := parseScope(args[0])
			if err != nil {
				return err
			}
			id, err := parseKeyID(args[1])
			if err != nil {
				return err
			}
			ctx, err := actor.context(cmd.Context())
			if err != nil {
				return err
			}
			opened, err := keks.open(ctx, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			db, err := database.open(ctx, false)
			if err != nil {
				return err
			}
			defer db.Close()
			store := sqlstore.New(db)
			v, err := viewScope(ctx, store, s, nil)
			if err != nil {
				return err
			}
			p := keymgr.Seal
			for _, k := range v.Keys {
				if k.ID == id {
					p = keymgr.Purpose(k.Purpose)
				}
			}
			m, err := openManager(ctx, store, s, keymgr.Domain{KEKs: opened}, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			defer m.Close()
			if err := wait.promote(ctx, m, s, p, id, cmd.ErrOrStderr()); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "promoted  %s: %s key %d\n", s, p, id)
			return err
		},
	}
	database.register(cmd.Flags())
	keks.register(cmd.Flags(), "`URI` of a KMS key that wraps the keysets; repeat it for several")
	actor.register(cmd.Flags())
	wait.register(cmd.Flags())
	return cmd
}
