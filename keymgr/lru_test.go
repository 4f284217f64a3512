package keymgr_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldcrypt/go/keymgr"
)

func bound(n int) func(*keymgr.Config) {
	return func(cfg *keymgr.Config) { cfg.MaxOpenScopes = n }
}

func tenant(i int) keymgr.Scope {
	return keymgr.Scope{Domain: "records", Tenant: fmt.Sprintf("t%05d", i)}
}

// createTenants makes scopes with a Manager that holds none of them afterwards.
func (f *fixture) createTenants(n int) {
	f.t.Helper()
	m := f.open(lazy)
	for i := range n {
		if err := m.Create(f.t.Context(), tenant(i)); err != nil {
			f.t.Fatal(err)
		}
	}
	m.Close()
}

func TestScopesThatAreUsedStayOpen(t *testing.T) {
	f := newFixture(t, bound(4))
	f.createTenants(50)
	for i := range 4 {
		f.keys(tenant(i))
	}
	kept := f.ForScope(tenant(2))
	for i := 4; i < 50; i++ {
		f.keys(tenant(i))
		if _, err := kept.Keys(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := f.OpenScopes(); n > 4 {
			t.Fatalf("%d scopes are open, at most 4 may be", n)
		}
	}
	calls := f.kek.Calls().Unwrap
	f.keys(tenant(2))
	f.keys(tenant(49))
	if n := f.kek.Calls().Unwrap - calls; n != 0 {
		t.Errorf("%d openings of scopes in use", n)
	}
	f.keys(tenant(0))
	if n := f.kek.Calls().Unwrap - calls; n != 1 {
		t.Errorf("%d openings of a scope that was not in use, want 1", n)
	}
	// "medical" is not per tenant, and not in the bound.
	f.keys(medical)
	if n := f.kek.Calls().Unwrap - calls; n != 1 {
		t.Error("the scope of a domain that is not per tenant was evicted")
	}
	if n := f.Entries(); n > 5 {
		t.Errorf("the Manager remembers %d scopes", n)
	}
}

func TestOpenScopesNeverExceedTheBound(t *testing.T) {
	for _, max := range []int{1, 3, 16} {
		t.Run(fmt.Sprint(max), func(t *testing.T) {
			const tenants, uses = 40, 60
			f := newFixture(t, bound(max))
			f.createTenants(tenants)
			var wg, watch sync.WaitGroup
			var done atomic.Bool
			watch.Go(func() {
				for !done.Load() {
					if n := f.OpenScopes(); n > max {
						t.Errorf("%d scopes are open, at most %d may be", n, max)
						return
					}
				}
			})
			for w := range 8 {
				wg.Go(func() {
					for i := range uses {
						s := tenant((w*7 + i*i) % tenants)
						k, err := f.Keys(context.Background(), s)
						if err != nil || k.Scope() != s {
							t.Errorf("%v: %v", s, err)
						}
						if i%17 == 0 {
							f.Evict(s)
						}
					}
				})
			}
			wg.Wait()
			done.Store(true)
			watch.Wait()
			if n := f.OpenScopes(); n > max || n == 0 {
				t.Errorf("%d scopes are open in the end, at most %d may be", n, max)
			}
			if n := f.Entries(); n > max+1 {
				t.Errorf("the Manager remembers %d scopes, at most %d may be", n, max+1)
			}
		})
	}
}

func TestRollbackIsRefusedForEvictedScopes(t *testing.T) {
	f := newFixture(t, bound(1))
	f.createTenants(3)
	first := f.record(tenant(0))
	if _, err := f.AddKey(t.Context(), tenant(0), keymgr.Seal); err != nil {
		t.Fatal(err)
	}
	f.keys(tenant(0))
	f.keys(tenant(1)) // evicts it
	f.store.Lie(func(r *keymgr.Record) {
		if r.Scope == first.Scope {
			*r = first
		}
	})
	_, err := f.Manager.Keys(t.Context(), tenant(0))
	mustBe(t, "Keys of what was rolled back", err, keymgr.ErrRollback)
	f.keys(tenant(2))
	_, err = f.Manager.Keys(t.Context(), tenant(0))
	mustBe(t, "Keys after another eviction", err, keymgr.ErrRollback)
}

// A refresh that is under way when its scope is evicted serves who waits for it,
// caches nothing, and its version is not forgotten.
func TestEvictionDuringARefresh(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFixture(t, bound(1))
		f.createTenants(2)
		f.keys(tenant(0))
		old := f.record(tenant(0))
		if _, err := f.open(lazy).AddKey(t.Context(), tenant(0), keymgr.Seal); err != nil {
			t.Fatal(err)
		}
		time.Sleep(cacheTTL)
		release := f.kek.Block()
		got := make(chan uint64)
		go func() {
			k, err := f.Manager.Keys(t.Context(), tenant(0))
			if err != nil {
				t.Error(err)
			}
			got <- k.Version()
		}()
		other := make(chan error)
		go func() {
			_, err := f.Manager.Keys(t.Context(), tenant(1))
			other <- err
		}()
		// The other's opening was sooner done: it evicts.
		time.Sleep(time.Second)
		release()
		if v := <-got; v != 2 {
			t.Errorf("version %d", v)
		}
		if err := <-other; err != nil {
			t.Error(err)
		}
		if n := f.OpenScopes(); n != 1 {
			t.Errorf("%d scopes are open", n)
		}
		f.store.Lie(func(r *keymgr.Record) {
			if r.Scope == old.Scope {
				*r = old
			}
		})
		f.keys(tenant(1))
		f.Evict(tenant(0))
		_, err := f.Manager.Keys(t.Context(), tenant(0))
		mustBe(t, "Keys of what was rolled back", err, keymgr.ErrRollback)
	})
}

