package fieldcrypt

import (
	"context"
	"slices"

	"github.com/fieldcrypt/go/internal/frame"
	"github.com/fieldcrypt/go/keymgr"
)

// fixed is what all values of a field, or of an index, have in common where the
// domain's keys are not per tenant: the begin of their frame and their scope.
// It is made once and immutable.
type fixed struct {
	crypter             *Crypter
	domain, table, name string
	frame               []byte // up to the logical name; shared, never changed
	keys                *keymgr.ScopeKeys
}

// fix sets what is fixed of the field: the frame is that without a bound value.
func (f *Field) fix(c *Crypter) {
	if !f.PerTenant {
		f.fixed = c.fix(frame.Value, 4, f.Domain, f.Table, f.Name)
	}
}

func (ix *BlindIndex) fix(c *Crypter) {
	if !ix.PerTenant {
		ix.fixed = c.fix(frame.Index, 4+len(ix.parts), ix.Domain, ix.Table, ix.Name)
	}
}

func (c *Crypter) fix(label byte, count int, domain, table, name string) *fixed {
	head := appendHead(nil, label, count, domain, "", table, name)
	return &fixed{c, domain, table, name, slices.Clip(head), c.keys.ForScope(keymgr.Scope{Domain: domain})}
}

// is reports whether x, which may be nil, was made for a Crypter and an
// identity: a field that was copied and given another name has none.
func (x *fixed) is(c *Crypter, domain, table, name string) bool {
	return x != nil && x.crypter == c && x.domain == domain && x.table == table && x.name == name
}

// at returns what is fixed of the field, or nil.
func (f *Field) at(c *Crypter) *fixed {
	if f.PerTenant || !f.fixed.is(c, f.Domain, f.Table, f.Name) {
		return nil
	}
	return f.fixed
}

// at returns what is fixed of the index, or nil.
func (ix *BlindIndex) at(c *Crypter) *fixed {
	if ix.PerTenant || !ix.fixed.is(c, ix.Domain, ix.Table, ix.Name) {
		return nil
	}
	return ix.fixed
}

// appendHead appends frame(label; domain, tenant, table, name, ...), to which all
// parts from the fifth on are still to be appended.
func appendHead(dst []byte, label byte, count int, domain, tenant, table, name string) []byte {
	dst = frame.Begin(dst, label, count)
	dst = frame.AppendString(dst, domain)
	dst = frame.AppendString(dst, tenant)
	dst = frame.AppendString(dst, table)
	return frame.AppendString(dst, name)
}

// sealKeys returns the keys of a scope, to seal and to index with. at is what is
// fixed, or nil.
func (c *Crypter) sealKeys(ctx context.Context, at *fixed, s keymgr.Scope) (*keymgr.Keys, error) {
	if at != nil {
		return at.keys.Keys(ctx)
	}
	return c.keys.Keys(ctx, s)
}

// openKeys returns the keys of a scope, to open what the key of an id has
// sealed. at is what is fixed, or nil.
func (c *Crypter) openKeys(ctx context.Context, at *fixed, s keymgr.Scope, id uint32) (*keymgr.Keys, error) {
	if at != nil {
		return at.keys.KeysFor(ctx, id)
	}
	return c.keys.KeysFor(ctx, s, id)
}
