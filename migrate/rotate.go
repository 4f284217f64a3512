package migrate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fieldcrypt/go/keymgr"
)

// RotateOptions are for [Project.Rotate].
type RotateOptions struct {
	Until      Step   // the last step that is taken; "": StepDisable, which is the last
	Limits     Limits // of jobs that are started
	Work       Options
	KeepGuards bool              // as in RetireOptions
	Progress   func(RotateState) // told of every step and of what it waits for
}

// Rotate replaces the seal keys of a scope by a new one, online: it adds a key,
// waits until every instance has it, makes it the primary, seals every value anew,
// proves that the old keys are not needed any more ([Project.Retire]) and disables
// them. Where the domain is per tenant and the scope names no tenant, it does so
// for all of the domain's scopes: it seals the values of all in one walk over each
// table, and proves them one by one, for which each table is walked for each scope.
//
// It goes on from wherever it was interrupted, in any process, and does nothing
// twice. When nothing is under way it begins anew: ask [Project.Rotation] first, if
// the last one may be over.
//
// Errors: those of AddKey, WaitPromotable, PromoteKey, [Project.Retire] and
// DisableKey; ErrIncomplete if ctx ended. The state is there in any case. Instances
// that may still write with an old key are waited for, as long as one that does not
// report any more can hold it; then it is [keymgr.ErrKeyInUse], and the next call
// takes the same proof and asks again. The index keys of a scope are not replaced.
func (p *Project) Rotate(ctx context.Context, s keymgr.Scope, o RotateOptions) (*RotateState, error) {
	if o.Until == "" {
		o.Until = StepDisable
	}
	r := &rotation{Project: p, o: o, scope: s, state: &RotateState{Scope: s}}
	if !slices.Contains(steps, o.Until) {
		return r.state, fmt.Errorf("a rotation has no step %q: %w", o.Until, ErrRefused)
	}
	if err := o.Limits.Check(); err != nil { // before a key is added
		return r.state, err
	}
	r.state.at(StepAdd)
	err := r.run(keymgr.WithActor(ctx, p.Actor))
	if err != nil && ctx.Err() != nil && !errors.Is(err, ErrIncomplete) {
		err = &Incomplete{Job: "rotation of " + s.String(), Cause: errors.Join(context.Cause(ctx), err)}
	}
	return r.state, err
}

// rotation is one call of Rotate.
type rotation struct {
	*Project
	o      RotateOptions
	scope  keymgr.Scope
	scopes []*RotateState
	state  *RotateState
}

// enter tells of a step, unless it is not to be taken.
func (r *rotation) enter(step Step, of *RotateState) bool {
	if step.after(r.o.Until) {
		return false
	}
	proofs := r.state.Proofs
	*r.state = *of
	r.state.Proofs = proofs
	r.state.at(step)
	r.tell(*r.state)
	return true
}

func (r *rotation) tell(s RotateState) {
	if r.o.Progress != nil {
		r.o.Progress(s)
	}
}

func (r *rotation) run(ctx context.Context) error {
	if err := r.look(ctx); err != nil {
		return err
	}
	over, err := r.end(ctx)
	if err != nil || over {
		return err
	}
	for _, step := range []func(context.Context) error{r.add, r.promote, r.sweep, r.retire} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if r.o.Until == StepDisable || r.o.Until == StepDone {
		r.state.at(StepDone)
		r.state.Old, r.state.Jobs = nil, nil
		r.tell(*r.state)
	}
	return nil
}

// look reads where each scope is.
func (r *rotation) look(ctx context.Context) error {
	scopes, err := r.scopesOf(ctx, r.scope)
	if err != nil {
		return err
	}
	for _, s := range scopes {
		state, err := r.rotationOf(ctx, s)
		if err != nil {
			return err
		}
		r.scopes = append(r.scopes, state)
	}
	// Whose jobs are live comes first: they keep others from their tables.
	slices.SortStableFunc(r.scopes, func(a, b *RotateState) int { return min(1, len(b.Jobs)) - min(1, len(a.Jobs)) })
	return nil
}

// end ends what is left of keys that are disabled. over: that was all.
func (r *rotation) end(ctx context.Context) (over bool, err error) {
	done := 0
	for _, state := range r.scopes {
		if state.Step == StepDone {
			done++
		}
		if state.Step != StepDisable || len(state.Old) > 0 {
			continue
		}
		keys, err := r.Keys.Keys(ctx, state.Scope)
		if err != nil {
			return false, err
		}
		jobs, err := r.jobsOf(ctx, state.Scope)
		if err != nil {
			return false, err
		}
		for _, job := range leftovers(jobs, keys) {
			o, err := paramsOf(job)
			if err != nil {
				return false, err
			}
			ret := &retirement{Project: r.Project, scope: state.Scope, key: o.Keys[0], jobs: []*Job{job}}
			if err := ret.finish(ctx, r.o.KeepGuards); err != nil {
				return false, err
			}
		}
		state.at(StepDone)
		state.Jobs = nil
		over = true
		done++
	}
	over = over && done == len(r.scopes)
	if over {
		*r.state = *r.scopes[0]
		r.state.Scope = r.scope
	}
	return over, nil
}

