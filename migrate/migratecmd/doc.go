// Package migratecmd is the commands by which an operator rotates keys and
// migrates rows: migrate, rotate, census, verify and manifest. The program
// fieldcrypt has them, working from a manifest file. An application whose models
// have transforms of its own puts them into a program of its own:
//
//	fc := fieldcrypt.New(keys, fieldcrypt.Config{Transforms: transforms})
//	root := &cobra.Command{Use: "clinic", SilenceErrors: true, SilenceUsage: true}
//	root.AddCommand(migratecmd.Commands(migrate.Postgres(pool), fc, &Patient{}, &Visit{})...)
//	if err := root.ExecuteContext(ctx); err != nil {
//		fmt.Fprintln(os.Stderr, err)
//		fmt.Fprintln(os.Stderr, migratecmd.Advice(err))
//		os.Exit(migratecmd.ExitCode(err))
//	}
//
// It stands apart from package migrate so that only programs that want commands
// compile cobra. Cancel the context to stop: the batches at hand are finished, the
// leases given back, and the error says how to go on.
package migratecmd
