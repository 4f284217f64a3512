package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"time"

	"github.com/fieldcrypt/go/fieldcrypt/devkeys"
)

const usage = `Usage: go run ./examples/clinic [flags]

Serves patients over HTTP. Their names, record numbers, cards, birth dates and notes
are encrypted in the database. Without flags it needs nothing but Go: a SQLite file and
a key file, in the folder ` + defaultData + `.

  -addr HOST:PORT       where to listen (default ` + defaultAddr + `)
  -database URL         use this Postgres, for example postgres://me@localhost:5432/test;
                        makes the tables patients and fieldcrypt_* there if they are
                        missing. Default: the environment variable DATABASE_URL, which
                        other users of the machine cannot see, or else SQLite
  -data DIR             the folder of the SQLite file and the key file
                        (default ` + defaultData + `)
  -medical-key NAME     the KMS keys at AWS that wrap the keys of the two domains:
  -finance-key NAME     alias/..., a key id or an ARN; credentials and region as for
                        every program that uses the AWS SDK. Both or neither. Default:
                        MEDICAL_KEY and FINANCE_KEY, or else a key file
  -log LEVEL            debug (every SQL statement, without its values), info, warn or
                        error (default info)
  -request-timeout D    how long a request may take (default ` + defaultRequestTimeout + `)
  -drain-timeout D      how long requests that are running may take to end after Ctrl-C
                        or SIGTERM (default ` + defaultDrainTimeout + `)
  -h                    this text

With FIELDCRYPT_ENV=production a key file is refused.

Exit codes: 0 stopped by Ctrl-C or SIGTERM, 1 failed, 2 wrong flags, 130 interrupted
while starting.
`

const (
	defaultAddr           = "127.0.0.1:8080"
	defaultData           = "clinic-data"
	defaultRequestTimeout = "5s"
	defaultDrainTimeout   = "15s"
)

type config struct {
	addr           string
	database       string // URL of a Postgres, or ""
	data           string // folder
	kmsKeys        map[string]string
	logLevel       slog.Level
	requestTimeout time.Duration
	drainTimeout   time.Duration
	help           bool
}

// keyFile is the development key.
func (c config) keyFile() string { return filepath.Join(c.data, "clinic.key") }

// errUsage is every error that the user can cure with other flags. None holds
// the URL of a database: there may be a password in it.
var errUsage = errors.New("wrong flags")

func parseConfig(args []string, getenv func(string) string) (config, error) {
	c := config{kmsKeys: map[string]string{}}
	var medical, finance, level, request, drain string
	flags := flag.NewFlagSet("clinic", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&c.addr, "addr", defaultAddr, "")
	flags.StringVar(&c.database, "database", getenv("DATABASE_URL"), "")
	flags.StringVar(&c.data, "data", defaultData, "")
	flags.StringVar(&medical, "medical-key", getenv("MEDICAL_KEY"), "")
	flags.StringVar(&finance, "finance-key", getenv("FINANCE_KEY"), "")
	flags.StringVar(&level, "log", "info", "")
	flags.StringVar(&request, "request-timeout", defaultRequestTimeout, "")
	flags.StringVar(&drain, "drain-timeout", defaultDrainTimeout, "")

	wrong := func(format string, a ...any) (config, error) {
		return config{}, fmt.Errorf("%w: "+format, append([]any{errUsage}, a...)...)
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return config{help: true}, nil
	case err != nil:
		return wrong("%w", err)
	case flags.NArg() > 0:
		return wrong("unexpected argument %q", flags.Arg(0))
	case c.data == "":
		return wrong("-data is empty")
	case (medical == "") != (finance == ""):
		return wrong("-medical-key and -finance-key go together")
	case medical == "" && getenv(devkeys.EnvVariable) == "production":
		return wrong("%s=production needs -medical-key and -finance-key", devkeys.EnvVariable)
	}
	if medical != "" {
		c.kmsKeys["medical"], c.kmsKeys["finance"] = medical, finance
	}
	if c.database != "" {
		u, err := url.Parse(c.database)
		if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
			return wrong("-database, or DATABASE_URL, is no URL such as postgres://me@localhost:5432/test")
		}
	}
	if err := c.logLevel.UnmarshalText([]byte(level)); err != nil {
		return wrong("-log is none of debug, info, warn, error")
	}
	if _, _, err := net.SplitHostPort(c.addr); err != nil {
		return wrong("-addr %q is no HOST:PORT such as %s", c.addr, defaultAddr)
	}
	var ok bool
	if c.requestTimeout, ok = parseTimeout(request); !ok {
		return wrong("-request-timeout is no duration such as %s", defaultRequestTimeout)
	}
	if c.drainTimeout, ok = parseTimeout(drain); !ok {
		return wrong("-drain-timeout is no duration such as %s", defaultDrainTimeout)
	}
	return c, nil
}

func parseTimeout(s string) (time.Duration, bool) {
	d, err := time.ParseDuration(s)
	return d, err == nil && d > 0
}
