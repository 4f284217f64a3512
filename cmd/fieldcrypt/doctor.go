package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
	"github.com/fieldcrypt/go/migrate"
)

func newDoctor() *cobra.Command {
	var (
		flags  projectFlags
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look whether all that rotation and migration need is well",
		Long: `Look at the database and the tables of fieldcrypt, at every KMS key that is named
(a data key is made, wrapped, unwrapped and thrown away, and one stored wrap of
each domain is unwrapped), at the clocks, at instances that are silent or have
old keysets, at the live jobs and their records and, if there is a manifest, at
what the live tables differ in. Nothing is changed. It exits with 2 if something
does not answer, and with 4 if something is wrong; a warning is none of these.

` + kekHelp,
		Example: `  fieldcrypt doctor --config fieldcrypt.yaml
  fieldcrypt doctor --json --kek 'medical=aws-kms:///alias/medical-key?region=eu-west-1'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d := &doctor{flags: &flags, result: []finding{}}
			if err := d.look(cmd); err != nil {
				return err
			}
			if asJSON {
				if err := printJSON(cmd.OutOrStdout(), d.result); err != nil {
					return err
				}
			} else {
				d.print(cmd.OutOrStdout())
			}
			return d.verdict()
		},
	}
	flags.database.register(cmd.Flags())
	cmd.Flags().StringVar(&flags.manifest, "manifest", "", "`FILE` that the application's Crypter.Manifest wrote (default: tables are not looked at)")
	cmd.Flags().StringArrayVar(&flags.keks, "kek", nil, "`[DOMAIN=]URI` of a KMS key to try; repeat it for several")
	annotateKEK(cmd.Flags(), kekOfDomains)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// finding is what was seen of one thing. Its JSON is for scripts.
type finding struct {
	Check  string `json:"check"` // database, tables, clock, kek, instances, jobs, schema
	Of     string `json:"of,omitempty"`
	Status string `json:"status"` // ok, warn or fail
	Text   string `json:"text"`
	Way    string `json:"way_out,omitempty"`
	err    error
}

type doctor struct {
	flags  *projectFlags
	db     *projectDB
	store  *sqlstore.Store
	result []finding
}

func (d *doctor) ok(check, of, format string, args ...any) {
	d.result = append(d.result, finding{Check: check, Of: of, Status: "ok", Text: fmt.Sprintf(format, args...)})
}

func (d *doctor) warn(check, of, way, format string, args ...any) {
	d.result = append(d.result, finding{Check: check, Of: of, Status: "warn", Text: fmt.Sprintf(format, args...), Way: way})
}

func (d *doctor) fail(check, of string, err error) {
	_, way := explain(err)
	d.result = append(d.result, finding{Check: check, Of: of, Status: "fail", Text: withoutPasswords(err.Error()), Way: way, err: err})
}

// look makes all checks. An error is wrong use; all else is a finding.
func (d *doctor) look(cmd *cobra.Command) error {
	ctx := cmd.Context()
	keks, err := d.openKEKs(ctx)
	if err != nil {
		return err
	}
	d.db, err = d.flags.database.openProject(ctx)
	if code, _ := explain(err); err != nil && code == exitUsage {
		return err
	} else if err != nil {
		d.fail("database", "", err)
		d.kms(ctx, keks, nil)
		return nil
	}
	defer d.db.close()
	d.ok("database", "", "reached")
	d.store = sqlstore.New(d.db.keys)
	scopes := d.tables(ctx)
	d.clock(ctx)
	d.kms(ctx, keks, scopes)
	d.instances(ctx, scopes)
	d.jobs(ctx)
	return d.schema(ctx)
}

// tables looks at the tables of ours and returns the scopes that there are.
func (d *doctor) tables(ctx context.Context) (scopes []keymgr.Scope) {
	for after := (keymgr.Scope{}); ; {
		page, err := d.store.Scopes(ctx, after, listPage)
		if err != nil {
			d.fail("tables", "keysets", err)
			return nil
		}
		scopes = append(scopes, page...)
		if len(page) < listPage {
			break
		}
		after = page[len(page)-1]
	}
	d.ok("tables", "keysets", "%d scopes", len(scopes))
	return scopes
}

// What a clock may be off by: beyond the first it is worth a look, from the second
// on keymgr's waiting for instances does not hold.
const (
	clockWarn = 30 * time.Second
	clockFail = defaultCacheTTL
)

func (d *doctor) clock(ctx context.Context) {
	before := time.Now()
	var micros int64
	query := "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
	if d.db.pool == nil {
		query = "SELECT CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)"
	}
	if err := d.db.keys.QueryRowContext(ctx, query).Scan(&micros); err != nil {
		d.fail("clock", "database", fmt.Errorf("%w: %w", keymgr.ErrStoreUnavailable, err))
		return
	}
	d.skew("database", time.UnixMicro(micros), before, time.Now())
}

// skew compares a clock that was read between two times with the one here.
func (d *doctor) skew(of string, there, before, after time.Time) {
	off := there.Sub(before.Add(after.Sub(before) / 2)).Round(time.Millisecond)
	text := fmt.Sprintf("%s against the clock here", off)
	const way = "set the clocks by NTP"
	switch {
	case off.Abs() >= clockFail:
		d.fail("clock", of, withCure(refusedError{fmt.Errorf("%s", text)}, "%s", way))
	case off.Abs() >= clockWarn:
		d.warn("clock", of, way, "%s", text)
	default:
		d.ok("clock", of, "%s", text)
	}
}

// jobs looks at the live jobs, and whether their records are whole.
func (d *doctor) jobs(ctx context.Context) {
	ids, err := migrate.List(ctx, d.db.migrate, true)
	if err != nil {
		if missingTable(err) {
			d.warn("jobs", "", "`fieldcrypt ddl --execute` makes them, before the first migration", "the tables of jobs are missing")
			return
		}
		d.fail("jobs", "", err)
		return
	}
	if len(ids) == 0 {
		d.ok("jobs", "", "none is live")
	}
	for _, id := range ids {
		s, err := migrate.Read(ctx, d.db.migrate, id)
		if err == nil {
			_, err = migrate.Events(ctx, d.db.migrate, id)
		}
		if err != nil {
			d.fail("jobs", id, err)
			continue
		}
		d.ok("jobs", id, "%s %s: %s, pass %d, %d events, their chain is whole", s.Kind, s.Target, s.Phase, s.Pass, s.Events)
	}
}

// schema compares the manifest with the live tables.
func (d *doctor) schema(ctx context.Context) error {
	if d.flags.manifest == "" {
		d.warn("schema", "", "name a --manifest", "not looked at: there is no manifest")
		return nil
	}
	m, err := d.flags.readManifest()
	if err != nil {
		return err
	}
	tables, problems, err := d.db.migrate.Catalogue().Check(ctx, m, migrate.CheckOptions{})
	if err != nil {
		d.fail("schema", "", fmt.Errorf("%w: %w", keymgr.ErrStoreUnavailable, err))
		return nil
	}
	for _, p := range problems {
		of := p.Table
		if p.Column != "" {
			of += "." + p.Column
		}
		if p.Severity == migrate.Refuse {
			d.fail("schema", of, withCure(refusedError{fmt.Errorf("%s", p.Text)}, "%s", p.Way))
		} else {
			d.warn("schema", of, p.Way, "%s", p.Text)
		}
	}
	if len(problems) == 0 {
		d.ok("schema", "", "%d tables as the manifest says", len(tables))
	}
	return nil
}

func (d *doctor) print(w io.Writer) {
	for _, f := range d.result {
		what := f.Check
		if f.Of != "" {
			what += " " + f.Of
		}
		fmt.Fprintln(w, plain(fmt.Sprintf("%-4s  %s: %s", f.Status, what, f.Text)))
		if f.Way != "" {
			fmt.Fprintln(w, plain("      "+f.Way))
		}
	}
}

// verdict is the error of the worst finding.
func (d *doctor) verdict() error {
	var worst error
	failed := 0
	for _, f := range d.result {
		if f.err == nil {
			continue
		}
		failed++
		code, _ := explain(f.err)
		if worst == nil || code == exitRefused {
			worst = f.err
		}
	}
	if worst == nil {
		return nil
	}
	code, _ := explain(worst)
	text := fmt.Errorf("%d of %d checks failed", failed, len(d.result))
	if code == exitIncomplete {
		return withCure(fmt.Errorf("%w: %w", keymgr.ErrStoreUnavailable, text), "see above")
	}
	return withCure(refusedError{text}, "see above")
}
