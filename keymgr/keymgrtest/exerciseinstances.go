package keymgrtest

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/fieldcrypt/go/keymgr"
)

// What concerns a [keymgr.InstanceStore], on stores that are one.

func onInstances(run func(t *testing.T, s keymgr.InstanceStore)) func(t *testing.T, s keymgr.Store) {
	return func(t *testing.T, s keymgr.Store) {
		is, ok := s.(keymgr.InstanceStore)
		if !ok {
			t.Skip("the store is no InstanceStore")
		}
		run(t, is)
	}
}

var acme = keymgr.Scope{Domain: "medical", Tenant: "acme"}

// sampleReport is a full report of two scopes.
func sampleReport(t *testing.T, s keymgr.InstanceStore, id string) keymgr.InstanceReport {
	t.Helper()
	at := mustVersions(t, s).At
	return keymgr.InstanceReport{
		ID: id, Host: "höst/7", StartedAt: at, CheckedAt: at, MaxAge: time.Hour, Interval: 15 * time.Second, Full: true,
		Scopes: []keymgr.InstanceScope{
			{Scope: medical, Version: 3, SealKeys: []uint32{1, 0xFFFF_FFFF}, IndexKeys: []uint32{4}, SealKey: 0xFFFF_FFFF, IndexKey: 4},
			{Scope: acme, Version: 1<<63 - 1, SealKeys: []uint32{2}, IndexKeys: []uint32{5, 6}, SealKey: 2, IndexKey: 6},
		},
	}
}

func instancesRoundTrip(t *testing.T, s keymgr.InstanceStore) {
	if f := mustFleet(t, s, keymgr.Scope{}); len(f.Instances) != 0 || f.Now.IsZero() {
		t.Errorf("an empty store has %+v", f)
	}
	a, b := sampleReport(t, s, "a"), sampleReport(t, s, "b")
	mustReport(t, s, b)
	mustReport(t, s, a)
	f := mustFleet(t, s, keymgr.Scope{})
	if len(f.Instances) != 2 || f.Instances[1].ID != "b" {
		t.Fatalf("instances %+v", f.Instances)
	}
	mustTell(t, f.Instances[0], a)
	mustTell(t, f.Instances[1], b)
	for _, of := range []keymgr.Scope{medical, acme, {Domain: "finance"}} {
		want := a
		want.Scopes = slices.DeleteFunc(slices.Clone(a.Scopes), func(h keymgr.InstanceScope) bool { return h.Scope != of })
		f := mustFleet(t, s, of)
		if len(f.Instances) != 2 {
			t.Fatalf("of %s: %+v", of, f.Instances)
		}
		mustTell(t, f.Instances[0], want)
	}
}

func instancesChange(t *testing.T, s keymgr.InstanceStore) {
	r := sampleReport(t, s, "a")
	mustReport(t, s, r)
	mustReport(t, s, sampleReport(t, s, "b"))
	before := mustFleet(t, s, keymgr.Scope{}).Instances[0]

	part := r
	part.Full, part.CheckedAt = false, mustVersions(t, s).At
	part.Scopes = []keymgr.InstanceScope{{Scope: medical, Version: 4, SealKeys: []uint32{9}, IndexKeys: []uint32{4}, SealKey: 9, IndexKey: 4}}
	part.Removed = []keymgr.Scope{acme, {Domain: "finance"}}
	mustReport(t, s, part)
	got := mustFleet(t, s, keymgr.Scope{}).Instances
	mustTell(t, got[0], part)
	if got[0].LastSeen.Before(before.LastSeen) || got[0].Scopes[0].SeenAt.Before(before.Scopes[0].SeenAt) {
		t.Errorf("seen at %v, then at %v", before, got[0])
	}
	if len(got[1].Scopes) != 2 {
		t.Errorf("a report of one instance changed another: %+v", got[1])
	}

	nothing := part
	nothing.Scopes, nothing.Removed = nil, nil
	mustReport(t, s, nothing)
	mustTell(t, mustFleet(t, s, keymgr.Scope{}).Instances[0], part)

	full := r
	full.Scopes = r.Scopes[1:]
	mustReport(t, s, full)
	mustTell(t, mustFleet(t, s, keymgr.Scope{}).Instances[0], full)

	// More than one statement of a database takes.
	many, all := full, []keymgr.Scope{}
	for i := range 1001 {
		h := full.Scopes[0]
		h.Scope = keymgr.Scope{Domain: "many", Tenant: fmt.Sprint(i)}
		many.Scopes, all = append(many.Scopes[:len(many.Scopes):len(many.Scopes)], h), append(all, h.Scope)
	}
	mustReport(t, s, many)
	if n := len(mustFleet(t, s, keymgr.Scope{}).Instances[0].Scopes); n != len(many.Scopes) {
		t.Errorf("%d scopes are held, want %d", n, len(many.Scopes))
	}
	few := full
	few.Full, few.Scopes, few.Removed = false, nil, all
	mustReport(t, s, few)
	mustTell(t, mustFleet(t, s, keymgr.Scope{}).Instances[0], full)
}

