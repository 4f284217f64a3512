package keymgr

import (
	"fmt"
	"time"
)

// RewrapOptions say what [Manager.RewrapAll] and [Manager.RewrapWith] do. The
// zero value re-wraps what is not yet wrapped under exactly the KEKs of the Config.
type RewrapOptions struct {
	// DryRun changes nothing and says what would be done. It makes no KMS calls
	// but where a KEK is named by an alias: then it asks what that names, and
	// whether it still opens the scope (WithoutOpening: by moving the wrap to the
	// same KEK and dropping what comes of it).
	DryRun bool
	// WithoutOpening is for an operator who may do nothing in the KMS but
	// ReEncrypt: data keys move inside the KMS alone, and are never unwrapped,
	// wrapped or made here. That takes a [Rewrapper] for every KEK, and a wrap
	// that it can take over; else the scope fails with ErrKEKNotAllowed. A new
	// wrap is verified by moving it once more, under its own KEK and in its
	// context, which shows that it authenticates and not what it holds. The
	// keysets are not opened, so nothing is known of them, and nothing cached.
	WithoutOpening bool
	// Force re-wraps what is wrapped under exactly these KEKs too, as after a
	// rotation of a KMS key's material. With it, running again begins anew.
	Force bool
	// KeepTenantContext makes the new wraps of a scope name the tenant in the way
	// in which the old ones do, in place of Domain.TenantContext. A scope whose
	// wraps differ in it fails with ErrConfig.
	KeepTenantContext bool
	// Rate bounds the KMS calls per second, without bursts. Defaults to 0: no
	// bound but the Config's.
	Rate float64

	// The rest is for RewrapAll.

	// Domains are the domains whose scopes are looked at. Defaults to all that
	// the Config names.
	Domains []string
	// Scopes are the scopes to look at, in place of those that the store lists.
	Scopes []Scope
	// After passes over the scopes up to this one, in order of domain and tenant:
	// RewrapReport.Last of a run that was interrupted.
	After Scope
	// Concurrency is how many scopes are worked on at once. Defaults to 4.
	Concurrency int
	// Progress is told of every scope after it was looked at, in any order and
	// never twice at once.
	Progress func(RewrapProgress)
}

const defaultRewrapConcurrency = 4

// slowestRewrap is in calls per second: one a day.
const slowestRewrap = 1 / (24 * 3600.0)

func (o *RewrapOptions) complete(m *Manager) error {
	if o.Concurrency == 0 {
		o.Concurrency = defaultRewrapConcurrency
	}
	switch {
	case o.Concurrency < 0:
		return fmt.Errorf("%w: RewrapOptions.Concurrency is negative", ErrConfig)
	case o.Rate != 0 && !(o.Rate >= slowestRewrap && o.Rate <= float64(time.Second)):
		return fmt.Errorf("%w: RewrapOptions.Rate is negative or out of range", ErrConfig)
	}
	for _, name := range o.Domains {
		if _, err := m.PerTenant(name); err != nil {
			return err
		}
	}
	return nil
}

// RewrapOutcome says what came of a scope.
type RewrapOutcome string

const (
	// RewrapDone: new wraps have replaced the old ones.
	RewrapDone RewrapOutcome = "rewrapped"
	// RewrapUnchanged: it was wrapped under exactly the KEKs of the Config.
	RewrapUnchanged RewrapOutcome = "unchanged"
	// RewrapPlanned: it would be re-wrapped, but for DryRun.
	RewrapPlanned RewrapOutcome = "planned"
	// RewrapGone: it was destroyed or deleted after the store had listed it.
	RewrapGone RewrapOutcome = "gone"
	// RewrapFailed: the old wraps have stayed.
	RewrapFailed RewrapOutcome = "failed"
)

// RewrapResult is what a re-wrap did to one scope.
type RewrapResult struct {
	Scope    Scope
	Version  uint64 // 0 if the scope could not be read
	Outcome  RewrapOutcome
	From, To []string // URIs of the KEKs that wrapped and of those that shall
	// TenantContext is that of the new wraps.
	TenantContext TenantContext
	// Moved are the KEKs by whose name something is wrapped that they do not open
	// any more.
	Moved []MovedAlias
	// NotOpened says that the new wraps were verified WithoutOpening.
	NotOpened bool
	// Class is the sentinel of Err, as text. Err is nil but for RewrapFailed.
	Class string
	Err   error
}

// MovedAlias is a KEK named by an alias that no longer names the key that has
// wrapped the data key: list that key's ARN in DecryptOnly, and re-wrap.
type MovedAlias struct {
	KEK string // the URI
	Now string // URI of the key that it names now, "" if the KMS does not tell
}

// RewrapProgress is how far a RewrapAll has come.
type RewrapProgress struct {
	RewrapResult
	Done   int // scopes so far, this one included
	Failed int // of these
}

// RewrapReport sums a RewrapAll up.
type RewrapReport struct {
	Scopes    int // that were looked at
	Rewrapped int
	Unchanged int
	Planned   int // with DryRun
	Gone      int
	Failed    int
	// Moved are the scopes among these that were wrapped by a key that an alias
	// no longer names, as far as that was seen.
	Moved int
	// Conflicts counts changes by others, after which a scope was tried again.
	Conflicts int
	// Unlisted are the scopes of the store whose domain the Config does not
	// name. They are in none of the other numbers, nor are those that
	// RewrapOptions.Domains leaves out.
	Unlisted int
	// KMSCalls is how many calls of KEKs were made.
	KMSCalls int
	// NotOpened says that new wraps were verified WithoutOpening.
	NotOpened bool
	// Failures are the first 1,000 scopes that failed; Progress hears of all.
	Failures []RewrapResult
	// Last is the last scope, in order, that was looked at; so were all before.
	Last Scope
}

// maxFailures keeps a report small.
const maxFailures = 1000

func (r *RewrapReport) add(res RewrapResult) {
	r.Scopes++
	if len(res.Moved) > 0 {
		r.Moved++
	}
	switch res.Outcome {
	case RewrapDone:
		r.Rewrapped++
	case RewrapUnchanged:
		r.Unchanged++
	case RewrapPlanned:
		r.Planned++
	case RewrapGone:
		r.Gone++
	case RewrapFailed:
		r.Failed++
		if len(r.Failures) < maxFailures {
			r.Failures = append(r.Failures, res)
		}
	}
}
