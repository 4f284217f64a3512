package migrate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

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
	KindRetire    = "retire"    // as verify, by [Project.Retire]
	KindRewrap    = "rewrap"    // other KMS keys wrap the scopes' data keys: no table is walked
)

// Start starts the jobs of a plan, one for each table, and returns their ids. A
// table on which the same is under way gets no second job: that one's id is
// returned, and its limits stay. A job that is swept is finished first; so its
// failures are looked for anew.
//
// Errors: ErrSchema if the plan has problems that forbid it: nothing is started.
// ErrJobExists: a table has a live job of the kind that does something else. Those
// of [Start].
func (p *Project) Start(ctx context.Context, plan *Plan, limits Limits) ([]string, error) {
	return p.start(ctx, plan, limits, false)
}

// start starts a plan's jobs. With goOn a swept job of the same is gone on with.
func (p *Project) start(ctx context.Context, plan *Plan, limits Limits, goOn bool) ([]string, error) {
	if err := plan.Problems.Err(); err != nil {
		return nil, err
	}
	var ids []string
	for _, t := range plan.Tables {
		id, err := p.startTable(ctx, plan.Kind, t, limits, goOn)
		if err != nil {
			return ids, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func (p *Project) startTable(ctx context.Context, kind string, t TablePlan, limits Limits, goOn bool) (string, error) {
	rw, err := p.rewriter(kind, t.Spec.Params)
	if err != nil {
		return "", err
	}
	const tries = 3 // others may start or finish one meanwhile
	for i := 0; ; i++ {
		job, err := p.live(ctx, kind, t.Spec.Table)
		if err != nil {
			return "", err
		}
		same := job != nil && slices.Equal(job.Spec.Params, t.Spec.Params)
		switch {
		case job == nil:
			started, err := Start(ctx, p.DB, t.Spec, rw, limits, p.Actor)
			if errors.Is(err, ErrJobExists) && i < tries {
				continue
			}
			if err != nil {
				return "", err
			}
			return started.ID, nil
		case same && (job.Phase == PhaseSweeping || goOn):
			return job.ID, nil
		case job.Phase != PhaseSwept:
			return "", fmt.Errorf("%s of %s: job %s is %s: %w: end it, or cancel it", kind, t.Table, job.ID, job.Phase, ErrJobExists)
		}
		err = Advance(ctx, p.DB, job.ID, PhaseSwept, PhaseDone, p.Actor, map[string]string{"why": "another job of the kind begins"})
		if err != nil && (!errors.Is(err, ErrWrongPhase) || i == tries) {
			return "", err
		}
	}
}

// live returns the live job of a kind on a table, or nil.
func (p *Project) live(ctx context.Context, kind, table string) (*Job, error) {
	target, _, err := p.DB.relations(ctx, table)
	if err != nil {
		return nil, err
	}
	var id string
	found, err := one(ctx, p.DB.q(), `SELECT id FROM fieldcrypt_jobs WHERE target = $1 AND kind = $2 AND finished_at IS NULL`, []any{target, kind}, &id)
	if err != nil || !found {
		return nil, err
	}
	return Load(ctx, p.DB, id)
}

// Work does jobs until they are swept, one after the other, together with all
// other processes that do. What a job does is in its spec, so any process of the
// project can. A job that has failures does not keep the others from being done.
// Errors are those of [Work]; ErrSpecChanged: the manifest is not what it was.
func (p *Project) Work(ctx context.Context, ids []string, o Options) error {
	if o.Actor == "" {
		o.Actor = p.Actor
	}
	var failures []error
	for _, id := range ids {
		job, err := Load(ctx, p.DB, id)
		if err != nil {
			return err
		}
		rw, err := p.rewriter(job.Spec.Kind, job.Spec.Params)
		if err != nil {
			return fmt.Errorf("job %s: %w", id, err)
		}
		err = Work(ctx, p.DB, id, rw, o)
		if errors.Is(err, ErrFailures) {
			failures = append(failures, err)
			continue
		}
		if err != nil {
			return err
		}
	}
	return errors.Join(failures...)
}

// paramsOf reads a job's params.
func paramsOf(job *Job) (*params, error) {
	var o params
	if err := json.Unmarshal(job.Spec.Params, &o); err != nil {
		return nil, fmt.Errorf("job %s: %w: %w", job.ID, ErrTampered, err)
	}
	return &o, nil
}
