package keymgr_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldcrypt/go/keymgr"
)

func TestForgottenInstanceThatLivesRegistersAgain(t *testing.T) {
	inFleet(t, func(t *testing.T, f *fleet) {
		operator, a := f.open(lazy), f.open()
		mustKeys(t, a.Manager, acme)
		beat()
		before := f.told(a)
		mustBe(t, "ForgetInstance", operator.ForgetInstance(t.Context(), a.InstanceID()), nil)
		mustBe(t, "ForgetInstance again", operator.ForgetInstance(t.Context(), a.InstanceID()), keymgr.ErrUnknownInstance)
		if f.told(a) != nil {
			t.Fatal("it was not forgotten")
		}
		beat()
		if after := f.told(a); after == nil || len(after.Scopes) != len(before.Scopes) || len(after.Scopes) != 2 || after.StartedAt != before.StartedAt {
			t.Errorf("it came back as %+v, was %+v", after, before)
		}
		if log := a.log.String(); strings.Contains(log, "heartbeat failed") {
			t.Errorf("logged as a failure: %s", log)
		}
	})
}

func TestEvictedScopesAreNoLongerReported(t *testing.T) {
	inFleet(t, func(t *testing.T, f *fleet) {
		a := f.open()
		mustKeys(t, a.Manager, acme)
		beat()
		if i := f.told(a); len(i.Scopes) != 2 {
			t.Fatalf("told %+v", i)
		}
		a.Evict(acme)
		beat()
		if i := f.told(a); len(i.Scopes) != 1 || i.Scopes[0].Scope != medical {
			t.Errorf("told after the eviction %+v", i)
		}
		mustKeys(t, a.Manager, acme)
		beat()
		if i := f.told(a); len(i.Scopes) != 2 {
			t.Errorf("told after the next use %+v", i)
		}
		time.Sleep(maxStale) // nobody uses it
		synctest.Wait()
		if i := f.told(a); len(i.Scopes) != 0 {
			t.Errorf("told of keys that are too old to serve: %+v", i)
		}
	})
}

func TestReports(t *testing.T) {
	inFleet(t, func(t *testing.T, f *fleet) {
		began := time.Now()
		a := f.open()
		i := f.told(a)
		k := mustKeys(t, a.Manager, medical)
		if i == nil || i.Host == "" || i.StartedAt.Before(began) || i.MaxAge != maxStale+cacheTTL || i.Interval != heartbeat || i.Silent(time.Now()) || len(i.Scopes) != 1 {
			t.Fatalf("told at Open: %+v", i)
		}
		h := i.Scopes[0]
		if h.Version != 1 || h.SealKey != k.Primary().ID() || len(h.SealKeys) != 1 || h.SealKeys[0] != h.SealKey || h.IndexKey != k.IndexKeys()[0].ID() || len(h.IndexKeys) != 1 {
			t.Errorf("told of the keys: %+v", h)
		}
		for range 10 {
			beat()
			if i := f.told(a); time.Since(i.LastSeen) > heartbeat || time.Since(i.CheckedAt) > heartbeat {
				t.Errorf("%v after a heartbeat: %+v", time.Since(i.LastSeen), i)
			}
		}
		a.store.cut(errors.New("cut off"))
		time.Sleep(5 * heartbeat)
		if !f.told(a).Silent(time.Now()) || f.told(a).Gone(time.Now()) {
			t.Error("an instance that is cut off is not silent")
		}
		mustKeys(t, a.Manager, medical) // no caller is concerned
		a.store.cut(nil)
		beat()
		log := a.log.String()
		if strings.Count(log, "heartbeat failed") != 1 || strings.Count(log, "heartbeats succeed again") != 1 {
			t.Errorf("the log of an outage:\n%s", log)
		}
		mustBe(t, "Close", a.Close(), nil)
		if f.told(a) != nil {
			t.Error("its row has outlived it")
		}
		mustBe(t, "Close again", a.Close(), nil)
	})
}

