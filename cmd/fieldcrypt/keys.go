package main

import "github.com/spf13/cobra"

func newKeys() *cobra.Command {
	return group("keys", "Make, see and move the wrapped keysets of scopes",
		newKeysMigrate(),
		newKeysDDL(),
		newKeysCreate(),
		newKeysList(),
		newKeysShow(),
		newKeysPromote(),
		newKeysInstances(),
		newKeysForget(),
		newKeysRewrap(),
	)
}
