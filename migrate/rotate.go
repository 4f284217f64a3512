package migrate

import (
	"context"

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

// RotateOptions are for [Project.Rotate].
type RotateOptions struct {
	// Until is the last step that is taken. Defaults to StepDisable.
	Until      Step
	Limits     Limits // of jobs that are started
	Work       Options
	KeepGuards bool              // as in RetireOptions
	Progress   func(RotateState) // told of every step and of what it waits for
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
	Next   string         `json:"next"`             // what comes next, in one line
	Proofs []keymgr.Proof `json:"proofs,omitempty"` // that were made
}

// Rotate replaces the seal keys of a scope by a new one, online: it adds a key,
// waits until every instance has it, makes it the primary, seals every value anew,
// proves that the old keys are not needed any more ([Project.Retire]) and disables
// them. Where the domain is per tenant and the scope names no tenant, it does so
// for all of the domain's scopes, and walks each table once for all of them.
//
// It goes on from wherever it was interrupted, in any process, and does nothing
// twice. A call after StepDone begins another rotation: ask [Project.Rotation]
// first.
//
// Errors: those of AddKey, WaitPromotable, PromoteKey, [Project.Retire] and
// DisableKey; ErrIncomplete if ctx ended. The state is there in any case, and says
// what comes next. DisableKey refuses while instances may still write with an old
// key: [keymgr.ErrKeyInUse]; the next call asks again.
func (p *Project) Rotate(ctx context.Context, s keymgr.Scope, o RotateOptions) (*RotateState, error) {
	return nil, ErrRefused
}

// Rotation says where the rotation of a scope is, and changes nothing. Of the
// domain's scopes it is the one that is the furthest behind.
func (p *Project) Rotation(ctx context.Context, s keymgr.Scope) (*RotateState, error) {
	return nil, ErrRefused
}
