package migrate

import (
	"errors"
	"fmt"
)

var (
	// ErrIncomplete: the work stopped before its end and goes on with the next
	// Work; the error is an *Incomplete.
	ErrIncomplete = errors.New("incomplete, and can be resumed")
	// ErrFailures: every row was visited, and some could not be rewritten. List
	// them, then retry or waive them.
	ErrFailures = errors.New("some rows could not be rewritten")
	// ErrRefused: the table or the database is not as the job needs it; nothing
	// was changed.
	ErrRefused = errors.New("refused")
	// ErrJobExists: the table has a live job of this kind.
	ErrJobExists = errors.New("the table has a live job of this kind")
	// ErrJobNotFound: there is no such job.
	ErrJobNotFound = errors.New("no such job")
	// ErrSpecChanged: the rewriter is not the one with which the job started.
	ErrSpecChanged = errors.New("not what the job was started with")
	// ErrWrongPhase: the job is not in the phase that was asked for.
	ErrWrongPhase = errors.New("the job is in another phase")
	// ErrTableGone: the table, or a column of it, is not there any more.
	ErrTableGone = errors.New("the table is not what it was when the job started")
	// ErrTampered: the job's spec or its events were changed behind our back.
	ErrTampered = errors.New("the record of the job was tampered with")
	// ErrViolated: rows break a guard; walk the table once more.
	ErrViolated = errors.New("rows break the guard")
	// ErrKeyNamed: values, of the scope or of a column that has left its domain,
	// name a key that is to go. A waived row still does.
	ErrKeyNamed = errors.New("values still name the key")
	// ErrRetry marks an error of a Rewriter that passes by itself, such as a key
	// service that does not answer: the worker waits and tries the rows again.
	ErrRetry = errors.New("try again later")

	errLost = errors.New("the lease was lost") // to another worker, or it expired
)

// Incomplete says why work stopped. It matches ErrIncomplete and its cause.
type Incomplete struct {
	Job   string
	Cause error // context.Canceled, ErrPaused, ...
}

func (e *Incomplete) Error() string {
	return fmt.Sprintf("job %s: %v: %v", e.Job, ErrIncomplete, e.Cause)
}

func (e *Incomplete) Unwrap() []error { return []error{ErrIncomplete, e.Cause} }

// Why work is incomplete.
var (
	ErrPaused    = errors.New("the job is paused")
	ErrCancelled = errors.New("the job is cancelled")
	// ErrNoProgress: ten passes on end changed nothing, and each met rows that are
	// not any more what was just read: a trigger undoes the change, or rows are
	// held or written all the time.
	ErrNoProgress = errors.New("ten passes met conflicts and changed nothing")
)
