package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/fieldcrypt/go/keymgr"
)

// move is what a re-wrap does to one scope.
type move struct {
	scope         keymgr.Scope
	version       uint64
	from, to      []string // KEK URIs
	tenantContext keymgr.TenantContext
	newContext    bool // the tenant context changes
}

// planMoves reads every scope before anything is changed: ErrScopeNotFound, or
// ErrKEKNotAllowed where none of the KEKs could open it.
func planMoves(ctx context.Context, store keymgr.Store, scopes []keymgr.Scope, to []string, old []keymgr.KEK, tc *keymgr.TenantContext) ([]move, error) {
	openers := slices.Concat(to, uris(old))
	var moves []move
	for _, s := range scopes {
		r, err := store.Load(ctx, s)
		if err != nil {
			return nil, err
		}
		m := move{scope: s, version: r.Version, to: to, tenantContext: r.Wraps[0].TenantContext}
		mixed, openable := false, false
		for _, w := range r.Wraps {
			m.from = append(m.from, w.KEKURI)
			mixed = mixed || w.TenantContext != m.tenantContext
			openable = openable || slices.ContainsFunc(openers, func(uri string) bool { return uri == w.KEKURI || replicaOf(ctx, uri, w.KEKURI) })
		}
		switch {
		case !openable:
			return nil, withCure(fmt.Errorf("%w: %s is wrapped under %s", keymgr.ErrKEKNotAllowed, s, strings.Join(m.from, " ")),
				"name one of them with --from")
		case tc != nil:
			m.newContext = mixed || m.tenantContext != *tc
			m.tenantContext = *tc
		case mixed:
			return nil, refusedError{fmt.Errorf("%s: its wraps name the tenant in different ways: say with --tenant-context which one to take", s)}
		}
		moves = append(moves, m)
	}
	return moves, nil
}

// replicaOf reports whether a KEK is the same KMS key as the other, in another
// region. It calls nothing.
func replicaOf(ctx context.Context, uri, other string) bool {
	k, err := openKEK(ctx, uri, false, io.Discard)
	replica, ok := k.(keymgr.Replica)
	return err == nil && ok && replica.ReplicaOf(other)
}

// settled reports whether the scope is wrapped under exactly these KEKs by name.
// Whether an alias still names the key that has wrapped it only the KMS knows.
func (m move) settled() bool {
	from, to := slices.Sorted(slices.Values(m.from)), slices.Sorted(slices.Values(m.to))
	return slices.Equal(from, to) && !m.newContext
}

// run does it, or finds out what it would do.
func (m move) run(ctx context.Context, store keymgr.Store, to, from []keymgr.KEK, o keymgr.RewrapOptions, warnings io.Writer) (keymgr.RewrapResult, error) {
	d := keymgr.Domain{KEKs: to, DecryptOnly: without(from, to), TenantContext: m.tenantContext}
	manager, err := openManager(ctx, store, m.scope, d, warnings)
	if err != nil {
		return keymgr.RewrapResult{}, err
	}
	defer manager.Close()
	return manager.RewrapWith(ctx, m.scope, o)
}

// print shows what came of it, and the scope's KEKs as a difference.
func (m move) print(w io.Writer, res keymgr.RewrapResult) {
	say := func(format string, args ...any) { fmt.Fprintln(w, plain(fmt.Sprintf(format, args...))) }
	what := "rewrapped and verified"
	switch {
	case res.Outcome == keymgr.RewrapUnchanged:
		say("%s (version %d): nothing to do, wrapped under exactly these KEKs", m.scope, m.version)
		return
	case res.Outcome == keymgr.RewrapPlanned:
		what = "would be rewrapped"
	case res.NotOpened:
		what = "rewrapped inside the KMS, not opened"
	}
	say("%s (version %d): %s", m.scope, m.version, what)
	for _, uri := range m.from {
		if !slices.Contains(m.to, uri) {
			say("  - %s", uri)
		}
	}
	for _, uri := range m.to {
		if slices.Contains(m.from, uri) {
			say("    %s", uri)
		} else {
			say("  + %s", uri)
		}
	}
	for _, a := range res.Moved {
		say("    %s was wrapped by a key that the alias no longer names%s", a.KEK, namesNow(a))
	}
	if m.newContext {
		say("    the KMS's log names the tenant as %s", tenantContextName(m.tenantContext))
	}
}

func namesNow(a keymgr.MovedAlias) string {
	if a.Now == "" {
		return ""
	}
	return "; it names " + a.Now
}
