package migratecmd

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/migrate"
)

// planFlags say what jobs are to do.
type planFlags struct {
	domain, tenant string
	keys           []string
	sample         string
	asJSON         bool
}

const kindsHelp = `Kinds:
  reencrypt   seal every value anew that names an old seal key
  verify      open every value and recompute its blind indexes; nothing is written
  rewrap      wrap the keysets under the KEKs that are given; no row is read`

func (f *planFlags) register(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&f.domain, "domain", "", "the columns of this `DOMAIN` only")
	fs.StringVar(&f.tenant, "tenant", "", "the rows of this `TENANT` only, with --domain")
	fs.StringArrayVar(&f.keys, "key", nil, "reencrypt: the values of this seal key `ID` only; repeat it for several (default: of all but the primary)")
	fs.StringVar(&f.sample, "sample", "", "verify: open this `PART` of the rows only, such as 1%")
	fs.BoolVar(&f.asJSON, "json", false, "print JSON")
}

var kinds = []string{migrate.KindReencrypt, migrate.KindVerify, migrate.KindRewrap}

// options reads a kind and the tables.
func (f *planFlags) options(args []string) (o migrate.PlanOptions, err error) {
	if len(args) == 0 {
		return o, usagef("which kind of job? One of %s", strings.Join(kinds, ", "))
	}
	o = migrate.PlanOptions{Kind: args[0], Tables: args[1:], Domain: f.domain, Tenant: f.tenant}
	if o.KeyIDs, err = parseKeys(f.keys); err != nil {
		return o, err
	}
	if o.Sample, err = parseSample(f.sample); err != nil {
		return o, err
	}
	switch {
	case o.Tenant != "" && o.Domain == "":
		return o, usagef("--tenant goes with --domain")
	case f.domain != "":
		if err := (keymgr.Scope{Domain: f.domain, Tenant: f.tenant}).Validate(); err != nil {
			return o, usage(err)
		}
	}
	switch o.Kind {
	case migrate.KindReencrypt:
		if f.sample != "" {
			return o, usagef("--sample goes with verify")
		}
	case migrate.KindVerify:
		if len(f.keys) > 0 {
			return o, usagef("--key goes with reencrypt")
		}
	case migrate.KindRewrap:
		if len(o.Tables) > 0 || len(f.keys) > 0 || f.sample != "" || f.tenant != "" || f.domain != "" {
			return o, usagef("rewrap is of all domains of the manifest; `keys rewrap` is for single scopes")
		}
	default:
		return o, usagef("%q is no kind of job: it is one of %s", o.Kind, strings.Join(kinds, ", "))
	}
	return o, nil
}

// knownTables refuses tables and domains that the manifest does not have.
func knownTables(p *migrate.Project, tables []string, domain string) error {
	for _, name := range tables {
		if p.Manifest.Table(name) == nil {
			var have []string
			for i := range p.Manifest.Tables {
				have = append(have, p.Manifest.Tables[i].Name())
			}
			return usagef("the manifest has no table %q: it has %s", name, strings.Join(have, ", "))
		}
	}
	if domain == "" {
		return nil
	}
	for i := range p.Manifest.Tables {
		for _, d := range p.Manifest.Tables[i].Domains() {
			if d == domain {
				return nil
			}
		}
	}
	return usagef("no column of the manifest is of the domain %q", domain)
}

