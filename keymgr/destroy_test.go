package keymgr_test

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
	"github.com/fieldcrypt/go/keymgr/memstore"
)

func TestDestroyScope(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFixture(t)
		ctx := keymgr.WithActor(t.Context(), "ops@example")
		mustBe(t, "Create", f.Create(ctx, acme), nil)
		pending, err := f.AddKey(ctx, acme, keymgr.Seal)
		mustBe(t, "AddKey", err, nil)
		gone, err := f.AddKey(ctx, acme, keymgr.Seal)
		mustBe(t, "AddKey", err, nil)
		mustBe(t, "DisableKey", f.DisableKey(ctx, acme, keymgr.Seal, gone, overridden), nil)
		aged()
		mustBe(t, "DestroyKey", f.DestroyKey(ctx, acme, keymgr.Seal, gone, overridden), nil)
		other := f.open()
		k := mustKeys(t, other, acme)

		_, err = f.DestroyScope(ctx, acme, " \x00")
		mustBe(t, "DestroyScope without a reason", err, keymgr.ErrKeyState)
		at := time.Now().UTC()
		receipt, err := f.DestroyScope(ctx, acme, "contract 7 has ended")
		mustBe(t, "DestroyScope", err, nil)
		want := keymgr.Receipt{
			Scope: acme, Version: 5, SealKeys: []uint32{k.Primary().ID(), pending}, IndexKeys: []uint32{k.IndexKeys()[0].ID()},
			KEKs: []string{f.kek.URI()}, Authenticated: true,
			DestroyedAt: at, Actor: "ops@example", Reason: "contract 7 has ended",
			CachesUntil: at.Add(maxStale + cacheTTL + 2*3*time.Second + 10*time.Second),
		}
		if !reflect.DeepEqual(receipt, want) {
			t.Errorf("receipt %+v, want %+v", receipt, want)
		}
		events, err := f.store.Store.(*memstore.Store).Events(t.Context(), acme)
		mustBe(t, "Events", err, nil)
		last := events[len(events)-1]
		var kept keymgr.Receipt
		mustBe(t, "the log's receipt", json.Unmarshal([]byte(last.Detail), &kept), nil)
		if last.Kind != keymgr.EventScopeDestroyed || last.Version != 5 || last.Actor != "ops@example" || !reflect.DeepEqual(kept, want) {
			t.Errorf("event %+v", last)
		}

		// Here at once; elsewhere by the time that the receipt names.
		_, err = f.Keys(ctx, acme)
		mustBe(t, "Keys", err, keymgr.ErrScopeDestroyed)
		mustBeOneClass(t, err)
		f.kek.Unavailable() // the other cannot even ask
		f.store.Fail(keymgr.ErrStoreUnavailable)
		if _, err := other.Keys(ctx, acme); err != nil {
			t.Errorf("a cached key does not serve: %v", err)
		}
		time.Sleep(time.Until(receipt.CachesUntil))
		synctest.Wait()
		_, err = other.Keys(ctx, acme)
		mustBe(t, "Keys of another instance", err, keymgr.ErrStoreUnavailable)
	})
}

func TestADestroyedScopeIsNotMadeAgain(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFixture(t)
		ctx := t.Context()
		other := f.open() // has seen it
		calls := f.kek.Calls().GenerateDataKey
		_, err := f.DestroyScope(ctx, medical, "test")
		mustBe(t, "DestroyScope", err, nil)
		time.Sleep(largestAge)
		synctest.Wait()
		for name, m := range map[string]*keymgr.Manager{"the same": f.Manager, "a running one": other, "a new one": f.open(lazy)} {
			for what, err := range map[string]error{
				"Create": m.Create(ctx, medical), "Ensure with AutoCreate": m.Ensure(ctx, medical),
				"AddKey": onlyErr(m.AddKey(ctx, medical, keymgr.Seal)), "Rewrap": m.Rewrap(ctx, medical),
				"DestroyScope": onlyErr(m.DestroyScope(ctx, medical, "again")), "KeysFor": onlyErr(m.KeysFor(ctx, medical, 7)),
			} {
				mustBe(t, name+": "+what, err, keymgr.ErrScopeDestroyed)
				mustBeOneClass(t, err)
			}
		}
		_, err = keymgr.Open(ctx, f.config())
		mustBe(t, "Open with AutoCreate", err, keymgr.ErrScopeDestroyed)
		if n := f.kek.Calls().GenerateDataKey; n != calls {
			t.Errorf("%d new data keys", n-calls)
		}
		_, err = f.store.Store.Load(ctx, medical)
		mustBe(t, "Load", err, keymgr.ErrScopeDestroyed)
	})
}

