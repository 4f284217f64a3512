package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
)

const usage = `Usage: go run ./examples/quickstart [flags]

Encrypts 1,000 made-up patients field by field, stores them, shows a row, searches,
moves the keys to another KMS key, and reads all of them back. Without flags it needs
nothing but Go: a SQLite file and two key files, in a temporary folder that is removed.

  -postgres URL   use this Postgres, for example postgres://me@localhost:5432/test.
                  Works in a new schema of its own, which is dropped at the end.
  -kms aws        use AWS KMS with the SDK's default credentials and region. Makes no
                  keys: -kek and -kek2 name two that you have.
  -kms URL        use a KMS endpoint, for example http://127.0.0.1:4566 (LocalStack).
                  Makes the aliases of -kek and -kek2, with keys, if they are missing.
                  Credentials and region come from the environment; for an endpoint on
                  this machine made-up ones will do.
  -kek NAME       the KMS key to begin with: alias/..., a key id or an ARN
                  (with a URL: default ` + defaultKEK + `)
  -kek2 NAME      the KMS key to move to
                  (with a URL: default ` + defaultKEK2 + `)
  -keep           leave the database and the key files in place, and say where
  -h              this text

Exit codes: 0 done, 1 failed, 2 wrong flags, 130 interrupted.
`

const (
	defaultKEK  = "alias/fieldcrypt-quickstart"
	defaultKEK2 = "alias/fieldcrypt-quickstart-2"
	kmsAWS      = "aws"
)

type options struct {
	postgres  string
	kms       string // "", kmsAWS or a URL
	loopback  bool   // kms is a URL of this machine
	kek, kek2 string
	keep      bool
	help      bool
}

// errUsage is every error that the user can cure with other flags.
var errUsage = errors.New("wrong flags")

func parseFlags(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.postgres, "postgres", "", "")
	flags.StringVar(&o.kms, "kms", "", "")
	flags.StringVar(&o.kek, "kek", "", "")
	flags.StringVar(&o.kek2, "kek2", "", "")
	flags.BoolVar(&o.keep, "keep", false, "")

	wrong := func(format string, a ...any) (options, error) {
		return options{}, fmt.Errorf("%w: "+format, append([]any{errUsage}, a...)...)
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return options{help: true}, nil
	case err != nil:
		return wrong("%w", err)
	case flags.NArg() > 0:
		return wrong("unexpected argument %q", flags.Arg(0))
	}

	switch o.kms {
	case "":
		if o.kek != "" || o.kek2 != "" {
			return wrong("-kek and -kek2 need -kms")
		}
		return o, nil
	case kmsAWS:
		if o.kek == "" || o.kek2 == "" {
			return wrong("-kms aws needs -kek and -kek2: it makes no keys")
		}
	default:
		u, err := url.Parse(o.kms)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return wrong("-kms is neither aws nor a URL such as http://127.0.0.1:4566")
		}
		ip := net.ParseIP(u.Hostname())
		o.loopback = u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
		if u.Scheme == "http" && !o.loopback {
			return wrong("-kms: http would show the data keys to the network; use https")
		}
		o.kek, o.kek2 = orDefault(o.kek, defaultKEK), orDefault(o.kek2, defaultKEK2)
	}
	if o.kek == o.kek2 {
		return wrong("-kek and -kek2 name the same key")
	}
	return o, nil
}

func orDefault(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
