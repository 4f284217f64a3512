package fieldcrypt

import "context"

// Observer is told what a [Crypter] does that somebody may have to account for.
// It is called inside the operation, from many goroutines at once, and must be
// quick. Events hold no values.
type Observer interface {
	Observe(ctx context.Context, e Event)
}

// Event is what an [Observer] is told: one of the types of this package that say
// so, [PlaintextRead] for now. More may come; pass over what you do not know.
type Event interface{ event() }

// PlaintextRead is an [Event]: the plaintext column of a field that is being
// adopted was read, or compared in a search, because its encrypted column is
// NULL (option plain=<column>,fallback).
type PlaintextRead struct {
	Model  string // Go type, "app.Patient"
	Field  string // Go selector
	Table  string // logical table
	Column string // logical column
	Plain  string // the plaintext column
	Tenant string // "" where the domain's keys are not per tenant
	Actor  string // from keymgr.WithActor
	Search bool   // compared in a search; else read from a row
}

func (PlaintextRead) event() {}
