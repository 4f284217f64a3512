package migratecmd

import (
	"context"
	"errors"
	"fmt"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/migrate"
)

// Exit codes, for scripts.
const (
	ExitDone       = 0
	ExitFailed     = 1  // for a reason that has no class of its own
	ExitIncomplete = 2  // interrupted, paused, or waiting for something: the same command goes on
	ExitFailures   = 3  // done, but for rows that could not be rewritten and are listed
	ExitRefused    = 4  // because of what the database, the keys or the KMS say; nothing was changed
	ExitLeaseLost  = 5  // another process has taken over
	ExitUsage      = 64 // wrong use: EX_USAGE of sysexits.h
)

// ErrUsage is wrong use of a command: its arguments cannot work.
var ErrUsage = errors.New("wrong use")

// usageError matches ErrUsage, and its text is the cause's alone.
type usageError struct{ error }

func (e usageError) Unwrap() []error { return []error{ErrUsage, e.error} }

func usage(err error) error {
	if err == nil {
		return nil
	}
	return usageError{err}
}

func usagef(format string, args ...any) error { return usage(fmt.Errorf(format, args...)) }

// advised is an error with a way out of its own.
type advised struct {
	error
	way string
}

func (e advised) Unwrap() error { return e.error }

// Advice is what helps.
func (e advised) Advice() string { return e.way }

func advise(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return advised{err, fmt.Sprintf(format, args...)}
}

// classes are the errors that have an exit code of their own and what helps; the
// first that matches counts.
var classes = []struct {
	err  error
	code int
	way  string
}{
	{ErrUsage, ExitUsage, ""},
	{ErrStray, ExitFailures, "`verify` opens every value and names the rows"},
	{migrate.ErrFailures, ExitFailures, "`migrate failures list` names the rows and what is wrong with each; mend them and `migrate failures retry`, or `migrate failures waive`"},
	{migrate.ErrCancelled, ExitRefused, "what was rewritten stays so; `migrate start` begins another job"},
	{migrate.ErrPaused, ExitIncomplete, "`migrate resume` lets it go on, and then `migrate work`"},
	{migrate.ErrNoProgress, ExitIncomplete, "look for a trigger that undoes the change, and for long transactions that hold rows; then `migrate work` goes on"},
	{migrate.ErrTampered, ExitRefused, "compare the fieldcrypt_job tables with a backup, and find out who writes them"},
	{migrate.ErrJobNotFound, ExitRefused, "`migrate status` lists the jobs"},
	{migrate.ErrJobExists, ExitRefused, "`migrate status` shows it: let it end with `migrate work`, or `migrate cancel` it"},
	{migrate.ErrSpecChanged, ExitRefused, "it was started with another manifest or other keys: cancel it and start it anew, or take the manifest of then"},
	{migrate.ErrWrongPhase, ExitRefused, "`migrate status` shows how far it is"},
	{migrate.ErrTableGone, ExitRefused, "cancel the job; if the table was changed on purpose, start another"},
	{migrate.ErrViolated, ExitIncomplete, "somebody has written such rows since: run the same command again"},
	{fieldcrypt.ErrSchema, ExitRefused, "`manifest check` lists what differs, each with its way out"},
	{fieldcrypt.ErrManifest, ExitUsage, "the application's Crypter.Manifest writes it; models with transforms of their own want a program of the application's own (migratecmd.Commands)"},
	{migrate.ErrRefused, ExitRefused, ""},
	{migrate.ErrIncomplete, ExitIncomplete, "run the same command again: it goes on where this one stopped"},
	{keymgr.ErrInstancesBehind, ExitIncomplete, "the instances that are named have to read the keys anew: wait, or restart them"},
	{keymgr.ErrKMSUnavailable, ExitIncomplete, "check the network and the credentials, and run the command again"},
	{keymgr.ErrStoreUnavailable, ExitIncomplete, "check the database and run the command again"},
	{keymgr.ErrConflict, ExitIncomplete, "somebody else has changed the keys at the same time: run the command again"},
	{keymgr.ErrKMSDenied, ExitRefused, "the KMS key must be enabled, and its policy or a grant must allow its use"},
	{keymgr.ErrKEKNotAllowed, ExitRefused, "name the KEKs under which the keys are wrapped"},
	{keymgr.ErrKeyInUse, ExitRefused, ""},
	{keymgr.ErrKeyState, ExitRefused, ""},
	{keymgr.ErrUnknownKey, ExitRefused, ""},
	{keymgr.ErrUnknownDomain, ExitUsage, ""},
	{keymgr.ErrScopeNotFound, ExitRefused, ""},
	{keymgr.ErrScopeDestroyed, ExitRefused, ""},
	{keymgr.ErrKeysetInvalid, ExitRefused, ""},
	{keymgr.ErrRollback, ExitRefused, ""},
	{keymgr.ErrConfig, ExitUsage, ""},
	{keymgr.ErrInvalidScope, ExitUsage, ""},
	{context.Canceled, ExitIncomplete, "run the same command again: it goes on where this one stopped"},
	{context.DeadlineExceeded, ExitIncomplete, "run the same command again: it goes on where this one stopped"},
}

// ExitCode returns the code with which a program ends after a command's error.
func ExitCode(err error) int {
	if err == nil {
		return ExitDone
	}
	for _, c := range classes {
		if errors.Is(err, c.err) {
			return c.code
		}
	}
	return ExitFailed
}

// Advice says what an operator can do about a command's error; "" where nothing
// is known.
func Advice(err error) string {
	if own := (advised{}); errors.As(err, &own) {
		return own.way
	}
	for _, c := range classes {
		if errors.Is(err, c.err) {
			return c.way
		}
	}
	return ""
}