func onlyErr[T any](_ T, err error) error { return err }

func TestDestroyScopeWhateverTheKMSSays(t *testing.T) {
	for name, change := range map[string]func(f *fixture){
		"denied":      func(f *fixture) { f.kek.Deny() },
		"unavailable": func(f *fixture) { f.kek.Unavailable() },
		"another key": func(f *fixture) { f.kek.Answer(keymgr.ErrKEKNotAllowed) },
		"damaged":     func(f *fixture) { f.store.Lie(func(r *keymgr.Record) { r.Seal[9] ^= 1 }) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			k := f.keys(medical)
			change(f)
			receipt, err := f.DestroyScope(t.Context(), medical, "the tenant has revoked its key")
			mustBe(t, "DestroyScope", err, nil)
			if receipt.Authenticated || !slices.Equal(receipt.SealKeys, []uint32{k.Primary().ID()}) || len(receipt.IndexKeys) != 1 {
				t.Errorf("receipt %+v", receipt)
			}
			f.kek.Recover()
			f.store.Lie(nil)
			_, err = f.Keys(t.Context(), medical)
			mustBe(t, "Keys", err, keymgr.ErrScopeDestroyed)
		})
	}
}

func TestDestroyScopeOfATenantWhoseKEKIsForgotten(t *testing.T) {
	kek := keymgrtest.NewKEK("theirs")
	known := true
	f := newFixture(t, func(cfg *keymgr.Config) {
		cfg.Domains["records"] = keymgr.Domain{PerTenant: true, TenantKEK: func(context.Context, string) ([]keymgr.KEK, error) {
			if known {
				return []keymgr.KEK{kek}, nil
			}
			return nil, errors.New("no such tenant")
		}}
	})
	mustBe(t, "Create", f.Create(t.Context(), acme), nil)
	known = false
	receipt, err := f.DestroyScope(t.Context(), acme, "left")
	mustBe(t, "DestroyScope", err, nil)
	if receipt.Authenticated || len(receipt.SealKeys) != 1 || !slices.Equal(receipt.KEKs, []string{kek.URI()}) {
		t.Errorf("receipt %+v", receipt)
	}
}

func TestDestroyScopeThatCannotBeDone(t *testing.T) {
	f := newFixture(t)
	f.keys(medical)
	for name, c := range map[string]struct {
		scope keymgr.Scope
		want  error
	}{
		"of no domain":  {keymgr.Scope{Domain: "finance"}, keymgr.ErrUnknownDomain},
		"of no tenant":  {keymgr.Scope{Domain: "records"}, keymgr.ErrNoTenant},
		"never made":    {acme, keymgr.ErrScopeNotFound},
		"store is down": {medical, keymgr.ErrStoreUnavailable},
	} {
		if c.want == keymgr.ErrStoreUnavailable {
			f.store.Fail(c.want)
		}
		_, err := f.DestroyScope(t.Context(), c.scope, "test")
		f.store.Fail(nil)
		mustBe(t, name, err, c.want)
	}
	release := f.kek.Block()
	ctx, cancel := context.WithCancel(t.Context())
	calls := f.kek.Calls().Unwrap
	done := make(chan error)
	go func() { done <- onlyErr(f.DestroyScope(ctx, medical, "test")) }()
	for f.kek.Calls().Unwrap == calls {
		time.Sleep(time.Millisecond)
	}
	cancel()
	mustBe(t, "given up", <-done, context.Canceled)
	release()
	f.Evict(medical)
	f.keys(medical) // still there
}
