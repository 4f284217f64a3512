package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/spf13/cobra"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/migrate"
	"github.com/fieldcrypt/go/migrate/migratecmd"
)

// Exit codes. There is a fifth in package migratecmd, whose codes are the same.
const (
	exitDone       = 0
	exitFailed     = 1
	exitIncomplete = 2
	exitFailures   = 3
	exitRefused    = 4
	exitUsage      = 64 // EX_USAGE of sysexits.h
)

// usageError is wrong use.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usage(err error) error                   { return usageError{err} }
func usagef(format string, args ...any) error { return usage(fmt.Errorf(format, args...)) }

// refusedError is a refusal that no sentinel of keymgr stands for.
type refusedError struct{ error }

// curedError is an error with a cure of its own, in place of its class's.
type curedError struct {
	error
	cure string
}

func (e curedError) Unwrap() error { return e.error }

func withCure(err error, format string, args ...any) error {
	return curedError{err, fmt.Sprintf(format, args...)}
}

// fail prints what went wrong and what helps, and returns the exit code.
func fail(ctx context.Context, w io.Writer, cmd *cobra.Command, err error) int {
	code, cure := explain(err)
	if code == exitUsage && cure == "" {
		cure = fmt.Sprintf("see `%s --help`", cmd.CommandPath())
	}
	if ctx.Err() != nil {
		code = exitIncomplete
		if own := advice(err); own != "" {
			cure = "interrupted: " + own
		} else {
			cure = "interrupted: `fieldcrypt keys list` shows what was done; run the command again for the rest"
		}
	}
	text := strings.ReplaceAll(withoutPasswords(err.Error()), "\t", " ")
	for i, line := range strings.Split(text, "\n") {
		if i == 0 {
			line = cmd.CommandPath() + ": " + line
		} else {
			line = "  " + line
		}
		fmt.Fprintln(w, plain(line))
	}
	if cure != "" {
		fmt.Fprintf(w, "  %s\n", cure)
	}
	return code
}

// explain returns the exit code of an error and what helps.
func explain(err error) (code int, cure string) {
	if err == nil {
		return exitDone, ""
	}
	code, cure = classify(err)
	if code == exitFailed || isMigration(err) {
		code = migratecmd.ExitCode(err)
		cure = cmp.Or(migratecmd.Advice(err), cure)
	}
	if own := advice(err); own != "" {
		cure = own
	}
	if own := (curedError{}); errors.As(err, &own) {
		cure = own.cure
	}
	if wrong := (usageError{}); errors.As(err, &wrong) {
		code = exitUsage
	}
	return code, cure
}

// isMigration reports whether the class of an error is one of migrations, whatever
// of the keys has caused it.
func isMigration(err error) bool {
	for _, class := range []error{migratecmd.ErrUsage, migrate.ErrIncomplete, migrate.ErrFailures, migrate.ErrRefused} {
		if errors.Is(err, class) {
			return true
		}
	}
	return false
}

// advice is what package migratecmd says of this very error, not of its class.
func advice(err error) string {
	if own := (interface{ Advice() string })(nil); errors.As(err, &own) {
		return own.Advice()
	}
	return ""
}

// missingTable reports whether a table of ours is not there, as Postgres and SQLite
// say it.
func missingTable(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "42P01" || strings.Contains(err.Error(), "no such table: fieldcrypt_")
}

// classify returns the exit code of an error and what an operator can do.
func classify(err error) (code int, cure string) {
	is := func(class error) bool { return errors.Is(err, class) }
	switch {
	case errors.As(err, &refusedError{}):
		return exitRefused, ""
	case missingTable(err) && !is(keymgr.ErrStoreUnavailable):
		return exitRefused, "`fieldcrypt ddl --execute` makes the tables; if they are there, look at the search_path"
	case is(keymgr.ErrRewrapFailed):
		return exitFailures, "each is named above and has kept its old wraps: mend the cause and run the same command again, which passes over what is done"
	case is(keymgr.ErrConfig), is(keymgr.ErrInvalidScope):
		return exitUsage, ""
	case is(keymgr.ErrScopeExists):
		return exitRefused, "nothing was changed; `fieldcrypt keys show` shows it, and `keys create --if-missing` passes over it"
	case is(keymgr.ErrScopeNotFound):
		return exitRefused, "`fieldcrypt keys list` shows the scopes that there are, `fieldcrypt keys create` makes one"
	case is(keymgr.ErrScopeDestroyed):
		return exitRefused, "its name is spent; the receipt is in fieldcrypt_key_events, in the detail of the event scope-destroyed"
	case is(keymgr.ErrUnknownKey):
		return exitRefused, "`fieldcrypt keys show` shows the keys of a scope with their ids"
	case is(keymgr.ErrKeyState):
		return exitRefused, "nothing was changed; `fieldcrypt keys show` shows in which state a key is, and since when"
	case is(keymgr.ErrKeyInUse):
		return exitRefused, "nothing was changed; give the migrator's proof with --proof, or say with --override why it may go without"
	case is(keymgr.ErrKMSDenied):
		return exitRefused, "the KMS key must be enabled, and its policy or a grant must allow you kms:GenerateDataKey, kms:Encrypt, kms:Decrypt and, to rewrap, kms:ReEncryptFrom and kms:ReEncryptTo (`aws sts get-caller-identity` tells who you are)"
	case is(keymgr.ErrKEKNotAllowed):
		return exitRefused, "give the KEK under which the scope is wrapped now: `fieldcrypt keys show` names it"
	case is(keymgr.ErrKeysetInvalid), is(keymgr.ErrRollback):
		return exitRefused, "the stored keysets are damaged, or something other than fieldcrypt has changed them: compare the fieldcrypt_ tables with a backup"
	case is(keymgr.ErrInstancesBehind):
		return exitIncomplete, "`fieldcrypt keys instances` shows them; --wait waits for them"
	case is(keymgr.ErrUnknownInstance):
		return exitRefused, "`fieldcrypt keys instances` lists those that there are"
	case is(keymgr.ErrConflict):
		return exitIncomplete, "somebody else has changed the scope at the same time: look at it with `fieldcrypt keys show`, then run the command again"
	case is(keymgr.ErrStoreUnavailable) && strings.Contains(err.Error(), "run sqlstore.Migrate"):
		return exitRefused, "`fieldcrypt keys migrate` makes the tables; if they are there, look at the search_path"
	case is(keymgr.ErrStoreUnavailable):
		return exitIncomplete, "check the database URL, the network, and the password (" + databaseVariable + ", PGPASSWORD or the .pgpass file)"
	case is(keymgr.ErrKMSUnavailable):
		return exitIncomplete, "check the region, the network and the credentials (AWS_PROFILE, AWS_REGION; they may have expired), and run the command again"
	}
	return exitFailed, ""
}

var urlPassword = regexp.MustCompile(`(://[^\s:@/]*):[^\s@]*@`)

func rewrapFailed(err error) bool { return errors.Is(err, keymgr.ErrRewrapFailed) }

// withoutPasswords is the last line of defence: nothing here puts the URL of a
// database into an error, and drivers leave passwords out.
func withoutPasswords(s string) string { return urlPassword.ReplaceAllString(s, "$1:xxxxx@") }
