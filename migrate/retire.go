package migrate

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/fieldcrypt/go/keymgr"
)

// RetireOptions are for [Project.Retire].
type RetireOptions struct {
	Limits Limits // of jobs that are started
	Work   Options
	// KeepGuards leaves the CHECKs in place that bar the key from the columns, as
	// until it is destroyed; [Project.DropGuards] removes them. Otherwise they go once
	// the proof is made.
	KeepGuards bool
	Progress   func(RotateState) // told of every step
}

// phaseRetired is of a reencrypt job whose last event holds the proof.
const phaseRetired = "retired"

// Retire proves that no row needs a seal key any more, for
// [keymgr.Manager.DisableKey] and DestroyKey. It
//
//   - starts, or goes on with, the reencrypt jobs of the scope's tables until a
//     pass changed nothing,
//   - bars the key from every column by a CHECK, which waits for every transaction
//     that could still write it ([Guard]); on SQLite, a count inside a writing
//     transaction stands in for it,
//   - opens every value of the scope by a verify that begins after that,
//   - counts the values that name the key: none may,
//   - and records all of it in the chains of the jobs.
//
// It is resumed by calling it again. Errors:
//
//   - ErrFailures: rows could not be rewritten, or are not as they must be. Repair
//     them and [Retry], or [Waive] what does not name the key, and call it again.
//   - [ErrKeyNamed]: values name the key, in rows that were waived or are planted
//     anew all the time, or in columns that the manifest has in another domain:
//     reencrypt these from the identity that they had.
//   - ErrSchema: the database is not as the manifest says, or has an encrypted
//     column that is not in it.
//   - ErrRefused: no column has such keys; or the purpose is Index, whose keys are
//     replaced by another kind of job.
//   - ErrJobExists: a table is at something else.
//   - ErrIncomplete, and those of [keymgr.Manager.Keys]; [keymgr.ErrKeyState] for a
//     primary or destroyed key; [keymgr.ErrUnknownKey].
func (p *Project) Retire(ctx context.Context, s keymgr.Scope, purpose keymgr.Purpose, keyID uint32, o RetireOptions) (keymgr.Proof, error) {
	r, err := p.retirement(ctx, s, purpose, keyID, o)
	if err != nil {
		return keymgr.Proof{}, err
	}
	proof, err := r.prove(ctx, false)
	if err != nil {
		return keymgr.Proof{}, err
	}
	return proof, r.finish(ctx, o.KeepGuards)
}

// DropGuards removes what [RetireOptions].KeepGuards has left for a key.
func (p *Project) DropGuards(ctx context.Context, s keymgr.Scope, purpose keymgr.Purpose, keyID uint32) error {
	if p.DB.dialect == sqlite || purpose != keymgr.Seal {
		return nil
	}
	tables, _, err := p.DB.catalogue().Check(ctx, p.Manifest, CheckOptions{})
	if err != nil {
		return err
	}
	o := PlanOptions{Domain: s.Domain}
	for _, t := range tables {
		list, err := guards(t.sqlName(), partOf(t.Manifest, o.columns(t.Manifest)), s.Tenant, keyID)
		if err != nil {
			return err
		}
		for _, g := range list {
			if err := g.Drop(ctx, p.DB); err != nil {
				return err
			}
		}
	}
	return nil
}

// retirement is the proof of one key in the making.
type retirement struct {
	*Project
	o       RetireOptions
	scope   keymgr.Scope
	key     uint32
	version uint64
	tables  []string // as in the manifest
	jobs    []*Job   // that reencrypt, for each table
}

// retirement finds or starts the jobs.
func (p *Project) retirement(ctx context.Context, s keymgr.Scope, purpose keymgr.Purpose, keyID uint32, o RetireOptions) (*retirement, error) {
	if purpose != keymgr.Seal {
		return nil, fmt.Errorf("a key of the purpose %s is replaced by re-indexing, which this version does not do: %w", purpose, ErrRefused)
	}
	keys, err := p.newestKeys(ctx, s)
	if err != nil {
		return nil, err
	}
	info := keys.Info(keymgr.Seal)
	i := slices.IndexFunc(info, func(k keymgr.KeyInfo) bool { return k.ID == keyID })
	switch {
	case i < 0:
		return nil, fmt.Errorf("%w: %d of %s", keymgr.ErrUnknownKey, keyID, s)
	case info[i].State == keymgr.StatePrimary || info[i].State == keymgr.StateDestroyed:
		return nil, fmt.Errorf("%w: key %d of %s is %s", keymgr.ErrKeyState, keyID, s, info[i].State)
	}
	r := &retirement{Project: p, o: o, scope: s, key: keyID, version: keys.Version()}
	return r, r.begin(ctx)
}

// newestKeys opens a scope's keys as they now are, whatever is cached.
func (p *Project) newestKeys(ctx context.Context, s keymgr.Scope) (*keymgr.Keys, error) {
	p.Keys.Evict(s)
	return p.Keys.Keys(ctx, s)
}