func TestRefusedTenantsDoNotFillTheMemory(t *testing.T) {
	f := newFixture(t, bound(2))
	f.createTenants(20)
	for i := range 20 {
		f.keys(tenant(i))
	}
	f.kek.Deny()
	for i := range 20 {
		f.Evict(tenant(i))
		_, err := f.Manager.Keys(t.Context(), tenant(i))
		mustBe(t, "Keys", err, keymgr.ErrKMSDenied)
	}
	if n := f.Entries(); n > 3 {
		t.Errorf("the Manager remembers %d scopes", n)
	}
	f.kek.Recover()
	f.store.Lie(func(r *keymgr.Record) { r.Version = 0 })
	_, err := f.Manager.Keys(t.Context(), tenant(3))
	mustBe(t, "Keys of what was rolled back", err, keymgr.ErrRollback)
}

func TestCreatedAndChangedScopesAreInTheBound(t *testing.T) {
	f := newFixture(t, bound(2))
	for i := range 6 {
		if err := f.Create(t.Context(), tenant(i)); err != nil {
			t.Fatal(err)
		}
		if _, err := f.AddKey(t.Context(), tenant(i/2), keymgr.Index); err != nil {
			t.Fatal(err)
		}
		if n := f.OpenScopes(); n > 2 {
			t.Fatalf("%d scopes are open", n)
		}
	}
}

func TestNegativeMaxOpenScopes(t *testing.T) {
	f := newFixture(t)
	_, err := keymgr.Open(t.Context(), f.config(bound(-1)))
	if !errors.Is(err, keymgr.ErrConfig) {
		t.Error(err)
	}
}