// A report that fails may have been written or not: the next one is full.
func TestReportWhoseAnswerIsLost(t *testing.T) {
	inFleet(t, func(t *testing.T, f *fleet) {
		a := f.open()
		mustKeys(t, a.Manager, acme)
		a.store.loseAnswer.Store(true)
		beat()
		if i := f.told(a); len(i.Scopes) != 2 {
			t.Fatalf("told %+v", i)
		}
		a.Evict(acme)
		a.store.loseAnswer.Store(false)
		beat()
		if i := f.told(a); len(i.Scopes) != 1 {
			t.Errorf("told %+v", i)
		}
	})
}

func TestCloseWhileAHeartbeatIsUnderWay(t *testing.T) {
	inFleet(t, func(t *testing.T, f *fleet) {
		a := f.open()
		reached, gate := make(chan struct{}), make(chan struct{})
		do := func(ctx context.Context) {
			close(reached)
			<-gate
			if err := ctx.Err(); err != nil {
				t.Errorf("Close has cancelled the report, which may be written after the row is removed: %v", err)
			}
		}
		a.store.beforeReport.Store(&do)
		<-reached
		closed := make(chan struct{})
		go func() {
			a.Close()
			close(closed)
		}()
		synctest.Wait()
		select {
		case <-closed:
			t.Error("Close did not wait for the report, which would bring the row back")
		default:
		}
		close(gate)
		<-closed
		if f.told(a) != nil {
			t.Error("a row is left")
		}
	})
}

func TestCloseWithoutAStoreLeavesTheRowAndSaysSo(t *testing.T) {
	inFleet(t, func(t *testing.T, f *fleet) {
		a := f.onOpen(func(s *memberStore) { s.leaveFails = true })
		mustBe(t, "Close", a.Close(), nil)
		if f.told(a) == nil || !strings.Contains(a.log.String(), "the instance's row stays") {
			t.Errorf("log: %s", a.log)
		}
	})
}

// On a store where writes cost others something.
func TestSparingReports(t *testing.T) {
	inFleet(t, func(t *testing.T, f *fleet) {
		operator := f.open(lazy)
		store := &memberStore{Store: f.store, sparing: true}
		a := f.open(func(cfg *keymgr.Config) { cfg.Store = store })
		use := func(d time.Duration) (reports int32) {
			before := store.reports.Load()
			for end := time.Now().Add(d); time.Now().Before(end); {
				mustKeys(t, a.Manager, medical)
				beat()
			}
			return store.reports.Load() - before
		}
		use(time.Minute)
		if n := use(10 * time.Hour); n < 36 || n > 45 {
			t.Errorf("%d reports in 10 hours in which nothing happened, want one a quarter of 65 minutes", n)
		}
		i := f.told(a)
		if i.Silent(time.Now()) || i.Gone(time.Now()) || i.Interval != (maxStale+cacheTTL)/4 {
			t.Errorf("told %+v", i)
		}
		id := operator.add(medical, keymgr.Index)
		if n := use(time.Minute); n != 1 {
			t.Errorf("%d reports after a key was added", n)
		}
		mustBe(t, "PromoteKey", operator.promote(medical, id), nil)
		id = operator.add(acme, keymgr.Index) // which it does not hold
		use(heartbeat)
		operator.promote(acme, id)
		use(heartbeat)
		operator.add(medical, keymgr.Seal) // any event makes it look, and say so
		use(heartbeat)
		mustBe(t, "PromoteKey of a scope that is not held", operator.promote(acme, id), nil)
	})
}

func TestScopeThatIsGoneIsEvictedByTheNextHeartbeat(t *testing.T) {
	inFleet(t, func(t *testing.T, f *fleet) {
		store := &memberStore{Store: f.store}
		a := f.open(func(cfg *keymgr.Config) { cfg.Store = store })
		mustKeys(t, a.Manager, acme)
		store.gone.Store(&acme)
		beat()
		_, err := a.Keys(t.Context(), acme)
		mustBe(t, "Keys", err, keymgr.ErrScopeNotFound)
		mustKeys(t, a.Manager, medical)
	})
}

