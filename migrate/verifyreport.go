package migrate

import (
	"context"
	"errors"
	"time"
)

// VerifyOptions say what to open. The zero value is everything.
type VerifyOptions struct {
	Sample float64  // fraction of the rows, 0 for all of them, as always on SQLite
	Tables []string // names as in the manifest; none: all
	Domain string   // of which columns; "": of all
	Tenant string   // of which rows, in Domain, which is per tenant; "": of all
	Limits Limits   // of jobs that are started
	Work   Options
	Began  func(jobs []string) // told of the jobs before they are worked on
}

// VerifyReport is what opening every value has found.
type VerifyReport struct {
	BeganAt time.Time     `json:"began_at"`
	EndedAt time.Time     `json:"ended_at"`
	Sample  float64       `json:"sample,omitempty"`
	Tables  []VerifyTable `json:"tables"`
}

// VerifyTable is what was found in one table.
type VerifyTable struct {
	Table    string         `json:"table"`
	Job      string         `json:"job"`
	Rows     int64          `json:"rows"` // that were read, in all passes
	Columns  []VerifyColumn `json:"columns"`
	Failures []FailureCount `json:"failures"` // rows by class
}

// VerifyColumn is what was found in an encrypted column.
type VerifyColumn struct {
	Column string `json:"column"`
	Values int64  `json:"values"` // that are not NULL
	Opened int64  `json:"opened"`

	named int64 // that name a key which is to go
}

// OK reports whether everything was as it must be.
func (r *VerifyReport) OK() bool {
	for _, t := range r.Tables {
		if len(t.Failures) > 0 {
			return false
		}
	}
	return true
}

// Verify opens every value and recomputes every blind index, by one read-only job
// for each table: it is resumed by calling it again, and other processes may help
// ([Project.Work]). ErrFailures, with the report: some rows are not as they must
// be; they are listed by [Failures]. Other errors: those of [Project.Plan],
// [Project.Start] and [Project.Work]; ErrSchema if the database is not what the
// manifest says.
func (p *Project) Verify(ctx context.Context, o VerifyOptions) (*VerifyReport, error) {
	plan, err := p.Plan(ctx, PlanOptions{Kind: KindVerify, Tables: o.Tables, Domain: o.Domain, Tenant: o.Tenant, Sample: o.Sample})
	if err != nil {
		return nil, err
	}
	jobs, err := p.Start(ctx, plan, o.Limits)
	if err != nil {
		return nil, err
	}
	if o.Began != nil {
		o.Began(jobs)
	}
	worked := p.Work(ctx, jobs, o.Work)
	if worked != nil && !errors.Is(worked, ErrFailures) {
		return nil, worked
	}
	report := &VerifyReport{}
	for _, id := range jobs {
		t, job, err := p.verified(ctx, id)
		if err != nil {
			return nil, err
		}
		report.Tables = append(report.Tables, *t)
		if report.BeganAt.IsZero() || job.Created.Before(report.BeganAt) {
			report.BeganAt = job.Created
		}
		o, err := paramsOf(job)
		if err != nil {
			return nil, err
		}
		report.Sample = o.Sample
	}
	if report.EndedAt, err = p.now(ctx); err != nil {
		return nil, err
	}
	for i, id := range jobs {
		t := report.Tables[i]
		if err := Record(ctx, p.DB, id, p.Actor, "verified", t); err != nil {
			return nil, err
		}
		if len(t.Failures) > 0 {
			continue
		}
		if err := Advance(ctx, p.DB, id, PhaseSwept, PhaseDone, p.Actor, nil); err != nil && !errors.Is(err, ErrWrongPhase) {
			return nil, err
		}
	}
	return report, worked
}

// verified is what a verify of a table has found.
func (p *Project) verified(ctx context.Context, id string) (*VerifyTable, *Job, error) {
	job, err := Load(ctx, p.DB, id)
	if err != nil {
		return nil, nil, err
	}
	o, err := paramsOf(job)
	if err != nil {
		return nil, nil, err
	}
	part, err := p.part(o)
	if err != nil {
		return nil, nil, err
	}
	status, err := Read(ctx, p.DB, id)
	if err != nil {
		return nil, nil, err
	}
	sums, err := Counts(ctx, p.DB, id)
	if err != nil {
		return nil, nil, err
	}
	sums = counts(sums).plus(make([]int64, countKinds*len(part.Columns)))
	t := &VerifyTable{Table: o.Table, Job: id, Rows: status.Scanned, Failures: status.Failures}
	for i, c := range part.Columns {
		of := sums[countKinds*i:]
		t.Columns = append(t.Columns, VerifyColumn{Column: c.Column, Values: of[countValues], Opened: of[countOpened], named: of[countNamed]})
	}
	return t, job, nil
}

// now is the time by the database's clock.
func (p *Project) now(ctx context.Context) (time.Time, error) {
	var at stamp
	_, err := one(ctx, p.DB.q(), `SELECT {now}`, nil, &at)
	return at.Time, err
}
