package keymgr_test

import (
	"context"
	"testing"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
)

func TestRewrap(t *testing.T) {
	type calls = keymgrtest.Calls
	a, b := keymgrtest.NewKEK("a"), keymgrtest.NewKEK("b")
	ra, rb := keymgrtest.NewRewrapKEK("ra"), keymgrtest.NewRewrapKEK("rb")
	for _, c := range []struct {
		name         string
		from         []keymgr.KEK
		to           []keymgr.KEK
		counted      []*keymgrtest.KEK
		want         []calls
		wrappedUnder []string
	}{
		{"unwrapped here and wrapped", []keymgr.KEK{a}, []keymgr.KEK{b},
			[]*keymgrtest.KEK{a, b}, []calls{{Unwrap: 1}, {Wrap: 1, Unwrap: 1}}, []string{"test-kms://b"}},
		{"inside the KMS", []keymgr.KEK{ra}, []keymgr.KEK{rb},
			[]*keymgrtest.KEK{ra.KEK, rb.KEK}, []calls{{}, {Rewrap: 1, Unwrap: 1}}, []string{"test-kms://rb"}},
		{"to one that cannot take over", []keymgr.KEK{ra}, []keymgr.KEK{b},
			[]*keymgrtest.KEK{ra.KEK, b}, []calls{{Unwrap: 1}, {Wrap: 1, Unwrap: 1}}, []string{"test-kms://b"}},
		{"from one that cannot be taken over", []keymgr.KEK{a}, []keymgr.KEK{rb},
			[]*keymgrtest.KEK{a, rb.KEK}, []calls{{Unwrap: 1}, {Wrap: 1, Unwrap: 1}}, []string{"test-kms://rb"}},
		{"to several, one unwrap for all", []keymgr.KEK{a}, []keymgr.KEK{b, rb},
			[]*keymgrtest.KEK{a, b, rb.KEK}, []calls{{Unwrap: 1}, {Wrap: 1, Unwrap: 1}, {Wrap: 1, Unwrap: 1}}, []string{"test-kms://b", "test-kms://rb"}},
		{"from several to one", []keymgr.KEK{a, ra}, []keymgr.KEK{rb},
			[]*keymgrtest.KEK{a, ra.KEK, rb.KEK}, []calls{{}, {}, {Rewrap: 1, Unwrap: 1}}, []string{"test-kms://rb"}},
		{"under the same again", []keymgr.KEK{ra}, []keymgr.KEK{ra},
			[]*keymgrtest.KEK{ra.KEK}, []calls{{Rewrap: 1, Unwrap: 1}}, []string{"test-kms://ra"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t, withKEKs(c.from))
			k, before := f.keys(medical), f.record(medical)
			var old []keymgr.KEK
			for _, kek := range c.from {
				if kek.URI() != c.to[0].URI() {
					old = append(old, kek)
				}
			}
			m := f.open(lazy, withKEKs(c.to, old...))
			counts := make([]calls, len(c.counted))
			for i, kek := range c.counted {
				counts[i] = kek.Calls()
			}
			ctx := keymgr.WithActor(t.Context(), "ops@example")
			mustBe(t, "Rewrap", m.Rewrap(ctx, medical), nil)
			for i, kek := range c.counted {
				now, was := kek.Calls(), counts[i]
				got := calls{Wrap: now.Wrap - was.Wrap, Unwrap: now.Unwrap - was.Unwrap, Rewrap: now.Rewrap - was.Rewrap}
				if got != c.want[i] {
					t.Errorf("calls of %v: %+v, want %+v", kek, got, c.want[i])
				}
			}
			after := f.record(medical)
			if after.Version != before.Version || string(after.Seal) != string(before.Seal) || after.Info != before.Info {
				t.Error("more than the wraps has changed")
			}
			var uris []string
			for _, w := range after.Wraps {
				uris = append(uris, w.KEKURI)
				if w.Wrapped == nil || string(w.Wrapped) == string(before.Wraps[0].Wrapped) {
					t.Error("a wrap is missing or the old one")
				}
			}
			if len(uris) != len(c.wrappedUnder) || uris[0] != c.wrappedUnder[0] {
				t.Errorf("wrapped under %v, want %v", uris, c.wrappedUnder)
			}
			// The old KEKs are not needed any more, and the keys are the same.
			if got := mustKeys(t, f.open(lazy, withKEKs(c.to)), medical); got.Primary().ID() != k.Primary().ID() {
				t.Error("other keys")
			}
			total := c.counted[len(c.counted)-1].Calls()
			mustKeys(t, m, medical)
			if c.counted[len(c.counted)-1].Calls() != total {
				t.Error("the keys were not cached by the verification")
			}
		})
	}
}