func instancesForget(t *testing.T, s keymgr.InstanceStore) {
	ctx := t.Context()
	mustMatch(t, "Forget of none", s.Forget(ctx, "a"), keymgr.ErrUnknownInstance)
	r := sampleReport(t, s, "a")
	r.Full = false
	mustMatch(t, "a report in parts of none", s.Report(ctx, r), keymgr.ErrUnknownInstance)
	r.Full = true
	mustReport(t, s, r)
	mustReport(t, s, sampleReport(t, s, "b"))
	if err := s.Forget(ctx, "a"); err != nil {
		t.Fatalf("Forget: %v", err)
	}
	mustMatch(t, "Forget again", s.Forget(ctx, "a"), keymgr.ErrUnknownInstance)
	if f := mustFleet(t, s, keymgr.Scope{}); len(f.Instances) != 1 || f.Instances[0].ID != "b" || len(f.Instances[0].Scopes) != 2 {
		t.Errorf("left: %+v", f.Instances)
	}
	// One that was forgotten and lives must not come back in part.
	r.Full = false
	mustMatch(t, "a report in parts of a forgotten one", s.Report(ctx, r), keymgr.ErrUnknownInstance)
	if f := mustFleet(t, s, medical); len(f.Instances) != 1 {
		t.Errorf("a refused report left %+v", f.Instances)
	}
	r.Full, r.Scopes = true, nil
	mustReport(t, s, r)
	mustTell(t, mustFleet(t, s, keymgr.Scope{}).Instances[0], r)
}

func instancesVersions(t *testing.T, s keymgr.InstanceStore) {
	before := mustVersions(t, s)
	mustCreate(t, s, sampleRecord(medical, 1), added(medical, 1, 1))
	mustReplace(t, s, sampleRecord(medical, 2))
	mustCreate(t, s, sampleRecord(acme, 1))
	v := mustVersions(t, s, medical, acme, keymgr.Scope{Domain: "finance"})
	if want := (map[keymgr.Scope]uint64{medical: 2, acme: 1}); !reflect.DeepEqual(v.Current, want) {
		t.Errorf("versions %v, want %v", v.Current, want)
	}
	if v.Sparing && v.Events <= before.Events || v.At.Before(before.At) {
		t.Errorf("after a change %+v, before %+v", v, before)
	}
	if again := mustVersions(t, s, acme); again.Events != v.Events || again.Current[acme] != 1 || len(again.Current) != 1 {
		t.Errorf("nothing has changed: %+v, before %+v", again, v)
	}
	var many []keymgr.Scope
	for i := range 1001 {
		many = append(many, keymgr.Scope{Domain: "medical", Tenant: string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676))})
	}
	mustCreate(t, s, sampleRecord(many[1000], 1))
	if v := mustVersions(t, s, many...); len(v.Current) != 1 || v.Current[many[1000]] != 1 {
		t.Errorf("of many: %v", v.Current)
	}
	r := sampleReport(t, s, "a")
	r.Scopes = nil
	for _, scope := range many {
		r.Scopes = append(r.Scopes, keymgr.InstanceScope{Scope: scope, Version: 1, SealKeys: []uint32{1}, IndexKeys: []uint32{2}, SealKey: 1, IndexKey: 2})
	}
	mustReport(t, s, r)
	if f := mustFleet(t, s, keymgr.Scope{}); len(f.Instances) != 1 || len(f.Instances[0].Scopes) != len(many) {
		t.Errorf("%d instances", len(f.Instances))
	}
}

