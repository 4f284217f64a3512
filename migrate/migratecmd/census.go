package migratecmd

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/migrate"
)

// scopeFlags narrow a command to a domain, a tenant and tables.
type scopeFlags struct{ domain, tenant string }

func (f *scopeFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.domain, "domain", "", "the columns of this `DOMAIN` only")
	cmd.Flags().StringVar(&f.tenant, "tenant", "", "the rows of this `TENANT` only, with --domain")
}

func (f *scopeFlags) check() error {
	switch {
	case f.domain == "" && f.tenant != "":
		return usagef("--tenant goes with --domain")
	case f.domain == "":
		return nil
	}
	return usage(keymgr.Scope{Domain: f.domain, Tenant: f.tenant}.Validate())
}

// ErrStray: values are there that no key of their scope can have sealed.
var ErrStray = errors.New("values that no key of their scope has sealed")

func (c commands) census() *cobra.Command {
	var (
		scope         scopeFlags
		exact, asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "census [<table>...]",
		Short: "Count the values by column, tenant and key",
		Long: `Count the values of encrypted columns and blind indexes by the key that they
name: how far a rotation is, and what a key is still needed for. Without --exact
it is an estimate from a sample, marked ~. Nothing is opened: whoever can write a
table can write any key's id, so no count proves anything about what opens.

It exits with 3 if values are there that no key of their scope can have sealed:
plaintext, or of unknown keys.`,
		Example: `  fieldcrypt census --config fieldcrypt.yaml
  fieldcrypt census patients --exact --domain medical --json --config fieldcrypt.yaml`,
		PreRunE: func(*cobra.Command, []string) error { return scope.check() },
	}
	scope.register(cmd)
	cmd.Flags().BoolVar(&exact, "exact", false, "read every row")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c.verb(cmd, Need{Manifest: true, Keys: true}, func(ctx context.Context, p *migrate.Project, args []string) error {
		if err := knownTables(p, args, scope.domain); err != nil {
			return err
		}
		r, err := p.Census(ctx, migrate.CensusOptions{Exact: exact, Tables: args, Domain: scope.domain, Tenant: scope.tenant})
		if err != nil {
			return err
		}
		if asJSON {
			err = printJSON(cmd.OutOrStdout(), r)
		} else {
			err = printCensus(cmd.OutOrStdout(), r)
		}
		if n := stray(r); err == nil && n > 0 {
			return fmt.Errorf("%s: %w", countText(n), ErrStray)
		}
		return err
	})
}

func stray(r *migrate.CensusReport) (n int64) {
	for _, t := range r.Tables {
		for _, l := range t.Counts {
			switch l.State {
			case migrate.CensusForeign, migrate.CensusUnknown, migrate.CensusNoScope:
				n += l.Values
			}
		}
	}
	return n
}

func printCensus(w io.Writer, r *migrate.CensusReport) error {
	rows := [][]string{{"TABLE", "COLUMN", "SCOPE", "PURPOSE", "KEY", "STATE", "VALUES"}}
	for _, t := range r.Tables {
		about := ""
		if t.Estimate {
			about = "~"
		}
		for _, l := range t.Counts {
			key := "-"
			if l.KeyID != 0 {
				key = fmt.Sprint(l.KeyID)
			}
			rows = append(rows, []string{t.Table, l.Column, keymgr.Scope{Domain: l.Domain, Tenant: l.Tenant}.String(), string(l.Purpose), key, l.State, about + countText(l.Values)})
		}
		if len(t.Counts) == 0 {
			rows = append(rows, []string{t.Table, "", "", "", "", "", about + "0"})
		}
	}
	return table(w, rows)
}
