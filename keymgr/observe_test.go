package keymgr_test

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldcrypt/go/keymgr"
)

// observed keeps what an Observer is told.
type observed struct {
	mu   sync.Mutex
	list []keymgr.Observation
}

func (o *observed) Observe(_ context.Context, what keymgr.Observation) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.list = append(o.list, what)
}

// all are the observations of one kind.
func all[T keymgr.Observation](o *observed) (list []T) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, what := range o.list {
		if w, ok := what.(T); ok {
			list = append(list, w)
		}
	}
	return list
}

func TestWhatIsObserved(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		seen := &observed{}
		f := newFixture(t, func(cfg *keymgr.Config) { cfg.Observer = seen })
		f.kek.Slow(time.Second / 2)
		f.Evict(medical)
		f.keys(medical)
		f.kek.Unavailable()
		time.Sleep(cacheTTL)
		f.keys(medical)
		until := time.Now().Add(maxStale - cacheTTL - time.Second)
		f.kek.Deny()
		time.Sleep(cacheTTL)
		_, err := f.Keys(t.Context(), medical)
		mustBe(t, "Keys", err, keymgr.ErrKMSDenied)
		_, err = f.Keys(t.Context(), medical)
		mustBe(t, "Keys", err, keymgr.ErrKMSDenied)
		synctest.Wait()

		uri, half := f.kek.URI(), time.Second/2
		call := func(op keymgr.Operation, d time.Duration, c keymgr.Class) keymgr.KMSCall {
			return keymgr.KMSCall{Domain: "medical", Scope: "medical", KEK: uri, Operation: op, Duration: d, Class: c}
		}
		want := []keymgr.Observation{
			keymgr.OpenFailed{Domain: "medical", Scope: "medical", Class: keymgr.ClassNotFound}, // so it is made
			call(keymgr.OpGenerateDataKey, 0, keymgr.ClassOK),
			keymgr.ScopeEvicted{Domain: "medical", Scope: "medical", Class: keymgr.ClassAsked},
			call(keymgr.OpUnwrap, half, keymgr.ClassOK),
			keymgr.ScopeOpened{Domain: "medical", Scope: "medical", Version: 1, KEK: uri, Duration: half},
			call(keymgr.OpUnwrap, half, keymgr.ClassUnavailable),
			keymgr.RefreshFailed{Domain: "medical", Scope: "medical", Class: keymgr.ClassUnavailable, Until: until},
			call(keymgr.OpUnwrap, half, keymgr.ClassDenied),
			keymgr.ScopeEvicted{Domain: "medical", Scope: "medical", Class: keymgr.ClassDenied},
			call(keymgr.OpUnwrap, half, keymgr.ClassDenied),
			keymgr.OpenFailed{Domain: "medical", Scope: "medical", Class: keymgr.ClassDenied},
		}
		for i, o := range seen.list {
			if i >= len(want) || !reflect.DeepEqual(o, want[i]) {
				t.Errorf("observation %d is %T %+v", i, o, o)
			}
		}
		if len(seen.list) != len(want) {
			t.Errorf("%d observations, want %d", len(seen.list), len(want))
		}
		s := f.Stats()
		if s != (keymgr.Stats{KMSCalls: 5, KMSDenied: 2, KMSUnavailable: 1, Opens: 1, Evictions: 2}) {
			t.Errorf("%+v", s)
		}
	})
}

func TestTheTenantsNameIsObservedAsItIsLogged(t *testing.T) {
	seen := &observed{}
	f := newFixture(t, func(cfg *keymgr.Config) {
		cfg.Observer = seen
		d := cfg.Domains["records"]
		d.TenantContext = keymgr.TenantSHA256
		cfg.Domains["records"] = d
	})
	jane := keymgr.Scope{Domain: "records", Tenant: "jane.doe"}
	mustBe(t, "Create", f.Create(t.Context(), jane), nil)
	f.Evict(jane)
	f.keys(jane)
	f.kek.Deny()
	f.Evict(jane)
	f.Keys(t.Context(), jane)
	if text := fmt.Sprintf("%+v", seen.list); strings.Contains(text, "jane") || !strings.Contains(text, "records/sha256:") {
		t.Error(text)
	}
}

func TestCoalescedUsesAreCounted(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFixture(t)
		f.Evict(medical)
		release := f.kek.Block()
		var wg sync.WaitGroup
		for range crowd {
			wg.Go(func() { mustKeys(t, f.Manager, medical) })
		}
		synctest.Wait()
		release()
		wg.Wait()
		if s := f.Stats(); s.Coalesced != crowd-1 || s.Opens != 1 {
			t.Errorf("%+v", s)
		}
	})
}
