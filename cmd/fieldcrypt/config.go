package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
)

const (
	configVariable = "FIELDCRYPT_CONFIG"

	// maxConfig bounds a file that is read as a configuration.
	maxConfig = 1 << 20
)

// configFile is a file of settings. Flags come before the environment, and that
// before the file.
type configFile struct {
	Database string                  `yaml:"database"`
	Manifest string                  `yaml:"manifest"`
	Actor    string                  `yaml:"actor"`
	MaxAge   string                  `yaml:"max_age"`
	Domains  map[string]configDomain `yaml:"domains"`
	Limits   configLimits            `yaml:"limits"`
}

// configDomain is how the keys of a domain are wrapped.
type configDomain struct {
	KEKs []string `yaml:"keks"`
}

type configLimits struct {
	Workers     string   `yaml:"workers"`
	BatchTarget string   `yaml:"batch_target"`
	LockTimeout string   `yaml:"lock_timeout"`
	Nice        string   `yaml:"nice"`
	MaxLag      string   `yaml:"max_lag"`
	MaxWAL      string   `yaml:"max_wal"`
	MaxWaiting  string   `yaml:"max_waiting"`
	MaxActive   string   `yaml:"max_active"`
	Windows     []string `yaml:"windows"`
	Probe       string   `yaml:"probe"`
}

const configHelp = `A configuration file holds what does not change from command to command:

  database: postgres://app@db.example.com/clinic   # never with a password
  manifest: fieldcrypt.json
  domains:
    medical:
      keks: ['aws-kms:///alias/medical-key?region=eu-west-1']
  limits: {nice: 1, max_lag: 2s, max_wal: 50MB, windows: ['22:00-05:30'], workers: 2}

There are also actor, max_age, and the limits batch_target, lock_timeout,
max_waiting, max_active and probe. A flag comes before its variable, such as
FIELDCRYPT_MAX_LAG for --max-lag, and that before the file. FIELDCRYPT_KEK names
KEKs as --kek does, separated by spaces.`

// readConfig reads a file. No name: no settings.
func readConfig(name string) (*configFile, error) {
	c := &configFile{}
	if name == "" {
		return c, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, usage(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxConfig))
	if err != nil {
		return nil, usage(err)
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(c); err != nil && !errors.Is(err, io.EOF) {
		return nil, usagef("%s: %s", name, yamlProblem(err))
	}
	if hasPassword(c.Database) {
		return nil, usagef("%s: database holds a password: put the URL into %s, or the password into PGPASSWORD or the .pgpass file", name, databaseVariable)
	}
	for domain, d := range c.Domains {
		if len(d.KEKs) == 0 {
			return nil, usagef("%s: domains: %s has no keks", name, domain)
		}
	}
	return c, nil
}

// yamlProblem is what is wrong with a file, without what stands there: it may be a
// password in the wrong place.
func yamlProblem(err error) string {
	var wrong *yaml.TypeError
	if !errors.As(err, &wrong) || len(wrong.Errors) == 0 {
		return "that is no YAML"
	}
	first := wrong.Errors[0]
	if _, rest, unknown := strings.Cut(first, ": field "); unknown {
		line, _, _ := strings.Cut(first, ":")
		field, _, _ := strings.Cut(rest, " ")
		return fmt.Sprintf("%s: there is no setting %q", line, field)
	}
	line, _, _ := strings.Cut(first, ":")
	return line + ": that is not the kind of value that belongs there"
}

// setting is where a flag gets its value from, if it is not given.
type setting struct {
	flag   string
	values []string // of the file
}

func (c *configFile) settings() []setting {
	one := func(s string) []string {
		if s == "" {
			return nil
		}
		return []string{s}
	}
	l := c.Limits
	return []setting{
		{"manifest", one(c.Manifest)}, {"actor", one(c.Actor)}, {"max-age", one(c.MaxAge)},
		{"workers", one(l.Workers)}, {"batch-target", one(l.BatchTarget)}, {"lock-timeout", one(l.LockTimeout)}, {"nice", one(l.Nice)},
		{"max-lag", one(l.MaxLag)}, {"max-wal", one(l.MaxWAL)}, {"max-waiting", one(l.MaxWaiting)}, {"max-active", one(l.MaxActive)},
		{"window", l.Windows}, {"probe", one(l.Probe)},
	}
}

func variableOf(flag string) string {
	return "FIELDCRYPT_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// configure gives a command's flags the values that they have in the environment
// and in the file, if they are not given.
func configure(cmd *cobra.Command, args []string) error {
	name, _ := cmd.Flags().GetString("config")
	if name == "" {
		name = os.Getenv(configVariable)
	}
	c, err := readConfig(name)
	if err != nil {
		return err
	}
	if c.Database != "" && os.Getenv(databaseVariable) == "" {
		if err := setFlag(cmd, "database", name, c.Database); err != nil {
			return err
		}
	}
	for _, s := range c.settings() {
		if s.flag != "manifest" && s.flag != "actor" && s.flag != "max-age" && cmd.Name() == "set" {
			continue // it changes what is named, and nothing else
		}
		source, values := name, s.values
		if v, there := os.LookupEnv(variableOf(s.flag)); there && v != "" {
			source, values = variableOf(s.flag), []string{v}
			if s.flag == "window" {
				values = strings.Fields(v)
			}
		}
		if err := setFlag(cmd, s.flag, source, values...); err != nil {
			return err
		}
	}
	return c.setKEKs(cmd, args, name)
}

// setFlag sets a flag that is there and was not given.
func setFlag(cmd *cobra.Command, flag, source string, values ...string) error {
	f := cmd.Flags().Lookup(flag)
	if f == nil || f.Changed {
		return nil
	}
	for _, v := range values {
		if err := cmd.Flags().Set(flag, v); err != nil {
			cause := errors.Unwrap(err) // of pflag's, which repeats the value
			if cause == nil {
				cause = errors.New("that is no value for it")
			}
			return usagef("%s: %s: %w", source, strings.ReplaceAll(flag, "-", "_"), cause)
		}
	}
	return nil
}
