package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

func newRoot(stdout, stderr io.Writer) *cobra.Command {
	root := group("fieldcrypt", "Manage the keys of encrypted database fields, and rotate them",
		newKeys(),
		newDDL(),
		newDoctor(),
		newVersion(),
	)
	for _, cmd := range newMigration() {
		root.AddCommand(cmd)
		strictAll(cmd)
	}
	root.PersistentFlags().String("config", "", "`FILE` with settings (default $"+configVariable+")")
	root.Long = `Manage the keys of encrypted database fields, and rotate them.

` + configHelp + `

Environment:
  ` + databaseVariable + `      the database, unless --database names it; here its URL
                               may hold a password
  ` + configVariable + `            the configuration file, unless --config names it
  AWS_PROFILE, AWS_REGION, ... as for every program that uses the AWS SDK
  PGPASSWORD, PGSSLMODE, ...   as for every Postgres client

Exit codes:
   0  done
   1  failed for a reason that has no class of its own
   2  incomplete: interrupted, or the database or the KMS did not answer;
      the same command, run again, goes on
   3  done, but for some that failed and are named
   4  refused: by the KMS, or because of what the database holds
   5  another process has taken over the work
  64  wrong use: the command cannot work as it was given`
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetOut(stdout) // before cobra's own commands are made, which keep it
	root.SetErr(stderr)
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "help":
			strictHelp(cmd)
		case "completion":
			strict(cmd)
		}
	}
	return root
}

// group is a command that only has commands below it.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{Use: use, Short: short}
	g.AddCommand(commands...)
	return strict(g)
}

// strict makes a group without one of its commands wrong use. Cobra's own would
// print the help and succeed.
func strict(g *cobra.Command) *cobra.Command {
	g.Args = cobra.ArbitraryArgs
	g.DisableFlagsInUseLine = true
	g.FParseErrWhitelist.UnknownFlags = true // the unknown command says more
	g.SuggestionsMinimumDistance = 2
	g.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			cmd.SetOut(cmd.ErrOrStderr())
			_ = cmd.Help()
			return usagef("which command?")
		}
		similar := ""
		if s := cmd.SuggestionsFor(args[0]); len(s) > 0 {
			similar = fmt.Sprintf(" (did you mean %s?)", strings.Join(s, ", "))
		}
		return usagef("unknown command %q%s", args[0], similar)
	}
	return g
}

// strictAll makes all groups of a command strict.
func strictAll(cmd *cobra.Command) {
	if cmd.HasSubCommands() {
		strict(cmd)
	}
	for _, sub := range cmd.Commands() {
		strictAll(sub)
	}
}

// strictHelp makes "help" for a command that does not exist wrong use.
func strictHelp(help *cobra.Command) {
	help.Run = nil
	help.RunE = func(cmd *cobra.Command, args []string) error {
		about, rest, err := cmd.Root().Find(args)
		if err != nil || len(rest) > 0 {
			return usagef("there is no command %q", strings.Join(args, " "))
		}
		about.InitDefaultHelpFlag()
		return about.Help()
	}
}

// complete tells the shell the values of a flag.
func complete(cmd *cobra.Command, flag string, values ...string) {
	err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	if err != nil {
		panic(err) // no such flag
	}
}
