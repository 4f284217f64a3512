package fieldcrypt

import (
	"context"

	"github.com/fieldcrypt/go/internal/frame"
	"github.com/fieldcrypt/go/keymgr"
)

// fixed is what all values of a field, or of an index, have in common where the
// domain's keys are not per tenant: the begin of their frame and their scope.
// It is made once and immutable.
type fixed struct {
	crypter *Crypter
	head    head
	frame   []byte // up to the logical name; shared, only read
	keys    *keymgr.ScopeKeys
}

// head is where values stand, as their frames do.
type head struct {
	label               byte
	count               int // parts of the frame
	domain, table, name string
}

func (c *Crypter) fix(p head) *fixed {
	return &fixed{c, p, p.append(nil, nil, ""), c.keys.ForScope(keymgr.Scope{Domain: p.domain})}
}

// of returns f if it is what a Crypter needs for values of p. A field that was
// copied and given another name is no longer the one that f was made for.
func (f *fixed) of(c *Crypter, p head, perTenant bool) *fixed {
	if f == nil || perTenant || f.crypter != c || f.head != p {
		return nil
	}
	return f
}

// append appends frame(label; domain, tenant, table, name, ...), to which the
// parts beyond four are still to be appended. at is what is fixed, or nil.
func (p head) append(dst []byte, at *fixed, tenant string) []byte {
	if at != nil {
		return append(dst, at.frame...)
	}
	dst = frame.Begin(dst, p.label, p.count)
	dst = frame.AppendString(dst, p.domain)
	dst = frame.AppendString(dst, tenant)
	dst = frame.AppendString(dst, p.table)
	return frame.AppendString(dst, p.name)
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

func (f *Field) head() head {
	count := 4
	if f.Bind != nil {
		count++
	}
	return head{frame.Value, count, f.Domain, f.Table, f.Name}
}

func (ix *BlindIndex) head() head {
	return head{frame.Index, 4 + len(ix.parts), ix.Domain, ix.Table, ix.Name}
}
