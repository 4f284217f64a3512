package migrate

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
)

// PlanOptions say what jobs are to do. The zero value of all but Kind is every
// encrypted column of the manifest, where its key is not the primary one of its
// scope.
type PlanOptions struct {
	Kind   string   // KindReencrypt or KindVerify
	Tables []string // names as in the manifest; none: all that the rest concerns
	Domain string   // of which columns; "": of all
	Tenant string   // of which rows, in Domain, which is per tenant; "": of all
	// KeyIDs are the seal keys to be rid of. None: every key that is not the
	// primary of its scope.
	KeyIDs []uint32
	// From are the identities that columns of one table, which Tables names, had
	// before the manifest's: only these columns are sealed anew.
	// [fieldcrypt.StoredBatch.Reseal] says when KeyIDs must be named too.
	From []fieldcrypt.OldIdentity
	// Sample is the fraction of rows that a verify opens, 0 for all of them, as
	// always on SQLite. A sample finds what is common, and proves nothing.
	Sample float64
	Spec   Spec // Shards, Scan and Order alone count

	guard   string
	version uint64
}

// Plan is what [Project.Start] would do.
type Plan struct {
	Kind     string      `json:"kind"`
	Tables   []TablePlan `json:"tables"`
	Problems Problems    `json:"problems"` // of the check against the catalogue
}

// TablePlan is one job of a plan.
type TablePlan struct {
	Table      string     `json:"table"` // as in the manifest
	Columns    []string   `json:"columns"`
	Spec       Spec       `json:"spec"`
	Job        string     `json:"job,omitempty"` // one that is under way, of the kind
	Statements []string   `json:"statements"`    // to read and to write, as for the first partition
	Rows       int64      `json:"rows"`          // estimate of the rows that are read in a pass
	Todo       int64      `json:"todo"`          // estimate of those that are opened
	WAL        [2]int64   `json:"wal"`           // bytes, from and to; Postgres alone
	Seconds    [2]float64 `json:"seconds"`       // with two workers and no other limit, from and to
}

// String says it in a few lines.
func (p *Plan) String() string {
	var b strings.Builder
	for _, t := range p.Tables {
		fmt.Fprintf(&b, "%s %s (%s): about %d of %d rows, %.0f to %.0f s, %d to %d MB of WAL\n", p.Kind, t.Table, strings.Join(t.Columns, ", "),
			t.Todo, t.Rows, t.Seconds[0], t.Seconds[1], t.WAL[0]>>20, t.WAL[1]>>20)
	}
	for _, problem := range p.Problems {
		b.WriteString(problem.String() + "\n")
	}
	return b.String()
}

// Duration is the whole plan's time, from and to.
func (p *Plan) Duration() (from, to time.Duration) {
	for _, t := range p.Tables {
		from += time.Duration(t.Seconds[0] * float64(time.Second))
		to += time.Duration(t.Seconds[1] * float64(time.Second))
	}
	return from, to
}

// Plan checks the manifest against the database and says what the jobs would do;
// it changes nothing. What forbids to start stands in Plan.Problems. Errors:
// ErrRefused for options that make no sense; [keymgr.ErrKeyState] for a key to be
// rid of that is its scope's primary; those of [fieldcrypt.Crypter.Table].
func (p *Project) Plan(ctx context.Context, o PlanOptions) (*Plan, error) {
	if err := p.sane(o); err != nil {
		return nil, err
	}
	tables, problems, err := p.DB.catalogue().Check(ctx, p.Manifest, CheckOptions{})
	if err != nil {
		return nil, err
	}
	plan := &Plan{Kind: o.Kind, Problems: problems}
	if problems.Err() != nil {
		return plan, nil
	}
	for _, t := range tables {
		columns := o.columns(t.Manifest)
		if len(columns) == 0 {
			continue
		}
		tp, err := p.planTable(ctx, o, t, columns)
		if err != nil {
			return nil, err
		}
		plan.Tables = append(plan.Tables, *tp)
	}
	if len(plan.Tables) == 0 {
		return nil, fmt.Errorf("nothing that the manifest names is meant: %w", ErrRefused)
	}
	return plan, p.goesOn(ctx, o, plan)
}