// Readers of more tenants than may be open, refreshes, changes and re-wraps, all
// at once: what was ever sealed stays readable.
func TestHammerOfEvictions(t *testing.T) {
	const tenants, max = 6, 2
	short := func(cfg *keymgr.Config) { cfg.CacheTTL, cfg.MaxStale = time.Millisecond, time.Hour }
	f := newFixture(t, bound(max), short)
	f.createTenants(tenants)
	var first [tenants]uint32
	for i := range first {
		first[i] = f.keys(tenant(i)).Primary().ID()
	}
	stop := make(chan struct{})
	var readers, writers sync.WaitGroup
	for w := range 8 {
		readers.Go(func() {
			var scopes [tenants]*keymgr.ScopeKeys
			for i := range scopes {
				scopes[i] = f.ForScope(tenant(i))
			}
			for n := w; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				i := n % tenants
				k, err := scopes[i].KeysFor(context.Background(), first[i])
				if err != nil || k.Scope() != tenant(i) {
					t.Errorf("%v: %v", tenant(i), err)
					return
				}
				if n := f.OpenScopes(); n > max {
					t.Errorf("%d scopes are open", n)
				}
			}
		})
	}
	for i := range tenants {
		writers.Go(func() {
			for range 5 {
				if _, err := f.AddKey(context.Background(), tenant(i), keymgr.Seal); err != nil && !errors.Is(err, keymgr.ErrConflict) {
					t.Error(err)
				}
				if err := f.Rewrap(context.Background(), tenant(i)); err != nil && !errors.Is(err, keymgr.ErrConflict) {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	close(stop)
	readers.Wait()
	for i := range tenants {
		if k := f.keys(tenant(i)); k.Version() != 6 {
			t.Errorf("%v: version %d, want 6", tenant(i), k.Version())
		}
	}
}

// An operation that leaves no keys in the cache leaves nothing of the scope there.
func TestWhatHoldsNoKeysDoesNotFillTheMemory(t *testing.T) {
	f := newFixture(t)
	f.createTenants(1)
	ctx := t.Context()
	before := f.Entries()
	left := func(what string) {
		t.Helper()
		if n := f.Entries() - before; n != 0 {
			t.Errorf("%s leaves %d entries", what, n)
			before += n
		}
	}
	for i := 100; i < 110; i++ {
		_, err := f.AddKey(ctx, tenant(i), keymgr.Seal)
		mustBe(t, "AddKey", err, keymgr.ErrScopeNotFound)
	}
	left("AddKey of scopes that are not there")
	for i := 100; i < 110; i++ {
		mustBe(t, "Rewrap", f.Rewrap(ctx, tenant(i)), keymgr.ErrScopeNotFound)
	}
	left("Rewrap of scopes that are not there")
	mustBe(t, "Create", f.Create(ctx, tenant(0)), keymgr.ErrScopeExists)
	left("Create of a scope that is there")
	mustBe(t, "DisableKey", f.DisableKey(ctx, tenant(0), keymgr.Seal, 1, keymgr.Proof{}), keymgr.ErrUnknownKey)
	left("a change that is refused")
	_, err := f.DestroyScope(ctx, tenant(0), "test")
	mustBe(t, "DestroyScope", err, nil)
	left("DestroyScope")
	_, err = f.Manager.Keys(ctx, tenant(0))
	mustBe(t, "Keys", err, keymgr.ErrScopeDestroyed)
	left("Keys of a destroyed scope")
	f.kek.Deny()
	mustBe(t, "Create", f.open(lazy).Create(ctx, tenant(1)), keymgr.ErrKMSDenied)
	f.kek.Recover()
	mustBe(t, "Create", f.open(lazy).Create(ctx, tenant(1)), nil)
	f.kek.Deny()
	for range 20 { // more than are let through to the KMS
		_, err = f.Manager.Keys(ctx, tenant(1))
		mustBe(t, "Keys", err, keymgr.ErrKMSDenied)
	}
	left("Keys of a tenant that is refused again and again")
}

// Evicted while it was under way, an opening caches nothing.
func TestEvictionDuringAnOpeningLeavesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFixture(t)
		f.createTenants(1)
		before := f.Entries()
		for _, want := range []error{nil, keymgr.ErrKMSDenied} {
			release := f.kek.Block()
			got := make(chan error)
			go func() {
				_, err := f.Manager.Keys(t.Context(), tenant(0))
				got <- err
			}()
			synctest.Wait()
			f.Evict(tenant(0))
			if want != nil {
				f.kek.Deny()
			}
			release()
			mustBe(t, "Keys", <-got, want)
			if n := f.Entries() - before; n != 0 {
				t.Errorf("%d entries are left", n)
			}
		}
	})
}

// observerFunc is an Observer.
type observerFunc func(context.Context, keymgr.Observation)

func (f observerFunc) Observe(ctx context.Context, o keymgr.Observation) { f(ctx, o) }

// An Observer may not wait for keys of the scope that it is told of. For those of
// another it may, also while room is made for one.
func TestObserverThatUsesKeysWhenAScopeIsEvicted(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFixture(t)
		f.createTenants(3)
		var m *keymgr.Manager
		var used error
		var told atomic.Bool
		observer := func(ctx context.Context, o keymgr.Observation) {
			if e, ok := o.(keymgr.ScopeEvicted); ok && e.Class == keymgr.ClassRoom && !told.Swap(true) {
				_, used = m.Keys(ctx, tenant(2))
			}
		}
		m = f.open(bound(1), func(cfg *keymgr.Config) { cfg.Observer = observerFunc(observer) })
		mustKeys(t, m, tenant(0))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := m.Keys(ctx, tenant(1))
		mustBe(t, "Keys", err, nil)
		mustBe(t, "Keys within the Observer", used, nil)
	})
}