// The clock of Versions, Report and Instances is one and goes on, and what was
// committed before a time that Versions gives is seen by it.
func instancesClock(t *testing.T, s keymgr.InstanceStore) {
	mustCreate(t, s, sampleRecord(medical, 1))
	r := sampleReport(t, s, "a")
	mustReport(t, s, r)
	f := mustFleet(t, s, keymgr.Scope{})
	i := f.Instances[0]
	if i.LastSeen.Before(r.CheckedAt) || f.Now.Before(i.LastSeen) || i.Scopes[0].SeenAt.Before(r.CheckedAt) {
		t.Errorf("versions at %v, reported at %v and %v, listed at %v", r.CheckedAt, i.LastSeen, i.Scopes[0].SeenAt, f.Now)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	committed := map[uint64]time.Time{} // some moment after the commit
	done := make(chan struct{})
	wg.Go(func() {
		defer close(done)
		for v := uint64(2); v < 30; v++ {
			mustReplace(t, s, sampleRecord(medical, v))
			at := mustFleet(t, s, medical).Now
			mu.Lock()
			committed[v] = at
			mu.Unlock()
		}
	})
	for stop := false; !stop; {
		select {
		case <-done:
			stop = true
		default:
		}
		got := mustVersions(t, s, medical)
		mu.Lock()
		for v, at := range committed {
			if got.At.After(at) && got.Current[medical] < v {
				t.Errorf("version %d was there at %v, and was not seen at %v", v, at, got.At)
			}
		}
		mu.Unlock()
	}
	wg.Wait()
}

func instancesCancelled(t *testing.T, s keymgr.InstanceStore) {
	r := sampleReport(t, s, "a")
	mustReport(t, s, r)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Versions(ctx, []keymgr.Scope{medical})
	mustMatch(t, "Versions", err, keymgr.ErrStoreUnavailable)
	_, err = s.Instances(ctx, keymgr.Scope{})
	mustMatch(t, "Instances", err, keymgr.ErrStoreUnavailable)
	mustMatch(t, "Forget", s.Forget(ctx, "a"), keymgr.ErrStoreUnavailable)
	changed := r
	changed.Scopes, changed.Host = nil, "other"
	mustMatch(t, "Report", s.Report(ctx, changed), keymgr.ErrStoreUnavailable)
	mustTell(t, mustFleet(t, s, keymgr.Scope{}).Instances[0], r)
}

// Reports and Forget of one instance at once: what is left is whole.
func instancesRace(t *testing.T, s keymgr.InstanceStore) {
	r := sampleReport(t, s, "a")
	mustReport(t, s, r)
	part := r
	part.Full = false
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 10 {
				if err := s.Report(t.Context(), part); err != nil {
					mustMatch(t, "a report in parts", err, keymgr.ErrUnknownInstance)
				}
			}
		})
		wg.Go(func() {
			if err := s.Forget(t.Context(), "a"); err != nil {
				mustMatch(t, "Forget", err, keymgr.ErrUnknownInstance)
			}
			mustReport(t, s, r)
		})
	}
	for range 20 {
		if f := mustFleet(t, s, keymgr.Scope{}); len(f.Instances) == 1 {
			mustTell(t, f.Instances[0], r)
		}
	}
	wg.Wait()
}

func mustVersions(t *testing.T, s keymgr.InstanceStore, scopes ...keymgr.Scope) keymgr.Versions {
	t.Helper()
	v, err := s.Versions(t.Context(), scopes)
	if err != nil || v.At.IsZero() {
		t.Errorf("Versions: %+v, %v", v, err)
	}
	return v
}

func mustReport(t *testing.T, s keymgr.InstanceStore, r keymgr.InstanceReport) {
	t.Helper()
	if err := s.Report(t.Context(), r); err != nil {
		t.Errorf("Report: %v", err)
	}
}

func mustFleet(t *testing.T, s keymgr.InstanceStore, of keymgr.Scope) keymgr.Fleet {
	t.Helper()
	f, err := s.Instances(t.Context(), of)
	if err != nil {
		t.Errorf("Instances: %v", err)
	}
	return f
}

// mustTell checks that i tells what r has reported.
func mustTell(t *testing.T, i keymgr.Instance, r keymgr.InstanceReport) {
	t.Helper()
	i.Scopes = slices.Clone(i.Scopes)
	for n := range i.Scopes {
		if i.Scopes[n].SeenAt.IsZero() {
			t.Errorf("%s was never seen", i.Scopes[n].Scope)
		}
		i.Scopes[n].SeenAt = time.Time{}
	}
	if i.LastSeen.IsZero() || !i.StartedAt.Equal(r.StartedAt) || !i.CheckedAt.Equal(r.CheckedAt) {
		t.Errorf("times %v, %v, %v of %+v", i.LastSeen, i.StartedAt, i.CheckedAt, r)
	}
	if i.ID != r.ID || i.Host != r.Host || i.MaxAge != r.MaxAge || i.Interval != r.Interval || len(i.Scopes)+len(r.Scopes) > 0 && !reflect.DeepEqual(i.Scopes, r.Scopes) {
		t.Errorf("the instance is %+v, want %+v", i, r)
	}
}
