package migrate

import (
	"context"
	"time"

	"github.com/fieldcrypt/go/keymgr"
)

// CensusOptions say what to count. The zero value is an estimate of everything.
type CensusOptions struct {
	Exact  bool     // read every row, once for each column, in place of a sample; on SQLite always
	Tables []string // names as in the manifest; none: all
	Domain string   // of which columns; "": of all
	Tenant string   // of which rows, in Domain, which is per tenant; "": of all
}

// CensusReport is how many values name which key. Key ids can be planted by who
// can write the table: a count proves nothing about what opens.
type CensusReport struct {
	At     time.Time     `json:"at"`
	Exact  bool          `json:"exact"` // every count is; else Tables says where not
	Tables []CensusTable `json:"tables"`
}

// CensusTable is the census of one table.
type CensusTable struct {
	Table    string       `json:"table"`
	Estimate bool         `json:"estimate"` // Values were scaled up from a sample
	Rows     int64        `json:"rows"`
	Counts   []CensusLine `json:"counts"` // by column, tenant and key
}

// CensusLine is how many values of a column, or of a blind index, name one key.
type CensusLine struct {
	Column  string         `json:"column"`
	Purpose keymgr.Purpose `json:"purpose"` // Index for a blind index
	Domain  string         `json:"domain"`
	Tenant  string         `json:"tenant,omitempty"` // where the domain is per tenant
	KeyID   uint32         `json:"key_id,omitempty"`
	// State is that of the key in the row's scope, or one of the Census words.
	State  string `json:"state"`
	Values int64  `json:"values"`
}

// What a CensusLine can hold in place of the state of a key.
const (
	CensusNull    = "null"        // no value
	CensusForeign = "not-sealed"  // plaintext, or what somebody else wrote
	CensusUnknown = "unknown-key" // of a key that the scope does not have
	CensusNoScope = "no-scope"    // the row's tenant has no keys, or the row has no tenant
)

// Census counts values by column, tenant and key: with one grouped query for each
// column. States of keys are those that the store tells, unverified, and for what
// the rows' tenants are called. Errors: ErrRefused for options that make no sense;
// ErrSchema if the database is not what the manifest says; ErrStoreUnavailable.
func (p *Project) Census(ctx context.Context, o CensusOptions) (*CensusReport, error) {
	what := PlanOptions{Kind: KindVerify, Tables: o.Tables, Domain: o.Domain, Tenant: o.Tenant}
	if err := p.sane(what); err != nil {
		return nil, err
	}
	tables, problems, err := p.DB.catalogue().Check(ctx, p.Manifest, CheckOptions{})
	if err == nil {
		err = problems.Err()
	}
	if err != nil {
		return nil, err
	}
	c := &census{Project: p, CensusOptions: o, states: map[keymgr.Scope]map[uint32]string{}}
	report := &CensusReport{Exact: true}
	for _, t := range tables {
		columns := what.columns(t.Manifest)
		if len(columns) == 0 {
			continue
		}
		ct, err := c.table(ctx, t, partOf(t.Manifest, columns))
		if err != nil {
			return nil, err
		}
		report.Exact = report.Exact && !ct.Estimate
		report.Tables = append(report.Tables, *ct)
	}
	report.At, err = p.now(ctx)
	return report, err
}
