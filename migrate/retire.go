package migrate

import (
	"context"

	"github.com/fieldcrypt/go/keymgr"
)

// RetireOptions are for [Project.Retire].
type RetireOptions struct {
	Limits Limits // of jobs that are started
	Work   Options
	// KeepGuards leaves the CHECKs in place that bar the key from the columns, as
	// until it is destroyed. Otherwise they go once the proof is made.
	KeepGuards bool
	Progress   func(RotateState) // told of every step
}

// Retire proves that no row needs a seal key any more, for
// [keymgr.Manager.DisableKey] and DestroyKey. It
//
//   - starts, or goes on with, the reencrypt jobs of the scope's tables until a
//     pass changed nothing,
//   - bars the key from every column by a CHECK, which waits for every transaction
//     that could still write it ([Guard]); on SQLite a count inside a writing
//     transaction stands in for it,
//   - opens every value of the scope by a verify that begins after that,
//   - counts the values that name the key: none may,
//   - and records all of it in the chains of the jobs.
//
// Errors: ErrFailures: rows could not be rewritten or do not open; repair them, or
// waive what does not name the key. A row that names it blocks even if it is
// waived: [ErrKeyNamed]. ErrRefused: the database is not as the manifest says, an
// encrypted column is not in the manifest, or the purpose is Index, whose keys are
// rotated by another job. keymgr.ErrKeyState for a primary key.
// [keymgr.ErrKeyInUse] comes from DisableKey: it asks the instances.
func (p *Project) Retire(ctx context.Context, s keymgr.Scope, purpose keymgr.Purpose, keyID uint32, o RetireOptions) (keymgr.Proof, error) {
	return keymgr.Proof{}, ErrRefused
}

// DropGuards removes what [RetireOptions].KeepGuards has left for a key.
func (p *Project) DropGuards(ctx context.Context, s keymgr.Scope, purpose keymgr.Purpose, keyID uint32) error {
	return ErrRefused
}
