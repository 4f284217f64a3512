package migrate

import (
	"context"
	"time"

	"github.com/fieldcrypt/go/keymgr"
)

// CensusOptions say what to count. The zero value is an estimate of everything.
type CensusOptions struct {
	Exact  bool     // read every row, in one query per table, in place of a sample
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

// Census counts values by column, tenant and key.
func (p *Project) Census(ctx context.Context, o CensusOptions) (*CensusReport, error) {
	return nil, ErrRefused
}
