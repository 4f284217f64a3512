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

// stopAfterLoad makes the member's next opening of a scope stop when it has read
// the store. It returns how to wait for that, and how to let it go on.
func (m *member) stopAfterLoad(s keymgr.Scope) (stopped <-chan struct{}, goOn func()) {
	reached, gate := make(chan struct{}), make(chan struct{})
	var do func(keymgr.Scope)
	do = func(scope keymgr.Scope) {
		if scope != s {
			m.store.afterLoad.Store(&do)
			return
		}
		close(reached)
		<-gate
	}
	m.store.afterLoad.Store(&do)
	return reached, sync.OnceFunc(func() { close(gate) })
}

// begin begins an opening by the member, and returns how to get its keys.
func (m *member) begin(s keymgr.Scope) (keys func() *keymgr.Keys) {
	done := make(chan *keymgr.Keys, 1)
	go func() {
		k, err := m.Keys(m.t.Context(), s)
		if err != nil {
			m.t.Errorf("Keys: %v", err)
		}
		done <- k
	}()
	return func() *keymgr.Keys { return <-done }
}

// An opening has read the store before the key was added, and lands after the
// heartbeat that acknowledges the key.
func TestOpeningInFlightOverAHeartbeat(t *testing.T) {
	for name, evict := range map[string]bool{"": false, "and evicted": true} {
		t.Run(name, func(t *testing.T) {
			inFleet(t, func(t *testing.T, f *fleet) {
				operator, a := f.open(lazy), f.open()
				stopped, goOn := a.stopAfterLoad(acme)
				defer goOn()
				keys := a.begin(acme) // for the first time
				<-stopped
				if evict {
					a.Evict(acme)
				}
				id := operator.add(acme, keymgr.Index)
				mustBe(t, "PromoteKey", operator.promote(acme, id), keymgr.ErrInstancesBehind)
				beat()
				mustBe(t, "PromoteKey", operator.promote(acme, id), nil)
				goOn()
				if k := keys(); !searches(k, id) {
					t.Errorf("an opening in flight gave %v after the promotion", k)
				}
				if !a.searches(acme, id) {
					t.Error("an opening in flight left the keys of before in the cache")
				}
			})
		})
	}
}

// The same, begun when the heartbeat has listed its scopes and not read versions.
func TestOpeningThatBeginsWithinAHeartbeat(t *testing.T) {
	inFleet(t, func(t *testing.T, f *fleet) {
		operator, a := f.open(lazy), f.open()
		stopped, goOn := a.stopAfterLoad(acme)
		defer goOn()
		var keys func() *keymgr.Keys
		var id uint32
		within := func() {
			keys = a.begin(acme)
			<-stopped
			id = operator.add(acme, keymgr.Index)
			err := operator.promote(acme, id)
			mustBe(t, "PromoteKey within the heartbeat", err, keymgr.ErrInstancesBehind)
			time.Sleep(time.Millisecond)
		}
		a.store.beforeVersions.Store(&within)
		beat()
		mustBe(t, "PromoteKey after it", operator.promote(acme, id), nil)
		goOn()
		if k := keys(); !searches(k, id) {
			t.Errorf("the opening gave %v after the promotion", k)
		}
	})
}

// A process that is stopped in the middle of an opening for longer than its MaxAge.
func TestOpeningThatTookLongerThanKeysServe(t *testing.T) {
	inFleet(t, func(t *testing.T, f *fleet) {
		operator, a, b := f.open(lazy), f.open(), f.open()
		beat()
		stopped, goOn := a.stopAfterLoad(acme)
		defer goOn()
		keys := a.begin(acme)
		<-stopped
		a.store.noVersions.Store(true) // its heartbeats stop with it
		time.Sleep(maxStale)
		id := operator.add(acme, keymgr.Index)
		mustBe(t, "PromoteKey at once", operator.promote(acme, id), keymgr.ErrInstancesBehind)
		time.Sleep(cacheTTL + time.Minute)
		mustBe(t, "PromoteKey", operator.promote(acme, id), nil)
		goOn()
		if k := keys(); !searches(k, id) {
			t.Errorf("the opening gave %v, an hour late", k)
		}
		if !b.searches(acme, id) {
			t.Error("the live instance does not search with the key")
		}
	})
}

// A change of this Manager's own that another one has overtaken.
func TestChangeThatWasOvertakenIsNotCached(t *testing.T) {
	inFleet(t, func(t *testing.T, f *fleet) {
		operator, a := f.open(lazy), f.open()
		var id uint32
		meanwhile := func() { // when it has been made, and not yet been noted
			id = operator.add(medical, keymgr.Index)
			beat()
			a.Evict(medical)
		}
		a.store.afterSwap.Store(&meanwhile)
		mustBe(t, "Rewrap", a.Rewrap(t.Context(), medical), nil)
		if !a.searches(medical, id) {
			t.Error("an overtaken change left the keys of before in the cache")
		}
	})
}

// The store holds less than the last heartbeat has read there.
func TestStoreThatGoesBack(t *testing.T) {
	inFleet(t, func(t *testing.T, f *fleet) {
		a := f.open()
		stopped, goOn := a.stopAfterLoad(acme)
		defer goOn()
		done := make(chan error, 1)
		go func() {
			_, err := a.Keys(t.Context(), acme)
			done <- err
		}()
		<-stopped
		a.store.ahead.Store(7)
		beat()
		before := f.kek.Calls().Unwrap
		goOn()
		mustBe(t, "Keys", <-done, keymgr.ErrStoreUnavailable)
		if got := f.kek.Calls().Unwrap - before; got > 4 {
			t.Errorf("%d KMS calls", got)
		}
		a.store.ahead.Store(0)
		beat()
		mustKeys(t, a.Manager, acme)
	})
}

// It registers while Promote looks: it can only read what is stored by then.
func TestInstanceThatRegistersWhilePromoteLooks(t *testing.T) {
	inFleet(t, func(t *testing.T, f *fleet) {
		operator, a := f.open(lazy), f.open()
		stopped, goOn := a.stopAfterLoad(medical) // of its refresh
		id := operator.add(medical, keymgr.Index)
		time.Sleep(heartbeat)
		<-stopped
		late := f.open()
		goOn()
		synctest.Wait()
		mustBe(t, "PromoteKey", operator.promote(medical, id), nil)
		if !late.searches(medical, id) {
			t.Error("a new instance serves the keys of before")
		}

		// It has registered, and has opened nothing yet, when the next key comes.
		var next uint32
		within := func() {
			next = operator.add(medical, keymgr.Index)
			mustBe(t, "PromoteKey", operator.promote(medical, next), keymgr.ErrInstancesBehind)
		}
		f.onOpen(func(s *memberStore) {
			do := func(keymgr.Scope) { within() }
			s.afterLoad.Store(&do)
		})
		beat()
		mustBe(t, "PromoteKey", operator.promote(medical, next), nil)
	})
}

// onOpen opens an instance that is prepared first.
func (f *fleet) onOpen(prepare func(*memberStore)) *member {
	f.t.Helper()
	store := &memberStore{Store: f.store}
	prepare(store)
	return f.open(func(cfg *keymgr.Config) { cfg.Store = store })
}

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
