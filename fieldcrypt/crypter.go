package fieldcrypt

import (
	"context"
	"log/slog"
	"sync"

	"github.com/fieldcrypt/go/keymgr"
)

// Config holds the settings of a [Crypter]. The zero value is right for most.
type Config struct {
	// Transforms are custom index transforms by their names, which carry a
	// version: "mrn_v1". A transform that gives other results needs a new name,
	// a new index name and a new column. Defaults to none.
	Transforms map[string]func(string) (string, error)
	// AllowPlaintextFallback lets fields tagged plain=<column>,fallback be read
	// from their plaintext column while their encrypted one is NULL. Who can
	// write the database can then make the application believe any plaintext: it
	// is for the time between the first deploy of an adoption and the end of its
	// backfill. Each such read is told to the Observer and the Logger, one of
	// which must be set. Defaults to false.
	AllowPlaintextFallback bool
	// Observer is told what must be accounted for. Defaults to nil: nobody.
	Observer Observer
	// Logger gets a warning for what must be accounted for. Defaults to nil: silent.
	Logger *slog.Logger
}

// Crypter seals, opens and indexes fields. Drivers are made with it. It is safe
// for concurrent use, and prints as nothing but its name.
type Crypter struct {
	keys    *keymgr.Manager
	cfg     Config
	models  sync.Map // reflect.Type -> *modelResult
	records recordCache
}

// New returns a Crypter on the keys of a Manager, which the caller closes.
func New(keys *keymgr.Manager, cfg Config) *Crypter {
	return &Crypter{keys: keys, cfg: cfg}
}

// Keys returns the Manager that the Crypter was made with.
func (c *Crypter) Keys() *keymgr.Manager { return c.keys }

// Warm opens the keys of domains, those of the context's tenant where they are
// per tenant, so that what follows finds them in memory. Drivers call it before
// they take a connection. Where no tenant is named there is nothing to open.
//
// Errors: those of [keymgr.Manager.Keys].
func (c *Crypter) Warm(ctx context.Context, domains ...string) error {
	for _, d := range domains {
		perTenant, err := c.keys.PerTenant(d)
		if err != nil {
			return &Error{Op: "keys", Err: err}
		}
		scope, err := c.scope(ctx, d, perTenant, "")
		if err != nil {
			continue // no tenant yet: the row may name it
		}
		if _, err := c.keys.Keys(ctx, scope); err != nil {
			return &Error{Op: "keys", Err: err}
		}
	}
	return nil
}

// String implements fmt.Stringer. A Crypter never prints what it holds.
func (c *Crypter) String() string { return "fieldcrypt.Crypter" }

// GoString implements fmt.GoStringer, as String.
func (c *Crypter) GoString() string { return c.String() }
