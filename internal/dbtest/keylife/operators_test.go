package keylife_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
)

// gate lets writes through once two have arrived.
type gate struct {
	sync.WaitGroup
}

func newGate() *gate {
	g := &gate{}
	g.Add(2)
	return g
}

func (g *gate) pass() {
	g.Done()
	g.Wait()
}

// gated is a store whose first write waits at the gate.
type gated struct {
	*sqlstore.Store
	pass func()
}

func (s gated) Replace(ctx context.Context, r keymgr.Record, events []keymgr.Event) error {
	s.pass()
	return s.Store.Replace(ctx, r, events)
}

func (s gated) SwapWraps(ctx context.Context, scope keymgr.Scope, v uint64, old, new []keymgr.Wrap, events []keymgr.Event) error {
	s.pass()
	return s.Store.SwapWraps(ctx, scope, v, old, new, events)
}

func (s gated) Delete(ctx context.Context, scope keymgr.Scope, v uint64, events []keymgr.Event) error {
	s.pass()
	return s.Store.Delete(ctx, scope, v, events)
}

// Both have read the same version before either writes.
func TestTwoOperatorsAtOnceHaveOneWinner(t *testing.T) {
	p := newPlace(t)
	db := p.pool(t, nil)
	store := sqlstore.New(db)
	names := []string{"add", "promote", "disable", "enable", "destroy", "destroy-scope", "rewrap"}
	for i, a := range names {
		for _, b := range names[i:] {
			if a == "rewrap" {
				continue // with itself it is keymgr/sqlstore's test
			}
			t.Run(a+" and "+b, func(t *testing.T) {
				scope := keymgr.Scope{Domain: domain, Tenant: fmt.Sprintf("%s_%s", a, b)}
				keys := p.prepare(t, store, scope)
				sealed := seal(t, p.operator(t, store, 0), scope)
				before := history(t, store, scope)

				g := newGate()
				errs := make([]error, 2)
				var wg sync.WaitGroup
				for j, name := range []string{a, b} {
					m := p.operator(t, gated{sqlstore.New(p.pool(t, nil)), sync.OnceFunc(g.pass)}, 0)
					wg.Go(func() { errs[j] = operations[name](t.Context(), m, scope, keys) })
				}
				wg.Wait()

				won := 0
				for j, err := range errs {
					switch {
					case err == nil:
						won++
					case a == "destroy-scope" || b == "destroy-scope":
						mustBe(t, []string{a, b}[j], err, keymgr.ErrConflict, keymgr.ErrScopeDestroyed)
					default:
						mustBe(t, []string{a, b}[j], err, keymgr.ErrConflict)
					}
				}
				// A re-wrap changes no version: it can come first and leave the other its turn.
				if want := 1; won != want && (b != "rewrap" || won != 2) {
					t.Errorf("%d have won: %v", won, errs)
				}
				if n := history(t, store, scope) - before; n != won {
					t.Errorf("%d events, of %d changes", n, won)
				}
				mustBeWhole(t, db, store, scope)
				k, err := p.operator(t, store, 0).Keys(t.Context(), scope)
				if err == nil {
					sealed.mustOpen(t, k)
				} else {
					mustBe(t, "Keys", err, keymgr.ErrScopeDestroyed)
				}
			})
		}
	}
}
