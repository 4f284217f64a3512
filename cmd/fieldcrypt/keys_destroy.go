package main

import (
	"github.com/spf13/cobra"

	"github.com/fieldcrypt/go/keymgr"
)

func newKeysDestroy() *cobra.Command {
	r := &retirement{to: keymgr.StateDestroyed, change: (*keymgr.Manager).DestroyKey}
	cmd := &cobra.Command{
		Use:   "destroy <domain>[/<tenant>] <key id>",
		Short: "Destroy a key that is disabled, for ever",
		Long: `Destroy a key that has been disabled for longer than --max-age. Nothing brings
it back but a backup of the database, for as long as a KMS key opens that. Its
id stays listed and is never used again.

` + proofHelp + `
Here it must have begun when no application could write with the key any more,
which is --max-age after it was disabled.

` + dryRunHelp + `

` + changeHelp + `

` + kekHelp,
		Example: `  # could it be done?
  fieldcrypt keys destroy medical 1122334455 --proof proof.json \
    --kek 'aws-kms:///alias/medical-key?region=eu-west-1'

  # do it
  fieldcrypt keys destroy medical 1122334455 --proof proof.json --execute \
    --kek 'aws-kms:///alias/medical-key?region=eu-west-1'`,
	}
	r.register(cmd)
	return cmd
}
