package main

import "github.com/spf13/cobra"

func newKeysPromote() *cobra.Command {
	var (
		flags changeFlags
		wait  waitFlag
	)
	cmd := &cobra.Command{
		Use:   "promote <domain>[/<tenant>] <key id>",
		Short: "Make a key the one that writes",
		Long: `Make a pending or active key the primary, which writes. The one that was it
becomes active: it still reads. Promoting that one again goes back.

An application that does not have a new index key yet would not find what it
wrote, without an error: so all running instances that report must have the key
(--wait waits for that, "keys instances" shows them), or it must be older than
--max-age and than the largest age that an instance reports.

` + changeHelp + `

` + kekHelp,
		Example: `  fieldcrypt keys promote medical 1122334455 --wait --kek 'aws-kms:///alias/medical-key?region=eu-west-1'`,
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
			if err := wait.promote(c.ctx, m, c.scope, p, id, cmd.ErrOrStderr()); err != nil {
				return err
			}
			return c.say("promoted  %s: %s key %d, primary", c.scope, p, id)
		},
	}
	flags.register(cmd)
	flags.registerMaxAge(cmd)
	wait.register(cmd.Flags())
	return cmd
}