// badKEK wraps something else than it was given, as broken tools have done.
type badKEK struct{ keymgrtest.RewrapKEK }

func (k badKEK) Rewrap(ctx context.Context, _ []byte, _ keymgr.KEK, _, wc keymgr.WrapContext) ([]byte, error) {
	return k.Wrap(ctx, make([]byte, keymgr.DataKeySize), wc)
}

func TestFailedRewrapLeavesTheOldWrap(t *testing.T) {
	a, b, r := keymgrtest.NewRewrapKEK("a"), keymgrtest.NewRewrapKEK("b"), keymgrtest.NewKEK("r")
	for _, c := range []struct {
		name string
		to   []keymgr.KEK
		set  func()
		want error
	}{
		{"the new wrap holds another data key", []keymgr.KEK{badKEK{b}}, func() {}, keymgr.ErrKeysetInvalid},
		{"one of several does", []keymgr.KEK{a, badKEK{b}}, func() {}, keymgr.ErrKeysetInvalid},
		{"the new KEK is down", []keymgr.KEK{b}, func() { b.Unavailable() }, keymgr.ErrKMSUnavailable},
		{"the new KEK is denied", []keymgr.KEK{b}, func() { b.Deny() }, keymgr.ErrKMSDenied},
		{"one of several is down", []keymgr.KEK{a, r}, func() { r.Unavailable() }, keymgr.ErrKMSUnavailable},
		{"the old KEK is denied", []keymgr.KEK{r}, func() { a.Deny() }, keymgr.ErrKMSDenied},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, k := range []*keymgrtest.KEK{a.KEK, b.KEK, r} {
				k.Recover()
			}
			f := newFixture(t, withKEKs([]keymgr.KEK{a}))
			before := f.record(medical)
			var old []keymgr.KEK
			if c.to[0].URI() != a.URI() {
				old = []keymgr.KEK{a}
			}
			m := f.open(lazy, withKEKs(c.to, old...))
			c.set()
			err := m.Rewrap(t.Context(), medical)
			mustBe(t, "Rewrap", err, c.want)
			mustBeOneClass(t, err)
			after := f.record(medical)
			if len(after.Wraps) != 1 || string(after.Wraps[0].Wrapped) != string(before.Wraps[0].Wrapped) {
				t.Error("the old wrap is gone")
			}
			a.Recover()
			f.Evict(medical)
			f.keys(medical)
		})
	}
}

func TestRewrapOfWhatIsWrappedUnderUnlistedKEKs(t *testing.T) {
	a, b := keymgrtest.NewRewrapKEK("a"), keymgrtest.NewRewrapKEK("b")
	f := newFixture(t, withKEKs([]keymgr.KEK{a}))
	calls := a.Calls()
	err := f.open(lazy, withKEKs([]keymgr.KEK{b})).Rewrap(t.Context(), medical)
	mustBe(t, "Rewrap", err, keymgr.ErrKEKNotAllowed)
	if a.Calls() != calls || b.Calls().Total() != 0 {
		t.Error("a KEK was called")
	}
}

func TestRewrapLosesAgainstAChange(t *testing.T) {
	f := newFixture(t)
	other := f.open(func(cfg *keymgr.Config) { cfg.Store = f.store.Store })
	f.store.Store = &beforeSwap{f.store.Store, func() {
		mustBe(t, "the other's Rewrap", other.Rewrap(t.Context(), medical), nil)
	}}
	mustBe(t, "Rewrap", f.Rewrap(t.Context(), medical), keymgr.ErrConflict)
	mustBe(t, "Rewrap again", f.Rewrap(t.Context(), medical), nil)
}

// beforeSwap is a store in which something happens just before the first
// SwapWraps.
type beforeSwap struct {
	keymgr.Store
	do func()
}

func (s *beforeSwap) SwapWraps(ctx context.Context, scope keymgr.Scope, v uint64, old, new []keymgr.Wrap, events []keymgr.Event) error {
	if do := s.do; do != nil {
		s.do = nil
		do()
	}
	return s.Store.SwapWraps(ctx, scope, v, old, new, events)
}
