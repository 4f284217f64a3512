package migratecmd

import (
	"context"
	"os/user"

	"github.com/spf13/cobra"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/migrate"
)

// Setup is how the commands come to what they work on. Commands is the short way.
type Setup struct {
	// Open returns the project for a command, and what closes it. What the
	// command does not need may be missing.
	Open func(cmd *cobra.Command, need Need) (p *migrate.Project, closeIt func(), err error)
	// Flags gives a command the flags that Open reads. Defaults to none.
	Flags func(cmd *cobra.Command, need Need)
	// Long is added to the help of commands that need keys. Defaults to nothing.
	Long string
}

// Need is what a command needs of a project besides the database.
type Need struct {
	Manifest bool
	Keys     bool         // with the Crypter
	Change   bool         // new keys are made and wrapped
	Scope    keymgr.Scope // that is changed; zero in Setup.Flags
}

// Commands returns the commands for an application's own program. They work on
// its database, with its keys and what its models say.
func Commands(db *migrate.DB, fc *fieldcrypt.Crypter, models ...any) []*cobra.Command {
	actor := ""
	return New(Setup{
		Flags: func(cmd *cobra.Command, _ Need) {
			cmd.Flags().StringVar(&actor, "actor", "", "`NAME` for the records of jobs and keys (default: the user of the operating system)")
		},
		Open: func(*cobra.Command, Need) (*migrate.Project, func(), error) {
			text, err := fc.Manifest(models...)
			if err != nil {
				return nil, nil, err
			}
			manifest, err := fieldcrypt.ParseManifest(text)
			if err != nil {
				return nil, nil, err
			}
			who := actor
			if who == "" {
				u, err := user.Current()
				if err != nil {
					return nil, nil, usagef("the operating system does not say who you are: give --actor")
				}
				who = u.Username
			}
			return &migrate.Project{DB: db, Crypter: fc, Keys: fc.Keys(), Manifest: manifest, Actor: who}, func() {}, nil
		},
	})
}

// New returns the commands.
func New(s Setup) []*cobra.Command {
	if s.Flags == nil {
		s.Flags = func(*cobra.Command, Need) {}
	}
	c := commands{s}
	return []*cobra.Command{c.migrate(), c.rotate(), c.census(), c.verify(), c.manifest()}
}

type commands struct{ Setup }

// verb makes a command out of what it does with a project.
func (c commands) verb(cmd *cobra.Command, need Need, do func(ctx context.Context, p *migrate.Project, args []string) error) *cobra.Command {
	return c.scopeVerb(cmd, need, nil, do)
}

// scopeVerb is verb for a command that changes the keys of the scope that its
// arguments name.
func (c commands) scopeVerb(cmd *cobra.Command, need Need, scope func(args []string) (keymgr.Scope, error),
	do func(ctx context.Context, p *migrate.Project, args []string) error) *cobra.Command {
	c.Flags(cmd, need)
	if need.Keys && c.Long != "" {
		cmd.Long += "\n\n" + c.Long
	}
	check := cmd.PreRunE // what can be said of the arguments alone
	cmd.PreRunE = nil
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if check != nil {
			if err := check(cmd, args); err != nil {
				return err
			}
		}
		need := need
		if scope != nil {
			s, err := scope(args)
			if err != nil {
				return err
			}
			need.Scope = s
		}
		p, closeIt, err := c.Open(cmd, need)
		if err != nil {
			return err
		}
		defer closeIt()
		return do(keymgr.WithActor(cmd.Context(), p.Actor), p, args)
	}
	return cmd
}

// group is a command that only has commands below it.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{Use: use, Short: short, Args: cobra.ArbitraryArgs}
	g.AddCommand(commands...)
	g.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			cmd.SetOut(cmd.ErrOrStderr())
			_ = cmd.Help()
			return usagef("which command?")
		}
		return usagef("unknown command %q", args[0])
	}
	return g
}

func (c commands) migrate() *cobra.Command {
	return group("migrate", "Plan, run and steer the jobs that rewrite rows",
		c.plan(),
		c.start(),
		c.work(),
		c.status(),
		c.pause(),
		c.resume(),
		c.cancel(),
		c.set(),
		c.failures(),
		c.retire(),
		c.rollback(),
	)
}
