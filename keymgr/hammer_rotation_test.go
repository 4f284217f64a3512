package keymgr_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/fieldcrypt/go/keymgr"
)

// written is a value as a row holds it.
type written struct {
	keyID       uint32
	salt        [12]byte
	sealed      []byte
	term, moved []byte // blind indexes: of the primary, and of a key being moved to
}

func TestHammerRotation(t *testing.T) { hammerRotation(t, 4) }

// FIELDCRYPT_SOAK is unset, "short" or "long".
func TestSoakHammerRotation(t *testing.T) {
	switch os.Getenv("FIELDCRYPT_SOAK") {
	case "short":
		hammerRotation(t, 40)
	case "long":
		hammerRotation(t, 300)
	default:
		t.Skip("FIELDCRYPT_SOAK is not set (make soak)")
	}
}

// perKey is how many rows are kept of those that one key has sealed.
const perKey = 500

// hammerRotation: writers, readers, rotation of both keysets, re-indexing and eviction at once,
// in two processes: at the end every value is readable and found, by both and by a
// third that starts then.
func hammerRotation(t *testing.T, rotations int) {
	shortLived := func(cfg *keymgr.Config) { cfg.CacheTTL, cfg.MaxStale = 20*time.Millisecond, 20*time.Millisecond }
	f := newFixture(t, shortLived)
	managers := []*keymgr.Manager{f.Manager, f.open(shortLived)}
	plaintext := []byte("value")
	var mu sync.Mutex
	var rows []written
	kept := map[uint32]int{}

	write := func(ctx context.Context, m *keymgr.Manager) error {
		k, err := m.Keys(ctx, medical)
		if err != nil {
			return err
		}
		w := written{keyID: k.Primary().ID(), term: k.IndexKeys()[0].Compute(nil, plaintext)}
		rand.Read(w.salt[:])
		a, err := k.Primary().Record(&w.salt)
		if err != nil {
			return err
		}
		w.sealed = a.Seal(nil, nil, plaintext, nil)
		if next := k.Reindexing("patients.mrn"); next != nil {
			w.moved = next.Compute(nil, plaintext)
		}
		mu.Lock()
		defer mu.Unlock()
		if kept[w.keyID]++; kept[w.keyID] <= perKey {
			rows = append(rows, w)
		}
		return nil
	}
	read := func(ctx context.Context, m *keymgr.Manager, w written) error {
		k, err := m.KeysFor(ctx, medical, w.keyID)
		if err != nil {
			return err
		}
		key, err := k.SealKey(w.keyID)
		if err != nil {
			return err
		}
		a, err := key.Record(&w.salt)
		if err != nil {
			return err
		}
		if got, err := a.Open(nil, nil, w.sealed, nil); err != nil || !bytes.Equal(got, plaintext) {
			return errors.New("not what was written")
		}
		return nil
	}

	stop := make(chan struct{})
	var wg sync.WaitGroup
	loop := func(what string, do func() error) {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := do(); err != nil {
					t.Errorf("%s: %v", what, err)
					return
				}
			}
		})
	}
	for _, m := range managers {
		loop("write", func() error { return write(t.Context(), m) })
		loop("read", func() error {
			mu.Lock()
			n := len(rows)
			var w written
			if n > 0 {
				w = rows[n-1] // the newest: its key may be one this process has not seen
			}
			mu.Unlock()
			if n == 0 {
				return nil
			}
			return read(t.Context(), m, w)
		})
		tick := time.NewTicker(3 * time.Millisecond)
		defer tick.Stop()
		loop("evict", func() error {
			select {
			case <-tick.C:
				m.Evict(medical)
			case <-stop:
			}
			return nil
		})
	}

	// again repeats a change that another one has overtaken, or for which it is too
	// early.
	again := func(what string, do func() error) {
		for poll := time.NewTicker(5 * time.Millisecond); ; <-poll.C {
			err := do()
			if err == nil {
				poll.Stop()
				return
			}
			if !errors.Is(err, keymgr.ErrConflict) && !errors.Is(err, keymgr.ErrKeyState) {
				t.Errorf("%s: %v", what, err)
				return
			}
		}
	}
	for i := range rotations {
		m, p := managers[i%2], []keymgr.Purpose{keymgr.Seal, keymgr.Index}[i/2%2]
		var id uint32
		again("AddKey", func() (err error) {
			id, err = m.AddKey(t.Context(), medical, p)
			return err
		})
		if p == keymgr.Index {
			again("BeginReindex", func() error { return m.BeginReindex(t.Context(), medical, "patients.mrn", id) })
		}
		again("PromoteKey", func() error { return m.PromoteKey(t.Context(), medical, p, id) })
		if p == keymgr.Index {
			again("EndReindex", func() error { return m.EndReindex(t.Context(), medical, "patients.mrn") })
		}
		again("Rewrap", func() error { return m.Rewrap(t.Context(), medical) })
	}
	close(stop)
	wg.Wait()

	for _, m := range append(managers, f.open(shortLived)) {
		terms := map[string]bool{}
		for _, key := range mustKeys(t, m, medical).IndexKeys() {
			terms[string(key.Compute(nil, plaintext))] = true
		}
		for i, w := range rows {
			if err := read(t.Context(), m, w); err != nil {
				t.Fatalf("row %d: %v", i, err)
			}
			if !terms[string(w.term)] || w.moved != nil && !terms[string(w.moved)] {
				t.Fatalf("row %d is not found", i)
			}
		}
	}
	if len(kept) < 2 {
		t.Errorf("rows were written under %d seal keys", len(kept))
	}
	t.Logf("%d rows under %d seal keys, %d KMS calls", len(rows), len(kept), f.kek.Calls().Total())
}
