package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fieldcrypt/go/keymgr"
)

func newKeysAdd() *cobra.Command {
	var (
		flags   changeFlags
		purpose string
	)
	cmd := &cobra.Command{
		Use:   "add <domain>[/<tenant>]",
		Short: "Add a new key to a scope, which does not write yet",
		Long: `Add a new random key to a keyset of a scope. It is pending: applications read
with it as soon as they have it, and write with it after "keys promote".

` + changeHelp + `

` + kekHelp,
		Example: `  # the key that seals values
  fieldcrypt keys add medical --kek 'aws-kms:///alias/medical-key?region=eu-west-1'

  # the key of blind indexes
  fieldcrypt keys add medical --purpose index --kek 'aws-kms:///alias/medical-key?region=eu-west-1'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			p := keymgr.Purpose(purpose)
			switch {
			case p != keymgr.Seal && p != keymgr.Index:
				return usagef("--purpose is seal or index")
			case len(args) != 1:
				return usagef("which scope? Name one")
			}
			c, err := flags.open(cmd, args[0])
			if err != nil {
				return err
			}
			defer c.Close()
			m, err := c.manager()
			if err != nil {
				return err
			}
			defer m.Close()
			id, err := m.AddKey(c.ctx, c.scope, p)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "once every running application has it: fieldcrypt keys promote %s %d\n", c.scope, id)
			return c.say("added     %s: %s key %d, pending", c.scope, p, id)
		},
	}
	flags.register(cmd)
	cmd.Flags().StringVar(&purpose, "purpose", string(keymgr.Seal), "seal (values) or index (blind indexes)")
	complete(cmd, "purpose", string(keymgr.Seal), string(keymgr.Index))
	return cmd
}
