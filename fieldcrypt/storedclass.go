package fieldcrypt

import (
	"errors"

	"github.com/fieldcrypt/go/keymgr"
)

// Classes of what can be wrong with a row, as a migrator counts and lists them.
const (
	FailureNotSealed      = "not-sealed"     // ErrNotSealed: plaintext, foreign or cut short
	FailureAuthentication = "authentication" // ErrAuthentication: changed, or moved
	FailureUnknownKey     = "unknown-key"    // ErrUnknownKey
	FailureDisabledKey    = "disabled-key"   // ErrKeyDisabled
	FailureWrongType      = "wrong-type"     // ErrWrongType: of another type, or not canonical
	FailureWrongIndex     = "wrong-index"    // ErrWrongIndex
	FailureNoTenant       = "no-tenant"      // ErrNoTenant: the tenant column is empty or holds no tenant's name
	FailureNoScope        = "no-scope"       // ErrScopeNotFound, ErrScopeDestroyed: the tenant has no keys
)

var failureClasses = []struct {
	err   error
	class string
}{
	{ErrNotSealed, FailureNotSealed},
	{ErrAuthentication, FailureAuthentication},
	{ErrUnknownKey, FailureUnknownKey},
	{ErrKeyDisabled, FailureDisabledKey},
	{ErrWrongType, FailureWrongType},
	{ErrWrongIndex, FailureWrongIndex},
	{ErrNoTenant, FailureNoTenant},
	{keymgr.ErrInvalidScope, FailureNoTenant},
}

// FailureClass returns the class of an error about a row, which is the row's own:
// it would be the same for whoever reads it. For any other error, of keys that
// cannot be had now, of the context or of the call, it is "": nothing is known of
// the row, and trying again may do.
func FailureClass(err error) string {
	if e := (*noScope)(nil); errors.As(err, &e) {
		return FailureNoScope
	}
	for _, c := range failureClasses {
		if errors.Is(err, c.err) {
			return c.class
		}
	}
	return ""
}

// noScope is ErrScopeNotFound or ErrScopeDestroyed where the row names the tenant. Elsewhere it is not
// the row's fault that there are no keys.
type noScope struct{ err error }

func (e *noScope) Error() string { return e.err.Error() }
func (e *noScope) Unwrap() error { return e.err }