func (c commands) plan() *cobra.Command {
	var f planFlags
	cmd := &cobra.Command{
		Use:   "plan (reencrypt | verify | rewrap) [<table>...]",
		Short: "Say what a job would do: SQL, rows, WAL, time; nothing is changed",
		Long: `Check the manifest against the database, and say what jobs would do: the
statements, and estimates of the rows, the WAL and the time. Nothing is changed.

` + kindsHelp,
		Example: `  fieldcrypt migrate plan reencrypt --config fieldcrypt.yaml
  fieldcrypt migrate plan verify patients --sample 1% --json --config fieldcrypt.yaml`,
		PreRunE: func(_ *cobra.Command, args []string) error { _, err := f.options(args); return err },
	}
	cmd.ValidArgs = kinds
	f.register(cmd)
	return c.verb(cmd, Need{Manifest: true, Keys: true}, func(ctx context.Context, p *migrate.Project, args []string) error {
		o, err := f.options(args)
		if err != nil {
			return err
		}
		if o.Kind == migrate.KindRewrap {
			return rewrap(ctx, cmd, p, keymgr.RewrapOptions{DryRun: true}, f.asJSON)
		}
		plan, err := makePlan(ctx, p, o)
		if err != nil {
			return err
		}
		if f.asJSON {
			if err := printJSON(cmd.OutOrStdout(), viewPlan(plan)); err != nil {
				return err
			}
			return plan.Problems.Err()
		}
		printPlan(cmd.OutOrStdout(), plan)
		return plan.Problems.Err()
	})
}

func makePlan(ctx context.Context, p *migrate.Project, o migrate.PlanOptions) (*migrate.Plan, error) {
	if err := knownTables(p, o.Tables, o.Domain); err != nil {
		return nil, err
	}
	return p.Plan(ctx, o)
}

// planView is the JSON of a plan, for scripts.
type planView struct {
	Kind     string              `json:"kind"`
	Tables   []migrate.TablePlan `json:"tables"`
	Problems []problemView       `json:"problems"`
}

type problemView struct {
	Severity string `json:"severity"` // warn or refuse
	Kind     string `json:"kind"`
	Table    string `json:"table"`
	Column   string `json:"column,omitempty"`
	Text     string `json:"text"`
	Way      string `json:"way_out,omitempty"`
}

func viewPlan(p *migrate.Plan) planView {
	v := planView{Kind: p.Kind, Tables: p.Tables, Problems: viewProblems(p.Problems)}
	if v.Tables == nil {
		v.Tables = []migrate.TablePlan{}
	}
	return v
}

func viewProblems(list migrate.Problems) []problemView {
	views := []problemView{}
	for _, p := range list {
		views = append(views, problemView{severityName(p.Severity), p.Kind, p.Table, p.Column, p.Text, p.Way})
	}
	return views
}

func severityName(s migrate.Severity) string {
	if s == migrate.Refuse {
		return "refuse"
	}
	return "warn"
}

func printProblems(w io.Writer, list migrate.Problems) {
	for _, p := range list {
		where := p.Table
		if p.Column != "" {
			where += "." + p.Column
		}
		sayf(w, "%-6s  %s: %s", severityName(p.Severity), where, p.Text)
		if p.Way != "" {
			sayf(w, "        %s", p.Way)
		}
	}
}

func printPlan(w io.Writer, p *migrate.Plan) {
	for _, t := range p.Tables {
		sayf(w, "%s %s: %s", p.Kind, t.Table, strings.Join(t.Columns, ", "))
		if t.Job != "" {
			sayf(w, "  job %s does it already", t.Job)
		}
		if p.Kind == migrate.KindVerify {
			sayf(w, "  rows  ~%s are read, none is written", countText(t.Rows))
		} else {
			sayf(w, "  rows  ~%s are read, ~%s of them written", countText(t.Rows), countText(t.Todo))
		}
		sayf(w, "  WAL   %s to %s", bytesText(t.WAL[0]), bytesText(t.WAL[1]))
		seconds := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
		sayf(w, "  time  %s, by two workers without limits", rangeText(seconds(t.Seconds[0]), seconds(t.Seconds[1])))
		for _, sql := range t.Statements {
			sayf(w, "  SQL   %s", strings.Join(strings.Fields(sql), " "))
		}
	}
	if len(p.Tables) == 0 {
		sayf(w, "nothing to do")
	}
	printProblems(w, p.Problems)
}
