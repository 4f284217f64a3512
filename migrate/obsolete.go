package migrate

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/fieldcrypt/go/keymgr"
)

// endObsolete ends jobs that keep those of a plan from being started and that
// nobody needs any more: they are about keys that have gone meanwhile, or verify
// for the key of the plan as things were before. A process that was killed, or that
// came after all was done, leaves such behind.
func (p *Project) endObsolete(ctx context.Context, plan *Plan) error {
	for _, t := range plan.Tables {
		job, err := p.live(ctx, plan.Kind, t.Spec.Table)
		if err != nil {
			return err
		}
		if job == nil || job.Phase != PhaseSweeping && job.Phase != phaseRetired || bytes.Equal(job.Spec.Params, t.Spec.Params) {
			continue
		}
		o, err := paramsOf(job)
		if err != nil || len(o.Keys) == 0 {
			continue
		}
		own, err := paramsOf(&Job{Spec: t.Spec})
		if err != nil {
			return err
		}
		before := plan.Kind == KindRetire && own.Domain == o.Domain && own.Tenant == o.Tenant && slices.Equal(own.Keys, o.Keys)
		if !before && p.needed(ctx, o) {
			continue
		}
		if job.Phase == phaseRetired { // the key was disabled, and then the process died
			err = (&retirement{Project: p, key: o.Keys[0], jobs: []*Job{job}}).finish(ctx, false)
		} else {
			err = p.abandon(ctx, job, o.Keys)
		}
		if err != nil && !errors.Is(err, ErrWrongPhase) {
			return err
		}
	}
	return nil
}

// abandon cancels a job that is about keys, and removes what bars them.
func (p *Project) abandon(ctx context.Context, job *Job, keys []uint32) error {
	if job.Spec.Kind == KindReencrypt {
		for _, key := range keys {
			if err := p.unguard(ctx, job, key); err != nil {
				return err
			}
		}
	}
	return Cancel(ctx, p.DB, job.ID, p.Actor)
}

// needed reports whether one of a job's keys can still be retired, or whether that
// cannot be said: then its owner has to end the job.
func (p *Project) needed(ctx context.Context, o *params) bool {
	scopes, err := p.scopesOf(ctx, keymgr.Scope{Domain: o.Domain, Tenant: o.Tenant})
	for _, s := range scopes {
		var keys *keymgr.Keys
		if keys, err = p.newestKeys(ctx, s); err != nil {
			break
		}
		for _, k := range keys.Info(keymgr.Seal) {
			if slices.Contains(o.Keys, k.ID) && k.State != keymgr.StateDisabled && k.State != keymgr.StateDestroyed {
				return true
			}
		}
	}
	return err != nil
}
