package migrate

import (
	"context"
	"encoding/json"
	"time"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// PlanOptions say what jobs are to do. The zero value of all but Kind is every
// encrypted column of the manifest whose key is not the primary one of its scope.
type PlanOptions struct {
	Kind   string   // KindReencrypt or KindVerify
	Tables []string // names as in the manifest; none: all that the rest concerns
	Domain string   // of which columns; "": of all
	Tenant string   // of which rows, in Domain, which is per tenant; "": of all
	// KeyIDs are the seal keys to be rid of. None: every key that is not the
	// primary of its scope.
	KeyIDs []uint32
	// From are the identities that columns had before the manifest's, of one
	// table: [fieldcrypt.StoredBatch.Reseal] says when KeyIDs must be named too.
	From []fieldcrypt.OldIdentity
	// Sample is the fraction of rows that a verify opens, 0 for all of them. A
	// sample finds what is common, and proves nothing.
	Sample float64
	Spec   Spec // Shards, Scan and Order alone count
}

// Plan is what [Project.Start] would do.
type Plan struct {
	Kind     string      `json:"kind"`
	Tables   []TablePlan `json:"tables"`
	Problems Problems    `json:"problems"` // of the check against the catalogue
}

// TablePlan is one job of a plan.
type TablePlan struct {
	Table      string          `json:"table"` // as in the manifest
	Columns    []string        `json:"columns"`
	Spec       Spec            `json:"spec"`
	Job        string          `json:"job,omitempty"` // the live one that does the same
	Statements []string        `json:"statements"`    // as they would run, by example of the first partition
	Rows       int64           `json:"rows"`          // estimate of the rows that are read
	Todo       int64           `json:"todo"`          // estimate of those that are written
	WAL        [2]int64        `json:"wal"`           // bytes, from and to
	Seconds    [2]float64      `json:"seconds"`       // with two workers, from and to
	Params     json.RawMessage `json:"params"`
}

// String says it in a few lines.
func (p *Plan) String() string { return "" }

// Duration is the whole plan's time as a range.
func (p *Plan) Duration() (from, to time.Duration) { return 0, 0 }

// Plan checks the manifest against the database and says what the jobs would do;
// it changes nothing. What forbids to start stands in Plan.Problems. Errors:
// ErrRefused for options that make no sense, those of [fieldcrypt.Crypter.Table], or
// the database does not answer.
func (p *Project) Plan(ctx context.Context, o PlanOptions) (*Plan, error) { return nil, ErrRefused }
