package keymgr_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/fieldcrypt/go/keymgr"
)

// Readers, evictions, changes and a KMS that fails at times, all at once: keys
// of every version stay usable, and every key that was ever primary opens.
func TestHammer(t *testing.T) {
	f := newFixture(t, func(cfg *keymgr.Config) { cfg.CacheTTL, cfg.MaxStale = time.Millisecond, time.Hour })
	other := f.open(func(cfg *keymgr.Config) { cfg.CacheTTL, cfg.MaxStale = time.Millisecond, time.Hour })
	id := f.keys(medical).Primary().ID()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for i := range 8 {
		m := []*keymgr.Manager{f.Manager, other}[i%2]
		s := m.ForScope(medical)
		wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				k, err := m.KeysFor(t.Context(), medical, id)
				if err != nil {
					t.Errorf("KeysFor: %v", err)
					return
				}
				if _, err := k.SealKey(id); err != nil {
					t.Errorf("SealKey: %v", err)
				}
				if k, err = s.KeysFor(t.Context(), id); err != nil {
					t.Errorf("KeysFor of the scope: %v", err)
					return
				}
				k.IndexKeys()[0].Compute(nil, []byte("x"))
				if n%50 == 0 {
					m.Evict(medical)
				}
				if n%70 == 0 {
					m.KeysFor(t.Context(), medical, uint32(n))
				}
			}
		})
	}
	for i := range 12 {
		m := []*keymgr.Manager{f.Manager, other}[i%2]
		if _, err := m.AddKey(t.Context(), medical, keymgr.Seal); err != nil && !errors.Is(err, keymgr.ErrConflict) {
			t.Errorf("AddKey: %v", err)
		}
		if err := m.Rewrap(t.Context(), medical); err != nil && !errors.Is(err, keymgr.ErrConflict) {
			t.Errorf("Rewrap: %v", err)
		}
	}
	close(stop)
	wg.Wait()
	if k := f.keys(medical); k.Version() == 1 {
		t.Errorf("version %d after all these changes", k.Version())
	}
}
