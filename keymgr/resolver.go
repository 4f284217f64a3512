package keymgr

import (
	"context"
	"sync"
)

// Resolver is a KEK that may be named by a name that can be moved to another key,
// as an alias can. What was wrapped under the key that the name stood for before
// does not open by that name any more: ErrKEKNotAllowed.
type Resolver interface {
	KEK
	// Resolve returns the URI of the key that the KEK stands for now. Where the
	// KEK names the key itself it is URI, and no call is made.
	Resolve(ctx context.Context) (uri string, err error)
}

// aliases is what a re-wrap knows of the KEKs that are named by an alias: it asks
// once for each.
type aliases struct {
	mu   sync.Mutex
	seen map[string]target
}

// target is what a KEK stands for.
type target struct {
	alias bool
	uri   string // "" if the KMS does not tell
}

// maxTargets bounds what is kept where every tenant brings a KEK.
const maxTargets = 1000

// target asks what a KEK stands for. One that cannot tell, for want of a
// permission for instance, may be an alias.
func (a *aliases) target(ctx context.Context, m *Manager, e *entry, k KEK) target {
	r, ok := k.(Resolver)
	if !ok {
		return target{uri: k.URI()}
	}
	a.mu.Lock() // while it asks, too: once for all scopes
	defer a.mu.Unlock()
	if t, ok := a.seen[k.URI()]; ok {
		return t
	}
	var uri string
	err := m.inKMS(ctx, e, k, func(ctx context.Context) (err error) {
		uri, err = r.Resolve(ctx)
		return err
	})
	t := target{alias: err != nil || uri != k.URI(), uri: uri}
	if err != nil {
		t.uri = ""
		m.cfg.Logger.Warn("keymgr: what an alias names cannot be told", "kek", k.URI(), "class", class(err), "error", err)
	}
	if a.seen == nil || len(a.seen) >= maxTargets {
		a.seen = map[string]target{}
	}
	a.seen[k.URI()] = t
	return t
}