// add adds a key where that is still to be done: everywhere if nothing is under
// way, else where others have a pending key and this scope has none.
func (r *rotation) add(ctx context.Context) error {
	begin := !slices.ContainsFunc(r.scopes, func(s *RotateState) bool { return s.Step != StepDone })
	adding := slices.ContainsFunc(r.scopes, func(s *RotateState) bool { return s.Step == StepWait })
	for _, state := range r.scopes {
		if state.Step != StepDone || !begin && !adding || !r.enter(StepAdd, state) {
			continue
		}
		id, err := r.Keys.AddKey(ctx, state.Scope, keymgr.Seal)
		if err != nil {
			return err
		}
		state.Old, state.Key = append(state.Old, state.Key), id
		state.at(StepWait)
	}
	return nil
}

// promote makes the pending keys the primary ones.
func (r *rotation) promote(ctx context.Context) error {
	for _, state := range r.scopes {
		if state.Step != StepWait || !r.enter(StepWait, state) {
			continue
		}
		last := ""
		err := r.Keys.WaitPromotable(ctx, state.Scope, keymgr.Seal, state.Key, func(status keymgr.PromoteStatus) {
			if text := status.String(); !status.Ready && text != last {
				last, r.state.Waits = text, text
				r.tell(*r.state)
			}
		})
		if err != nil {
			return err
		}
		if !r.enter(StepPromote, state) {
			continue
		}
		if err := r.Keys.PromoteKey(ctx, state.Scope, keymgr.Seal, state.Key); err != nil {
			return err
		}
		state.at(StepSweep)
	}
	return nil
}

// sweep seals all values anew whose old keys are not one by one retired anyway.
func (r *rotation) sweep(ctx context.Context) error {
	if begun, err := r.begun(ctx); err != nil || begun {
		return err
	}
	var old []uint32
	for _, state := range r.scopes {
		if len(state.Jobs) > 0 {
			return nil // retiring goes on
		}
		if state.Step == StepSweep {
			old = append(old, state.Old...)
		}
	}
	if len(old) < 2 && r.o.Until != StepSweep || len(old) == 0 || !r.enter(StepSweep, &RotateState{Scope: r.scope, Old: old, Key: r.state.Key}) {
		return nil
	}
	plan, err := r.Plan(ctx, PlanOptions{Kind: KindReencrypt, Domain: r.scope.Domain, Tenant: r.scope.Tenant, KeyIDs: old})
	if err != nil {
		return err
	}
	if err := r.endObsolete(ctx, plan); err != nil {
		return err
	}
	if r.state.Jobs, err = r.start(ctx, plan, r.o.Limits, true); err != nil {
		return err
	}
	r.tell(*r.state)
	return r.Work(ctx, r.state.Jobs, r.o.Work)
}

// begun goes on with a sweep for several keys that was interrupted.
func (r *rotation) begun(ctx context.Context) (bool, error) {
	jobs, err := r.jobsOf(ctx, r.scope)
	if err != nil {
		return false, err
	}
	var ids []string
	for _, job := range jobs {
		if o, err := paramsOf(job); err == nil && len(o.Keys) > 1 && job.Phase == PhaseSweeping {
			ids = append(ids, job.ID)
		}
	}
	if len(ids) == 0 || !r.enter(StepSweep, &RotateState{Scope: r.scope, Key: r.state.Key, Jobs: ids}) {
		return false, nil
	}
	return true, r.Work(ctx, ids, r.o.Work)
}

// retire proves of each old key that nothing needs it, and disables it.
func (r *rotation) retire(ctx context.Context) error {
	keys := 0
	for _, state := range r.scopes {
		keys += len(state.Old)
	}
	for _, state := range r.scopes {
		for len(state.Old) > 0 && state.Step.after(StepPromote) && r.o.Until.after(StepSweep) {
			if err := r.retireOne(ctx, state, state.Old[0], keys == 1); err != nil {
				return err
			}
			state.Old = state.Old[1:]
		}
	}
	return nil
}

func (r *rotation) retireOne(ctx context.Context, state *RotateState, key uint32, only bool) error {
	progress := func(s RotateState) {
		s.Key, s.Old, s.Proofs = state.Key, state.Old, r.state.Proofs
		*r.state = s
		r.tell(s)
	}
	ret, err := r.retirement(ctx, state.Scope, keymgr.Seal, key, RetireOptions{Limits: r.o.Limits, Work: r.o.Work, Progress: progress})
	if err != nil {
		return err
	}
	if r.o.Until == StepGuard {
		_, err := ret.bar(ctx)
		return err
	}
	proof, err := ret.prove(ctx, true)
	if err != nil {
		return err
	}
	r.state.Proofs = append(r.state.Proofs, proof)
	if !r.enter(StepDisable, state) {
		if only {
			return nil // the next call takes the proof from the jobs
		}
		return ret.finish(ctx, true)
	}
	if err := r.disable(ctx, state.Scope, key, proof); err != nil {
		return err
	}
	return ret.finish(ctx, r.o.KeepGuards)
}

// disable waits for instances that may still write with the key, for as long as one
// that does not report any more can hold it.
func (r *rotation) disable(ctx context.Context, s keymgr.Scope, key uint32, proof keymgr.Proof) error {
	const pause = time.Second
	wait := time.Duration(-1)
	for began := time.Now(); ; sleep(ctx, pause) {
		err := r.Keys.DisableKey(ctx, s, keymgr.Seal, key, proof)
		if !errors.Is(err, keymgr.ErrKeyInUse) || ctx.Err() != nil {
			return err
		}
		if wait < 0 {
			wait = 0
			if fleet, err := r.Keys.Instances(ctx, s); err == nil {
				for _, i := range fleet.Instances {
					wait = max(wait, i.MaxAge)
				}
			}
			r.state.Waits = err.Error()
			r.tell(*r.state)
		}
		if time.Since(began) >= wait {
			return err
		}
	}
}
