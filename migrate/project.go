package migrate

import (
	"context"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
)

// Project is what the jobs on an application's encrypted columns need: where they
// are, what they were sealed with, and the keys. It is safe for concurrent use.
//
// A manifest with custom transforms wants a Crypter whose Config has them, so that
// an application with such runs these jobs from a program of its own.
type Project struct {
	DB       *DB
	Crypter  *fieldcrypt.Crypter
	Keys     *keymgr.Manager // that of the Crypter
	Manifest *fieldcrypt.Manifest
	Actor    string // who stands in jobs, events and proofs
}

// Kinds of jobs.
const (
	KindReencrypt = "reencrypt" // values are sealed anew
	KindVerify    = "verify"    // values are opened and indexes recomputed; nothing is written
	KindRewrap    = "rewrap"    // other KMS keys wrap the scopes' data keys: no table is walked
)

// Start starts the jobs of a plan, one for each table, and returns their ids. A
// table that has a live job of the kind which does the same gets no second one: its
// id is returned. Nothing is started if the plan has problems that forbid it:
// ErrRefused. ErrJobExists: a table has a live job of the kind that does something
// else.
func (p *Project) Start(ctx context.Context, plan *Plan, limits Limits) ([]string, error) {
	return nil, ErrRefused
}

// Work does jobs until they are swept, one after the other, together with all
// other processes that do. What a job does is in its spec, so any process of the
// project can. Errors are those of [Work], of the first job that has one.
func (p *Project) Work(ctx context.Context, ids []string, o Options) error { return ErrRefused }
