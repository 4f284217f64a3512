package main

import (
	"github.com/spf13/cobra"

	"github.com/fieldcrypt/go/keymgr"
)

func newKeysDisable() *cobra.Command {
	r := &retirement{to: keymgr.StateDisabled, change: (*keymgr.Manager).DisableKey}
	cmd := &cobra.Command{
		Use:   "disable <domain>[/<tenant>] <key id>",
		Short: "Take a key out of use that no row needs any more",
		Long: `Take an active or pending key out of use: what it sealed does not open any more,
and searches do not look for its blind indexes. "keys enable" undoes it.

` + proofHelp + `

` + dryRunHelp + `

` + changeHelp + `

` + kekHelp,
		Example: `  # could it be done?
  fieldcrypt keys disable medical 1122334455 --proof proof.json \
    --kek 'aws-kms:///alias/medical-key?region=eu-west-1'

  # do it
  fieldcrypt keys disable medical 1122334455 --proof proof.json --execute \
    --kek 'aws-kms:///alias/medical-key?region=eu-west-1'`,
	}
	r.register(cmd)
	return cmd
}
