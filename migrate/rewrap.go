package migrate

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/fieldcrypt/go/keymgr"
)

// rewrapTarget stands for a table in a job that walks none.
const rewrapTarget = "keysets"

// phaseRewrapping is of a rewrap job that is not over.
const phaseRewrapping = "rewrapping"

// Rewrap re-wraps the data keys of scopes ([keymgr.Manager.RewrapAll]) as a job of
// its own, which is in the list of jobs, can be paused and cancelled, and has its
// events: what was begun, each scope that failed, and what came of it. It is resumed
// by calling it again with the same options, and verified by a last look that must
// find nothing left to do, but with Force. With DryRun there is no job.
//
// Errors are those of RewrapAll; ErrIncomplete if ctx ended, or the job was paused
// or cancelled; ErrJobExists for a live one with other options. The report is there
// in any case; job is "" for a DryRun.
func (p *Project) Rewrap(ctx context.Context, o keymgr.RewrapOptions) (job string, report keymgr.RewrapReport, err error) {
	ctx = keymgr.WithActor(ctx, p.Actor)
	if o.DryRun {
		report, err = p.Keys.RewrapAll(ctx, o)
		return "", report, err
	}
	if job, err = p.startRewrap(ctx, o); err != nil {
		return "", report, err
	}
	w := &rewrap{Project: p, job: job, progress: o.Progress}
	run, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	w.stop = stop
	o.Progress = func(s keymgr.RewrapProgress) { w.told(ctx, s) }
	report, err = p.Keys.RewrapAll(run, o)
	if stopped := context.Cause(run); err != nil && stopped != nil && !errors.Is(err, keymgr.ErrRewrapFailed) {
		return job, report, &Incomplete{Job: job, Cause: stopped}
	}
	if err == nil && !o.Force {
		left, lookErr := p.Keys.RewrapAll(ctx, keymgr.RewrapOptions{DryRun: true, WithoutOpening: o.WithoutOpening, KeepTenantContext: o.KeepTenantContext,
			Rate: o.Rate, Domains: o.Domains, Scopes: o.Scopes, After: o.After, Concurrency: o.Concurrency})
		err = lookErr
		if err == nil && left.Planned > 0 {
			err = &Incomplete{Job: job, Cause: fmt.Errorf("%d scopes were changed meanwhile", left.Planned)}
		}
	}
	text := map[string]any{"scopes": report.Scopes, "rewrapped": report.Rewrapped, "unchanged": report.Unchanged, "gone": report.Gone,
		"failed": report.Failed, "kms_calls": report.KMSCalls, "verified": err == nil && !o.Force}
	if err != nil {
		return job, report, errors.Join(err, Record(context.WithoutCancel(ctx), p.DB, job, p.Actor, "swept", text))
	}
	return job, report, Advance(ctx, p.DB, job, phaseRewrapping, PhaseDone, p.Actor, text)
}

// startRewrap returns the live job of the same options, or a new one.
func (p *Project) startRewrap(ctx context.Context, o keymgr.RewrapOptions) (string, error) {
	params, err := json.Marshal(map[string]any{"domains": o.Domains, "scopes": o.Scopes, "after": o.After, "force": o.Force,
		"without_opening": o.WithoutOpening, "keep_tenant_context": o.KeepTenantContext})
	if err != nil {
		return "", err
	}
	spec, err := json.Marshal(Spec{Kind: KindRewrap, Table: rewrapTarget, Params: params, Reads: []string{}, Writes: []string{}})
	if err != nil {
		return "", err
	}
	hash := sha256.Sum256(spec)
	id := strings.ToLower(rand.Text()[:16])
	err = p.DB.tx(ctx, func(q querier) error {
		n, err := q.exec(ctx, `INSERT INTO fieldcrypt_jobs (id, kind, target, spec, spec_hash, phase, limits, base_limits, rows_estimate, created_by, created_at, head)
			VALUES ($1, $2, $3, $4, $5, $6, '{}', '{}', 0, $7, {now}, $5) ON CONFLICT (target, kind) WHERE finished_at IS NULL DO NOTHING`,
			id, KindRewrap, rewrapTarget, string(spec), hash[:], phaseRewrapping, p.Actor)
		if err == nil && n > 0 {
			return record(ctx, q, id, p.Actor, "started", map[string]any{"kind": KindRewrap})
		}
		if err == nil {
			_, err = one(ctx, q, `SELECT id FROM fieldcrypt_jobs WHERE target = $1 AND kind = $2 AND finished_at IS NULL`, []any{rewrapTarget, KindRewrap}, &id)
		}
		return err
	})
	if err != nil {
		return "", err
	}
	job, err := Load(ctx, p.DB, id)
	switch {
	case err != nil:
		return "", err
	case string(job.Spec.Params) != string(params):
		return "", fmt.Errorf("job %s re-wraps with other options: %w: end it, or cancel it", id, ErrJobExists)
	case job.Desired == "pause":
		return "", &Incomplete{Job: id, Cause: ErrPaused}
	}
	return id, nil
}

// rewrap is one run of a rewrap job.
type rewrap struct {
	*Project
	job      string
	stop     context.CancelCauseFunc
	progress func(keymgr.RewrapProgress)

	once  sync.Once
	asked time.Time
}

// told records a scope that failed, and asks about once a second whether to go on.
// What the database does not take down ends the run.
func (w *rewrap) told(ctx context.Context, s keymgr.RewrapProgress) {
	ctx = context.WithoutCancel(ctx)
	fail := func(err error) { w.once.Do(func() { w.stop(err) }) }
	if s.Outcome == keymgr.RewrapFailed {
		if err := Record(ctx, w.DB, w.job, w.Actor, "scope failed", map[string]any{"scope": s.Scope, "class": s.Class}); err != nil {
			fail(err)
		}
	}
	if time.Since(w.asked) > time.Second {
		w.asked = time.Now()
		job, err := Load(ctx, w.DB, w.job)
		switch {
		case err != nil:
			fail(err)
		case job.Phase == PhaseCancelled:
			fail(ErrCancelled)
		case job.Desired == "pause":
			fail(ErrPaused)
		}
	}
	if w.progress != nil {
		w.progress(s)
	}
}
