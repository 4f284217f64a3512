package main

import "github.com/spf13/cobra"

func newKeysEnable() *cobra.Command {
	var flags changeFlags
	cmd := &cobra.Command{
		Use:   "enable <domain>[/<tenant>] <key id>",
		Short: "Let a disabled key read again",
		Long: `Let a disabled key read again: it becomes active. Applications that have seen it
disabled read with it once they have opened their keys anew, in minutes.

` + changeHelp + `

` + kekHelp,
		Example: `  fieldcrypt keys enable medical 1122334455 --kek 'aws-kms:///alias/medical-key?region=eu-west-1'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			scope, id, err := scopeAndKey(args)
			if err != nil {
				return err
			}
			c, err := flags.open(cmd, scope)
			if err != nil {
				return err
			}
			defer c.Close()
			p, _, err := c.key(id)
			if err != nil {
				return err
			}
			m, err := c.manager()
			if err != nil {
				return err
			}
			defer m.Close()
			if err := m.EnableKey(c.ctx, c.scope, p, id); err != nil {
				return err
			}
			return c.say("enabled   %s: %s key %d, active", c.scope, p, id)
		},
	}
	flags.register(cmd)
	return cmd
}