func (r *retirement) begin(ctx context.Context) error {
	if err := r.elsewhere(ctx); err != nil {
		return err
	}
	plan, err := r.Plan(ctx, PlanOptions{Kind: KindReencrypt, Domain: r.scope.Domain, Tenant: r.scope.Tenant, KeyIDs: []uint32{r.key}})
	if err != nil {
		return err
	}
	if err := r.endObsolete(ctx, plan); err != nil {
		return err
	}
	ids, err := r.start(ctx, plan, r.o.Limits, true)
	if err != nil {
		return err
	}
	for i, id := range ids {
		job, err := Load(ctx, r.DB, id)
		if err != nil {
			return err
		}
		r.jobs, r.tables = append(r.jobs, job), append(r.tables, plan.Tables[i].Table)
	}
	return nil
}

func (r *retirement) tell(step Step, jobs []string, waits string) {
	if r.o.Progress != nil {
		r.o.Progress(RotateState{Scope: r.scope, Step: step, Old: []uint32{r.key}, Jobs: jobs, Waits: waits, Next: step.next()})
	}
}

func (r *retirement) ids() (ids []string) {
	for _, job := range r.jobs {
		ids = append(ids, job.ID)
	}
	return ids
}

// prove makes the proof. With again, one that is in the jobs' chains and still
// holds is taken instead.
func (r *retirement) prove(ctx context.Context, again bool) (keymgr.Proof, error) {
	if again {
		proof, err := r.proved(ctx)
		if err != nil || proof != nil {
			return *orZero(proof), err
		}
	}
	for _, job := range r.jobs {
		err := Advance(ctx, r.DB, job.ID, phaseRetired, PhaseSweeping, r.Actor, map[string]string{"why": "another proof"})
		if err != nil && !errors.Is(err, ErrWrongPhase) {
			return keymgr.Proof{}, err
		}
	}
	marks, err := r.bar(ctx)
	if err != nil {
		return keymgr.Proof{}, err
	}
	return r.verify(ctx, marks)
}

func orZero(p *keymgr.Proof) *keymgr.Proof {
	if p == nil {
		return &keymgr.Proof{}
	}
	return p
}

// maxBars is how often rows that break a guard are sealed anew.
const maxBars = 10

// bar sweeps until every table bars the key, and returns what names the events
// that say so, for each table.
func (r *retirement) bar(ctx context.Context) ([]string, error) {
	for try := 1; ; try++ {
		r.tell(StepSweep, r.ids(), "")
		if err := r.acknowledged(ctx); err != nil {
			return nil, err
		}
		if err := r.Work(ctx, r.ids(), r.o.Work); err != nil {
			return nil, err
		}
		r.tell(StepGuard, r.ids(), "transactions that have written the tables")
		marks, err := r.barOnce(ctx, try == 1)
		if err == nil || !errors.Is(err, ErrViolated) || try == maxBars {
			if errors.Is(err, ErrViolated) {
				err = fmt.Errorf("%w: %w", ErrKeyNamed, err)
			}
			return marks, err
		}
	}
}

// barOnce is ErrViolated if a value names the key: then its table is about to be
// swept once more. Rows that were waived may have been repaired before the first.
func (r *retirement) barOnce(ctx context.Context, first bool) ([]string, error) {
	var marks []string
	for i, job := range r.jobs {
		// Rows that no pass can change would only be locked for everybody.
		stuck, err := r.stuck(ctx, i)
		if err != nil {
			return nil, err
		}
		mark := ""
		switch {
		case stuck && first:
			err = ErrViolated
		case stuck:
			err = fmt.Errorf("%w: key %d, in rows of %s that were waived", ErrKeyNamed, r.key, r.tables[i])
		default:
			mark, err = r.guard(ctx, job, r.key)
		}
		if err == nil {
			marks = append(marks, mark)
			continue
		}
		if errors.Is(err, ErrViolated) || errors.Is(err, ErrKeyNamed) {
			if err := r.unguard(ctx, job, r.key); err != nil {
				return nil, err
			}
		}
		if !errors.Is(err, ErrViolated) {
			return nil, err
		}
		again := Advance(ctx, r.DB, job.ID, PhaseSwept, PhaseSweeping, r.Actor, map[string]string{"why": "values named the key after the sweep"})
		if again != nil && !errors.Is(again, ErrWrongPhase) {
			return nil, again
		}
		return nil, err
	}
	return marks, nil
}

// stuck reports whether values that name the key are in rows that were waived.
func (r *retirement) stuck(ctx context.Context, i int) (bool, error) {
	var waived int64
	_, err := one(ctx, r.DB.q(), `SELECT count(*) FROM fieldcrypt_job_failures WHERE job = $1 AND resolution = 'waived'`, []any{r.jobs[i].ID}, &waived)
	if err != nil || waived == 0 {
		return false, err
	}
	left, err := r.left(ctx, i)
	return slices.Max(left) > 0, err
}

// finish ends the jobs, and removes the guards.
func (r *retirement) finish(ctx context.Context, keepGuards bool) error {
	for _, job := range r.jobs {
		if !keepGuards {
			if err := r.unguard(ctx, job, r.key); err != nil {
				return err
			}
		}
		err := Advance(ctx, r.DB, job.ID, phaseRetired, PhaseDone, r.Actor, nil)
		if err != nil && !errors.Is(err, ErrWrongPhase) {
			return err
		}
	}
	return nil
}
