package keymgr_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldcrypt/go/keymgr"
)

// scopeKeys returns the ScopeKeys of "medical" after their first use.
func (f *fixture) scopeKeys() *keymgr.ScopeKeys {
	f.t.Helper()
	s := f.ForScope(medical)
	k, err := s.Keys(f.t.Context())
	if err != nil || k != f.keys(medical) {
		f.t.Fatalf("Keys: %v, %v", k, err)
	}
	return s
}

func TestScopeKeysAreRefreshedInTheBackground(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFixture(t)
		s := f.scopeKeys()
		for name, use := range map[string]func() (*keymgr.Keys, error){
			"Keys":    func() (*keymgr.Keys, error) { return s.Keys(t.Context()) },
			"KeysFor": func() (*keymgr.Keys, error) { return s.KeysFor(t.Context(), f.keys(medical).Primary().ID()) },
		} {
			before := f.kek.Calls().Unwrap
			time.Sleep(cacheTTL * 96 / 100)
			release := f.kek.Block()
			old, err := use() // does not wait
			mustBe(t, name, err, nil)
			synctest.Wait()
			release()
			synctest.Wait()
			if got := f.kek.Calls().Unwrap - before; got != 1 {
				t.Errorf("%s: %d KMS calls", name, got)
			}
			if k, err := use(); err != nil || k == old {
				t.Errorf("%s: the old keys after the refresh, %v", name, err)
			}
		}
	})
}

func TestScopeKeysWaitPastCacheTTL(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFixture(t)
		s := f.scopeKeys()
		time.Sleep(cacheTTL)
		f.kek.Answer(keymgr.ErrKMSUnavailable)
		_, err := s.Keys(t.Context())
		mustBe(t, "Keys while the KMS does not answer", err, nil)
		time.Sleep(maxStale)
		_, err = s.Keys(t.Context())
		mustBe(t, "Keys past MaxStale", err, keymgr.ErrKMSUnavailable)
		_, err = s.KeysFor(t.Context(), 1)
		mustBe(t, "KeysFor past MaxStale", err, keymgr.ErrKMSUnavailable)
		f.kek.Answer(nil)
		_, err = s.Keys(t.Context())
		mustBe(t, "Keys when it answers again", err, nil)
	})
}

func TestScopeKeysAreEvicted(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFixture(t)
		s := f.scopeKeys()
		before := f.kek.Calls().Unwrap
		f.Evict(medical)
		_, err := s.Keys(t.Context())
		mustBe(t, "Keys", err, nil)
		if got := f.kek.Calls().Unwrap - before; got != 1 {
			t.Errorf("%d KMS calls", got)
		}
		time.Sleep(cacheTTL)
		f.kek.Answer(keymgr.ErrKMSDenied)
		_, err = s.Keys(t.Context())
		mustBe(t, "Keys that the KMS denies", err, keymgr.ErrKMSDenied)
		_, err = s.KeysFor(t.Context(), 1)
		mustBe(t, "KeysFor that the KMS denies", err, keymgr.ErrKMSDenied)
	})
}

func TestScopeKeysFindNewKeys(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFixture(t)
		s := f.scopeKeys()
		id, err := f.open().AddKey(t.Context(), medical, keymgr.Seal)
		mustBe(t, "AddKey", err, nil)
		k, err := s.KeysFor(t.Context(), id)
		if err != nil || k.Version() != 2 {
			t.Errorf("KeysFor: %v, %v", k, err)
		}
		_, err = s.KeysFor(t.Context(), id+1)
		mustBe(t, "an id that is not there", err, keymgr.ErrUnknownKey)
		time.Sleep(2 * maxStale) // the key may now become primary
		mustBe(t, "PromoteKey", f.PromoteKey(t.Context(), medical, keymgr.Seal, id), nil)
		if k, err = s.Keys(t.Context()); err != nil || k.Primary().ID() != id {
			t.Errorf("Keys after a change of this Manager: %v, %v", k, err)
		}
	})
}

func TestScopeKeysOfAScopeThatIsMadeLater(t *testing.T) {
	f := newFixture(t)
	s := f.ForScope(acme)
	for range 2 { // the first use finds an entry that is then dropped
		_, err := s.Keys(t.Context())
		mustBe(t, "Keys", err, keymgr.ErrScopeNotFound)
	}
	mustBe(t, "Create", f.Create(t.Context(), acme), nil)
	k, err := s.Keys(t.Context())
	if err != nil || k != f.keys(acme) {
		t.Errorf("Keys: %v, %v", k, err)
	}
	for want, scope := range map[error]keymgr.Scope{
		keymgr.ErrUnknownDomain: {Domain: "nothing"},
		keymgr.ErrNoTenant:      {Domain: "records"},
		keymgr.ErrInvalidScope:  {Domain: "medical", Tenant: "acme"},
	} {
		_, err := f.ForScope(scope).Keys(t.Context())
		mustBe(t, scope.String(), err, want)
		_, err = f.ForScope(scope).KeysFor(t.Context(), 1)
		mustBe(t, scope.String(), err, want)
	}
}

func TestScopeKeysEndWithTheManager(t *testing.T) {
	f := newFixture(t)
	s := f.scopeKeys()
	id := f.keys(medical).Primary().ID()
	f.Close()
	_, err := s.Keys(t.Context())
	mustBe(t, "Keys", err, keymgr.ErrClosed)
	_, err = s.KeysFor(t.Context(), id)
	mustBe(t, "KeysFor", err, keymgr.ErrClosed)
	if s.HoldsKeys() {
		t.Error("keys are in memory after Close")
	}
}

func TestScopeKeysCostNoAllocation(t *testing.T) {
	f := newFixture(t)
	s, ctx := f.scopeKeys(), t.Context()
	id := f.keys(medical).Primary().ID()
	if n := testing.AllocsPerRun(100, func() { s.Keys(ctx); s.KeysFor(ctx, id) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Under a clock of the Config's own, time is asked from it alone.
func TestScopeKeysGoByTheConfigsClock(t *testing.T) {
	start := time.Now()
	now := start
	f := newFixture(t, func(cfg *keymgr.Config) { cfg.Now = func() time.Time { return now } })
	s := f.scopeKeys()
	f.kek.Answer(keymgr.ErrKMSDenied)
	_, err := s.Keys(t.Context())
	mustBe(t, "Keys", err, nil)
	now = start.Add(cacheTTL)
	_, err = s.Keys(t.Context())
	mustBe(t, "Keys past CacheTTL", err, keymgr.ErrKMSDenied)
}
