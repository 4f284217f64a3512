package fieldcrypt

import (
	"errors"
	"fmt"
	"strings"

	"github.com/fieldcrypt/go/keymgr"
)

// Every error that this package and the drivers return matches one of these
// with [errors.Is]. Those of keys are keymgr's own.
var (
	// ErrModel: a struct cannot be used as it is declared: a wrong tag, an
	// unsupported type, an identity that is not unique. Found at start.
	ErrModel = errors.New("invalid model")
	// ErrNotRegistered: a model was used without the driver knowing it: the
	// plugin or the marker is missing.
	ErrNotRegistered = errors.New("model is not registered")
	// ErrUnsupported: the driver does not do this with encrypted fields.
	ErrUnsupported = errors.New("operation is not supported on encrypted fields")
	// ErrSchema: a table of the database is not what the model needs: a column,
	// type, CHECK or index is missing or another.
	ErrSchema = errors.New("database schema does not fit the model")

	// ErrNotSealed: the column holds something that is no stored value of ours:
	// plaintext, a foreign ciphertext, or a value cut short.
	ErrNotSealed = errors.New("not a sealed value")
	// ErrAuthentication: the stored value does not authenticate: it was changed,
	// or moved from another column, table, tenant, domain or bound row.
	ErrAuthentication = errors.New("value does not authenticate")
	// ErrWrongType: a value does not fit the field's Go type, or what was opened
	// is of another type or not in canonical form.
	ErrWrongType = errors.New("value has the wrong type")

	// ErrUnsealed: a [Secret] took a way to the database on which nobody seals it.
	ErrUnsealed = errors.New("value is not sealed")
	// ErrSealed: a [Secret] was asked for its value before anybody opened it.
	ErrSealed = errors.New("value is not opened")

	// ErrTenantMismatch: the context and the row name different tenants.
	ErrTenantMismatch = errors.New("tenant of the row is not the tenant of the context")

	// ErrUnsearchable: the field has no blind index that can answer the search.
	ErrUnsearchable = errors.New("field is not searchable")
	// ErrQueryOnCiphertext: the query would compare, sort, group or compute on
	// ciphertext.
	ErrQueryOnCiphertext = errors.New("query on ciphertext")
)

// The errors of keys, from keymgr.
var (
	ErrNoTenant         = keymgr.ErrNoTenant
	ErrUnknownDomain    = keymgr.ErrUnknownDomain
	ErrScopeNotFound    = keymgr.ErrScopeNotFound
	ErrScopeDestroyed   = keymgr.ErrScopeDestroyed
	ErrUnknownKey       = keymgr.ErrUnknownKey
	ErrKeyDisabled      = keymgr.ErrKeyDisabled
	ErrKEKNotAllowed    = keymgr.ErrKEKNotAllowed
	ErrKMSDenied        = keymgr.ErrKMSDenied
	ErrKMSUnavailable   = keymgr.ErrKMSUnavailable
	ErrStoreUnavailable = keymgr.ErrStoreUnavailable
	ErrKeysetInvalid    = keymgr.ErrKeysetInvalid
	ErrRollback         = keymgr.ErrRollback
)

// Error says where something was refused, and what to do. It never holds a
// value. It matches its sentinel, in Err, with [errors.Is].
type Error struct {
	Op     string // "seal", "open", "index", "search", "model", or the driver's name for the operation
	Model  string // Go type, "app.Patient"; "" if none
	Field  string // Go selector within it, "Address.Street"; "" if none
	Table  string // logical table, "" if unknown
	Column string // logical column, or the index's logical name
	KeyID  uint32 // 0 if no key is involved
	Err    error
	Hint   string // the way out
}

// Error implements error: "fieldcrypt: open patients.mrn (app.Patient.MRN), key
// 1a2b3c4d: value does not authenticate; ...".
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("fieldcrypt: ")
	b.WriteString(e.Op)
	if e.Table != "" || e.Column != "" {
		b.WriteByte(' ')
		b.WriteString(e.Table)
		if e.Table != "" && e.Column != "" {
			b.WriteByte('.')
		}
		b.WriteString(e.Column)
	}
	if e.Model != "" {
		name := e.Model
		if e.Field != "" {
			name += "." + e.Field
		}
		if e.Table != "" || e.Column != "" {
			name = "(" + name + ")"
		}
		b.WriteString(" " + name)
	}
	if e.KeyID != 0 {
		fmt.Fprintf(&b, ", key %08x", e.KeyID)
	}
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	if e.Hint != "" {
		b.WriteString("; ")
		b.WriteString(e.Hint)
	}
	return b.String()
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }
