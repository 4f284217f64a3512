package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
)

const usage = `Usage: go run ./examples/rotation [flags]

Two instances of a service write, read and search encrypted rows while an operator
rotates the key under which the rows are sealed. Without flags it starts a Postgres
of its own from what is installed on this machine, and leaves nothing behind.

  -database URL   use this Postgres, for example postgres://me@localhost:5432/test, in
                  a schema of this run's own, which is dropped at the end. Default: the
                  environment variable FIELDCRYPT_DATABASE_URL
  -rows N         how many rows there are at the start (default 50000)
  -h              this text

Exit codes: 0 every read and search succeeded and the old key is gone, 1 not so,
2 wrong flags, 130 interrupted.
`

type config struct {
	database string // URL, or "" for a server of its own
	rows     int
	help     bool
}

// errUsage is every error that the user can cure with other flags. None holds
// the URL of a database: there may be a password in it.
var errUsage = errors.New("wrong flags")

func parseConfig(args []string, getenv func(string) string) (config, error) {
	var c config
	flags := flag.NewFlagSet("rotation", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&c.database, "database", getenv("FIELDCRYPT_DATABASE_URL"), "")
	flags.IntVar(&c.rows, "rows", 50_000, "")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return config{help: true}, nil
	case err != nil:
		return c, fmt.Errorf("%w: %w", errUsage, err)
	case flags.NArg() > 0:
		return c, fmt.Errorf("%w: unexpected argument %q", errUsage, flags.Arg(0))
	case c.rows < 1 || c.rows > 10_000_000:
		return c, fmt.Errorf("%w: -rows is a number from 1 to 10000000", errUsage)
	}
	if c.database != "" {
		u, err := url.Parse(c.database)
		if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
			return c, fmt.Errorf("%w: -database, or FIELDCRYPT_DATABASE_URL, is no URL such as postgres://me@localhost:5432/test", errUsage)
		}
	}
	return c, nil
}
