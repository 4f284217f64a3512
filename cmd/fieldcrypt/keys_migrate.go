package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fieldcrypt/go/keymgr/sqlstore"
)

func newKeysMigrate() *cobra.Command {
	var database databaseFlag
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Make the tables of wrapped keysets that are missing",
		Long: `Make the tables fieldcrypt_keysets, fieldcrypt_keyset_wraps,
fieldcrypt_key_events and fieldcrypt_instances, if they are missing. It can run
again at any time, and in many places at once. To run the statements yourself, see "keys ddl".`,
		Example: `  # on the database that ` + databaseVariable + ` names
  fieldcrypt keys migrate

  # on SQLite; the file is made if it is missing
  fieldcrypt keys migrate --database sqlite:app.db`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			db, err := database.open(cmd.Context(), true)
			if err != nil {
				return err
			}
			defer db.Close()
			if err := sqlstore.Migrate(cmd.Context(), db); err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), "the tables are there")
			return err
		},
	}
	database.register(cmd.Flags())
	return cmd
}
