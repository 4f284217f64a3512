package main

import "github.com/spf13/cobra"

func newKeys() *cobra.Command {
	return group("keys", "Make, see, change, move and destroy the wrapped keysets of scopes",
		newKeysMigrate(),
		newKeysDDL(),
		newKeysCreate(),
		newKeysList(),
		newKeysShow(),
		newKeysAdd(),
		newKeysPromote(),
		newKeysDisable(),
		newKeysEnable(),
		newKeysDestroy(),
		newKeysInstances(),
		newKeysForget(),
		newKeysRewrap(),
		newKeysDestroyScope(),
	)
}