// sane refuses options that make no sense.
func (p *Project) sane(o PlanOptions) error {
	refuse := func(format string, args ...any) error {
		return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), ErrRefused)
	}
	switch {
	case o.Kind != KindReencrypt && o.Kind != KindVerify && o.Kind != KindRetire:
		return refuse("no plan is made for jobs of the kind %q", o.Kind)
	case o.Kind == KindVerify && (len(o.KeyIDs) > 0 || len(o.From) > 0):
		return refuse("a verify has no keys and no old identities")
	case o.Sample < 0 || o.Sample >= 1 || o.Sample > 0 && o.Kind != KindVerify:
		return refuse("a sample is a fraction below 1, of a verify")
	case o.Tenant != "" && o.Domain == "":
		return refuse("a tenant goes with a domain")
	case len(o.From) > 0 && len(o.Tables) != 1:
		return refuse("old identities go with one table")
	}
	for _, name := range o.Tables {
		if p.Manifest.Table(name) == nil {
			return refuse("the manifest has no table %q", name)
		}
	}
	if o.Domain == "" {
		return nil
	}
	perTenant, err := p.Keys.PerTenant(o.Domain)
	if err == nil && o.Tenant != "" && !perTenant {
		err = refuse("the domain %s has no keys per tenant", o.Domain)
	}
	if err == nil && o.Tenant != "" {
		err = keymgr.Scope{Domain: o.Domain, Tenant: o.Tenant}.Validate()
	}
	return err
}

// columns are the encrypted columns of a table that are meant.
func (o *PlanOptions) columns(t *fieldcrypt.ManifestTable) (names []string) {
	if len(o.Tables) > 0 && !slices.Contains(o.Tables, t.Name()) {
		return nil
	}
	for _, c := range t.Columns {
		if (o.Domain == "" || c.Domain == o.Domain) &&
			(len(o.From) == 0 || slices.ContainsFunc(o.From, func(f fieldcrypt.OldIdentity) bool { return f.Column == c.Column })) {
			names = append(names, c.Column)
		}
	}
	return names
}

// goesOn names the live jobs, and refuses to replace a primary key.
func (p *Project) goesOn(ctx context.Context, o PlanOptions, plan *Plan) error {
	for i := range plan.Tables {
		t := &plan.Tables[i]
		job, err := p.live(ctx, plan.Kind, t.Spec.Table)
		if err != nil {
			return err
		}
		if job != nil && job.Phase == PhaseSweeping && slices.Equal(job.Spec.Params, t.Spec.Params) {
			t.Job = job.ID
		}
		if len(o.KeyIDs) == 0 || o.Kind != KindReencrypt {
			continue
		}
		for _, c := range p.Manifest.Table(t.Table).Columns {
			if !slices.Contains(t.Columns, c.Column) || c.PerTenant && o.Tenant == "" {
				continue
			}
			keys, err := p.Keys.Keys(ctx, keymgr.Scope{Domain: c.Domain, Tenant: o.Tenant})
			if err != nil {
				return err
			}
			if id := keys.Primary().ID(); slices.Contains(o.KeyIDs, id) {
				return fmt.Errorf("%w: key %d is the primary of %s: promote another first", keymgr.ErrKeyState, id, keys.Scope())
			}
		}
	}
	return nil
}

func (p *Project) planTable(ctx context.Context, o PlanOptions, t *Table, columns []string) (*TablePlan, error) {
	part := partOf(t.Manifest, columns)
	sum, err := digest(part)
	if err != nil {
		return nil, err
	}
	ps := &params{Table: part.Name(), Columns: columns, Manifest: sum, Domain: o.Domain, Tenant: o.Tenant,
		Keys: slices.Sorted(slices.Values(o.KeyIDs)), From: o.From, Guard: o.guard, Version: o.version}
	if p.DB.dialect == postgres {
		ps.Sample = o.Sample
	}
	for _, ix := range part.Indexes {
		if next := ix.Column + fieldcrypt.NextSuffix; o.Kind != KindReencrypt && t.Column(next) != nil {
			ps.Next = append(ps.Next, next)
		}
	}
	if o.Kind == KindReencrypt && (len(o.KeyIDs) == 0 || len(o.From) > 0) {
		if ps.Primary, err = p.primaries(ctx, part); err != nil {
			return nil, err
		}
	}
	spec := Spec{Kind: o.Kind, Table: t.sqlName(), Shards: o.Spec.Shards, Scan: o.Spec.Scan, Order: o.Spec.Order}
	if o.Kind != KindReencrypt {
		spec.Scan = "key" // one pass must see every row, also one that moves to another page
	}
	if spec.Params, err = json.Marshal(ps); err != nil {
		return nil, err
	}
	rw, err := p.rewriter(o.Kind, spec.Params)
	if err != nil {
		return nil, err
	}
	spec.Reads, spec.Writes, spec.Todo = rw.Reads(), rw.Writes(), rw.Todo()
	tp := &TablePlan{Table: part.Name(), Columns: columns, Spec: spec}
	return tp, p.estimate(ctx, tp, t)
}

// primaries are the primary keys of the domains that have no tenants.
func (p *Project) primaries(ctx context.Context, part *fieldcrypt.ManifestTable) (map[string]uint32, error) {
	list := map[string]uint32{}
	for _, c := range part.Columns {
		if c.PerTenant {
			continue
		}
		keys, err := p.Keys.Keys(ctx, keymgr.Scope{Domain: c.Domain})
		if err != nil {
			return nil, err
		}
		list[c.Domain] = keys.Primary().ID()
	}
	return list, nil
}
