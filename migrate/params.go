package migrate

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// params are what a job's Rewriter is made of again, in its Spec.
type params struct {
	Table    string                   `json:"table"`    // as in the manifest
	Columns  []string                 `json:"columns"`  // encrypted ones that the job is about
	Manifest string                   `json:"manifest"` // SHA-256 of what it says of these
	Domain   string                   `json:"domain,omitempty"`
	Tenant   string                   `json:"tenant,omitempty"`
	Keys     []uint32                 `json:"keys,omitempty"`
	Primary  map[string]uint32        `json:"primary,omitempty"` // of the domains without tenants, where no keys are named
	From     []fieldcrypt.OldIdentity `json:"from,omitempty"`
	Sample   float64                  `json:"sample,omitempty"`
	Next     []string                 `json:"next,omitempty"`    // second index columns that are there
	Guard    string                   `json:"guard,omitempty"`   // the event after which a verify for a retirement begins
	Version  uint64                   `json:"version,omitempty"` // of the keysets, for the same
}

// digest is the hash of a part of a manifest.
func digest(part *fieldcrypt.ManifestTable) (string, error) {
	b, err := json.Marshal(part)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// part returns the part of the project's manifest that a job is about:
// ErrSpecChanged if it is not what it was when the job started.
func (p *Project) part(o *params) (*fieldcrypt.ManifestTable, error) {
	t := p.Manifest.Table(o.Table)
	if t == nil {
		return nil, fmt.Errorf("the manifest has no table %s: %w", o.Table, ErrSpecChanged)
	}
	part := partOf(t, o.Columns)
	sum, err := digest(part)
	if err != nil {
		return nil, err
	}
	if sum != o.Manifest || len(part.Columns) != len(o.Columns) {
		return nil, fmt.Errorf("what the manifest says of the table %s: %w; cancel the job and start another", o.Table, ErrSpecChanged)
	}
	return part, nil
}

// rewriter makes a job's Rewriter.
func (p *Project) rewriter(kind string, raw json.RawMessage) (Rewriter, error) {
	var o params
	if err := json.Unmarshal(raw, &o); err != nil {
		return nil, fmt.Errorf("a job that is not of a project: %w: %w", ErrRefused, err)
	}
	part, err := p.part(&o)
	if err != nil {
		return nil, err
	}
	todo, err := p.DB.dialect.todo(kind, part, &o)
	if err != nil {
		return nil, err
	}
	switch kind {
	case KindReencrypt:
		l, err := p.newLayout(part, o.From, false, nil)
		if err != nil {
			return nil, err
		}
		return &reencrypt{layout: l, project: p, params: &o, todo: todo}, nil
	case KindVerify, KindRetire:
		l, err := p.newLayout(part, nil, true, o.Next)
		if err != nil {
			return nil, err
		}
		return &verify{layout: l, params: &o, todo: todo}, nil
	}
	return nil, fmt.Errorf("jobs of the kind %s walk no table: %w", kind, ErrRefused)
}
