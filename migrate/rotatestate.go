package migrate

import (
	"context"
	"fmt"
	"slices"

	"github.com/fieldcrypt/go/keymgr"
)

// Step is a step of a rotation, in the order of these constants.
type Step string

// The steps of a rotation.
const (
	StepAdd     Step = "add"     // a pending key is added
	StepWait    Step = "wait"    // for every instance to have it, or for its age
	StepPromote Step = "promote" // it becomes the primary
	StepSweep   Step = "sweep"   // the rows are sealed anew
	StepGuard   Step = "guard"   // the old keys are barred from the columns
	StepVerify  Step = "verify"  // every value is opened and counted
	StepDisable Step = "disable" // the old keys go out of use
	StepDone    Step = "done"
)

var steps = []Step{StepAdd, StepWait, StepPromote, StepSweep, StepGuard, StepVerify, StepDisable, StepDone}

// after reports whether a step comes after another.
func (s Step) after(other Step) bool { return slices.Index(steps, s) > slices.Index(steps, other) }

// next says what comes after a step.
func (s Step) next() string {
	switch s {
	case StepAdd:
		return "wait until every instance has the new key"
	case StepWait:
		return "make the new key the primary"
	case StepPromote:
		return "seal every value anew"
	case StepSweep:
		return "bar the old key from the columns"
	case StepGuard:
		return "open every value"
	case StepVerify:
		return "disable the old key"
	case StepDisable:
		return "destroy the old key once nobody can have it any more: fieldcrypt keys destroy"
	}
	return "nothing: the rotation is over"
}

// RotateState is where a rotation is. It is read from the states of the keys, the
// jobs and their events: a rotation has no state of its own.
type RotateState struct {
	Scope  keymgr.Scope   `json:"scope"`
	Step   Step           `json:"step"`             // that is under way, or comes next
	Key    uint32         `json:"key"`              // the new one; 0: not added yet
	Old    []uint32       `json:"old"`              // enabled keys that are to go
	Jobs   []string       `json:"jobs,omitempty"`   // that are under way
	Waits  string         `json:"waits,omitempty"`  // for what, in one line
	Next   string         `json:"next"`             // what comes after the step, in one line
	Proofs []keymgr.Proof `json:"proofs,omitempty"` // that were made in this call
}

// String says it in one line.
func (s RotateState) String() string {
	text := fmt.Sprintf("%s: %s", s.Scope, s.Step)
	if s.Waits != "" {
		text += ", waiting for " + s.Waits
	}
	return text + "; next: " + s.Next
}

func (s *RotateState) at(step Step) { s.Step, s.Next, s.Waits = step, step.next(), "" }

// Rotation says where the rotation of a scope is, and changes nothing. StepDone:
// none is under way. Where the domain is per tenant and the scope names no tenant,
// it is that of the domain's scope that is the furthest behind; one that is done
// does not count. It opens each scope through the KMS.
func (p *Project) Rotation(ctx context.Context, s keymgr.Scope) (*RotateState, error) {
	scopes, err := p.scopesOf(ctx, s)
	if err != nil {
		return nil, err
	}
	var behind *RotateState
	for _, s := range scopes {
		state, err := p.rotationOf(ctx, s)
		if err != nil {
			return nil, err
		}
		if behind == nil || behind.Step.after(state.Step) {
			behind = state
		}
	}
	return behind, nil
}

// scopesOf is a scope, or all of a domain that is per tenant.
func (p *Project) scopesOf(ctx context.Context, s keymgr.Scope) ([]keymgr.Scope, error) {
	perTenant, err := p.Keys.PerTenant(s.Domain)
	if err != nil {
		return nil, err
	}
	if !perTenant || s.Tenant != "" {
		return []keymgr.Scope{s}, nil
	}
	var scopes []keymgr.Scope
	err = p.Keys.EachScope(ctx, s.Domain, func(s keymgr.Scope) error {
		scopes = append(scopes, s)
		return nil
	})
	if err == nil && len(scopes) == 0 {
		err = fmt.Errorf("the domain %s: %w", s.Domain, keymgr.ErrScopeNotFound)
	}
	return scopes, err
}

func (p *Project) rotationOf(ctx context.Context, s keymgr.Scope) (*RotateState, error) {
	keys, err := p.newestKeys(ctx, s)
	if err != nil {
		return nil, err
	}
	state := &RotateState{Scope: s, Key: keys.Primary().ID()}
	var pending uint32
	for _, k := range keys.Info(keymgr.Seal) {
		switch k.State {
		case keymgr.StatePending:
			pending = k.ID // the last that was added
		case keymgr.StateActive:
			state.Old = append(state.Old, k.ID)
		}
	}
	jobs, err := p.jobsOf(ctx, s)
	if err != nil {
		return nil, err
	}
	for _, job := range jobs {
		state.Jobs = append(state.Jobs, job.ID)
	}
	switch {
	case pending != 0:
		state.Old, state.Key = append(state.Old, state.Key), pending
		state.at(StepWait)
	case len(state.Old) > 0:
		state.at(stepOf(jobs))
	case len(leftovers(jobs, keys)) > 0:
		state.at(StepDisable)
	default:
		state.Jobs = nil
		state.at(StepDone)
	}
	return state, nil
}

// jobsOf are the live jobs of a rotation of a scope.
func (p *Project) jobsOf(ctx context.Context, s keymgr.Scope) ([]*Job, error) {
	ids, err := List(ctx, p.DB, true)
	if err != nil {
		return nil, err
	}
	var jobs []*Job
	for _, id := range ids {
		job, err := Load(ctx, p.DB, id)
		if err != nil {
			return nil, err
		}
		if job.Spec.Kind != KindReencrypt && job.Spec.Kind != KindRetire {
			continue
		}
		if o, err := paramsOf(job); err == nil && o.Domain == s.Domain && o.Tenant == s.Tenant && len(o.Keys) > 0 {
			jobs = append(jobs, job)
		}
	}
	return jobs, nil
}

// stepOf is the step that live jobs are at.
func stepOf(jobs []*Job) Step {
	step := StepDone
	verifies := false
	for _, job := range jobs {
		at := StepSweep
		switch {
		case job.Spec.Kind == KindRetire:
			verifies = true
			continue
		case job.Phase == PhaseSwept:
			at = StepGuard
		case job.Phase == phaseRetired:
			at = StepDisable
		}
		if step.after(at) {
			step = at
		}
	}
	switch {
	case step == StepDone:
		return StepSweep // not begun
	case step == StepGuard && verifies:
		return StepVerify
	}
	return step
}

// leftovers are jobs whose proof was used, and which were not ended.
func leftovers(jobs []*Job, keys *keymgr.Keys) (list []*Job) {
	enabled := map[uint32]bool{}
	for _, k := range keys.Info(keymgr.Seal) {
		enabled[k.ID] = k.State != keymgr.StateDisabled && k.State != keymgr.StateDestroyed
	}
	for _, job := range jobs {
		o, err := paramsOf(job)
		if err == nil && job.Phase == phaseRetired && len(o.Keys) == 1 && !enabled[o.Keys[0]] {
			list = append(list, job)
		}
	}
	return list
}
