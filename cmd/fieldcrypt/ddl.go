package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/fieldcrypt/go/keymgr/sqlstore"
	"github.com/fieldcrypt/go/migrate"
)

func newDDL() *cobra.Command {
	var (
		database databaseFlag
		dialect  string
		execute  bool
	)
	cmd := &cobra.Command{
		Use:   "ddl",
		Short: "Print the statements that make all tables of fieldcrypt, or run them",
		Long: `Print the statements that make all tables of fieldcrypt's own: those of keysets
and instances, and those of the jobs that rewrite rows. With --execute they are
run on the database, where what is there stays as it is.`,
		Example: `  fieldcrypt ddl
  fieldcrypt ddl --dialect sqlite
  fieldcrypt ddl --execute --database sqlite:app.db`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !execute {
				return printDDL(cmd, &database, dialect)
			}
			if cmd.Flags().Changed("dialect") {
				return usagef("--dialect is for printing: with --execute the database says what it is")
			}
			if err := makeTables(cmd.Context(), &database); err != nil {
				return err
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "the tables are there")
			return err
		},
	}
	database.register(cmd.Flags())
	cmd.Flags().StringVar(&dialect, "dialect", "", "postgres or sqlite (default: that of the database's URL, or postgres)")
	cmd.Flags().BoolVar(&execute, "execute", false, "run them")
	complete(cmd, "dialect", "postgres", "sqlite")
	return cmd
}

func printDDL(cmd *cobra.Command, database *databaseFlag, dialect string) error {
	if dialect == "" {
		dialect = "postgres"
		if dsn, _, err := database.dsn(); err != nil {
			return err
		} else if dsn != "" && !isPostgres(dsn) {
			dialect = "sqlite"
		}
	}
	var text string
	switch dialect {
	case "postgres":
		text = sqlstore.DDL(sqlstore.Postgres) + new(migrate.DB).DDL() // no database is Postgres's
	case "sqlite":
		text = sqlstore.DDL(sqlstore.SQLite) + migrate.SQLite(nil).DDL()
	default:
		return usagef("--dialect is postgres or sqlite")
	}
	_, err := io.WriteString(cmd.OutOrStdout(), text)
	return err
}

func makeTables(ctx context.Context, database *databaseFlag) error {
	made, err := database.open(ctx, true) // the file of an SQLite database
	if err != nil {
		return err
	}
	err = sqlstore.Migrate(ctx, made)
	made.Close()
	if err != nil {
		return err
	}
	db, err := database.openProject(ctx)
	if err != nil {
		return err
	}
	defer db.close()
	return migrate.Migrate(ctx, db.migrate)
}
