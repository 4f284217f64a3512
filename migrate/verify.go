package migrate

import (
	"context"
	"time"
)

// VerifyOptions say what to open. The zero value is everything.
type VerifyOptions struct {
	Sample float64  // fraction of the rows, 0 for all of them
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
	Rows     int64          `json:"rows"` // that were read
	Columns  []VerifyColumn `json:"columns"`
	Failures []FailureCount `json:"failures"` // rows by class
}

// VerifyColumn is what was found in an encrypted column.
type VerifyColumn struct {
	Column string `json:"column"`
	Values int64  `json:"values"` // that are not NULL
	Opened int64  `json:"opened"`
}

// OK reports whether everything was as it must be.
func (r *VerifyReport) OK() bool { return false }

// Verify opens every value and recomputes every blind index, by one read-only job
// for each table: it is resumed by calling it again, and other processes may help
// ([Project.Work]). ErrFailures, with the report: some rows are not as they must
// be; they are listed by [Failures].
func (p *Project) Verify(ctx context.Context, o VerifyOptions) (*VerifyReport, error) {
	return nil, ErrRefused
}