func TestOpenFailsWhereItCannotReport(t *testing.T) {
	f := newFleet(t)
	for _, prepare := range []func(*memberStore){
		func(s *memberStore) { s.noReport.Store(true) },
		func(s *memberStore) { s.noVersions.Store(true) },
	} {
		store := &memberStore{Store: f.store}
		prepare(store)
		cfg := (&fixture{t: t, kek: f.kek, log: &logBuffer{}}).config()
		cfg.Store = store
		m, err := keymgr.Open(t.Context(), cfg)
		if m != nil || !errors.Is(err, keymgr.ErrStoreUnavailable) || !strings.Contains(err.Error(), "fieldcrypt keys migrate") || !strings.Contains(err.Error(), "GRANT") {
			t.Errorf("Open: %v, %v", m, err)
		}
		cfg.Heartbeat = -1
		if m, err = keymgr.Open(t.Context(), cfg); err != nil {
			t.Fatalf("Open without reports: %v", err)
		}
		m.Close()
	}
	if all, err := f.store.Instances(t.Context(), keymgr.Scope{}); err != nil || len(all.Instances) != 0 {
		t.Errorf("left: %+v, %v", all, err)
	}
}

// A heartbeat calls no KMS while nothing changes, and opens once what has.
func TestHeartbeatsCostNoKMSCalls(t *testing.T) {
	inFleet(t, func(t *testing.T, f *fleet) {
		operator, a := f.open(lazy), f.open()
		before := f.kek.Calls().Unwrap
		time.Sleep(cacheTTL * 70 / 100)
		if got := f.kek.Calls().Unwrap - before; got != 0 {
			t.Errorf("%d KMS calls by heartbeats", got)
		}
		operator.add(medical, keymgr.Seal)
		before = f.kek.Calls().Unwrap
		time.Sleep(3 * heartbeat)
		if got := f.kek.Calls().Unwrap - before; got != 1 {
			t.Errorf("a change made %d KMS calls, want 1", got)
		}
		mustKeys(t, a.Manager, medical)
	})
}

func TestHammerOfHeartbeats(t *testing.T) {
	f := newFleet(t)
	fast := func(cfg *keymgr.Config) {
		cfg.CacheTTL, cfg.MaxStale, cfg.Heartbeat = 5*time.Millisecond, time.Hour, time.Millisecond
	}
	operator := f.open(lazy)
	members := []*member{f.open(fast), f.open(fast), f.open(fast)}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var mu sync.Mutex
	promoted := mustKeys(t, operator.Manager, acme).IndexKeys()[0].ID()
	for i := range 9 {
		m := members[i%3]
		wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				mu.Lock()
				id := promoted
				mu.Unlock()
				if k := mustKeys(t, m.Manager, acme); !searches(k, id) {
					t.Errorf("%v lacks the key %d, which was promoted before", k, id)
				}
				if n%40 == 0 {
					m.Evict(acme)
				}
			}
		})
	}
	for range 30 {
		id := operator.add(acme, keymgr.Index)
		for {
			err := operator.promote(acme, id)
			if err == nil {
				break
			}
			mustBe(t, "PromoteKey", err, keymgr.ErrInstancesBehind)
			time.Sleep(time.Millisecond)
		}
		mu.Lock()
		promoted = id
		mu.Unlock()
	}
	close(stop)
	wg.Wait()
}

// onOpen opens an instance that is prepared first.
func (f *fleet) onOpen(prepare func(*memberStore)) *member {
	f.t.Helper()
	store := &memberStore{Store: f.store}
	prepare(store)
	return f.open(func(cfg *keymgr.Config) { cfg.Store = store })
}
