package fieldcrypt

import (
	"context"
	"fmt"

	"github.com/fieldcrypt/go/keymgr"
)

// A field with plain=<column> is being adopted: its plaintext is still in a
// column of its own. Drivers write both columns and read the encrypted one. Where
// that is NULL they may read the other only with plain=<column>,fallback, and
// only through [Crypter.ReadPlaintext].

// ReadPlaintext is what a driver calls before it gives out, or compares in a
// search, the plaintext column of a field whose encrypted column is NULL. It
// tells the Observer and the Logger.
//
// Errors: *Error matching [ErrNotSealed] where the field's tag, or the Config,
// does not allow it.
func (c *Crypter) ReadPlaintext(ctx context.Context, f *Field, tenant string, search bool) error {
	if f.Plain == "" || !f.Fallback || !c.cfg.AllowPlaintextFallback {
		return f.err("open", 0, fmt.Errorf("%w: the encrypted column is NULL and the plaintext column %s is set", ErrNotSealed, f.Plain),
			"backfill it; until then, if you must, plain=<column>,fallback and Config.AllowPlaintextFallback read plaintext")
	}
	e := PlaintextRead{Model: f.Model.Name, Field: f.Path, Table: f.Table, Column: f.Name, Plain: f.Plain,
		Tenant: tenant, Actor: keymgr.ActorFrom(ctx), Search: search}
	if c.cfg.Observer != nil {
		c.cfg.Observer.Observe(ctx, e)
	}
	if c.cfg.Logger != nil {
		c.cfg.Logger.WarnContext(ctx, "fieldcrypt: plaintext was read in place of a sealed value",
			"model", e.Model, "field", e.Field, "column", e.Table+"."+e.Column, "plain", e.Plain, "actor", e.Actor, "search", e.Search)
	}
	return nil
}

// checkFallback refuses plaintext that would be read without anybody having
// allowed it, or knowing.
func (c *Crypter) checkFallback(f *Field) error {
	switch {
	case !f.Fallback:
		return nil
	case !c.cfg.AllowPlaintextFallback:
		return fmt.Errorf("plain=%s,fallback reads plaintext that whoever writes the database may have planted; if you must, set Config.AllowPlaintextFallback until the column is backfilled, or remove fallback", f.Plain)
	case c.cfg.Observer == nil && c.cfg.Logger == nil:
		return fmt.Errorf("plain=%s,fallback is audited: set Config.Observer or Config.Logger", f.Plain)
	}
	return nil
}
