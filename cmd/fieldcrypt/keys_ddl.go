package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/fieldcrypt/go/keymgr/sqlstore"
)

func newKeysDDL() *cobra.Command {
	var dialect string
	cmd := &cobra.Command{
		Use:   "ddl",
		Short: `Print the statements that "keys migrate" runs`,
		Example: `  fieldcrypt keys ddl
  fieldcrypt keys ddl --dialect sqlite`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, d := range []sqlstore.Dialect{sqlstore.Postgres, sqlstore.SQLite} {
				if d.String() == dialect {
					_, err := io.WriteString(cmd.OutOrStdout(), sqlstore.DDL(d))
					return err
				}
			}
			return usagef("--dialect is postgres or sqlite")
		},
	}
	cmd.Flags().StringVar(&dialect, "dialect", "postgres", "postgres or sqlite")
	complete(cmd, "dialect", "postgres", "sqlite")
	return cmd
}
