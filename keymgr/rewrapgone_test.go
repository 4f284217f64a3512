package keymgr_test

import (
	"context"
	"testing"

	"github.com/fieldcrypt/go/keymgr"
)

// A scope that is destroyed while a re-wrap goes on is gone, and no failure.
func TestRewrapAllPassesOverWhatIsDestroyedMeanwhile(t *testing.T) {
	f := newFixture(t)
	mustBe(t, "Create", f.Create(t.Context(), acme), nil)
	store := &listed{spyStore: f.store, then: func() {
		_, err := f.DestroyScope(t.Context(), acme, "the tenant has left")
		mustBe(t, "DestroyScope", err, nil)
	}}
	m := f.open(lazy, func(cfg *keymgr.Config) { cfg.Store = store })
	report, err := m.RewrapAll(t.Context(), keymgr.RewrapOptions{})
	mustBe(t, "RewrapAll", err, nil)
	if report.Gone != 1 || report.Failed != 0 || report.Unchanged != 1 {
		t.Errorf("%+v", report)
	}
}

// listed is a store in which something happens after its scopes were listed.
type listed struct {
	*spyStore
	then func()
}

func (s *listed) Scopes(ctx context.Context, after keymgr.Scope, limit int) ([]keymgr.Scope, error) {
	list, err := s.spyStore.Scopes(ctx, after, limit)
	s.then()
	return list, err
}
