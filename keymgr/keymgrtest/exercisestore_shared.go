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

// What concerns more than one scope or more than one caller.

func storeScopes(t *testing.T, s keymgr.Store) {
	ctx := t.Context()
	var want []keymgr.Scope // in byte order, which is not that of most collations
	for _, domain := range []string{"a", "a-b", "a_b", "ab", "b"} {
		for _, tenant := range []string{"", "-", "1", "B", "_x", "a", "a.b", "aB", "ab"} {
			want = append(want, keymgr.Scope{Domain: domain, Tenant: tenant})
		}
	}
	for _, i := range []int{7, 0, 3} { // not in order
		for ; i < len(want); i += 9 {
			mustCreate(t, s, sampleRecord(want[i], 1))
		}
	}
	for i, scope := range want {
		if i%9 != 7 && i%9 != 0 && i%9 != 3 {
			mustCreate(t, s, sampleRecord(scope, 1))
		}
	}
	for _, limit := range []int{1, 7, len(want), 1000} {
		var got []keymgr.Scope
		for after := (keymgr.Scope{}); ; after = got[len(got)-1] {
			page, err := s.Scopes(ctx, after, limit)
			if err != nil || len(page) > limit {
				t.Fatalf("Scopes after %q: %d of at most %d, %v", after, len(page), limit, err)
			}
			if got = append(got, page...); len(page) == 0 {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("in pages of %d: %q, want %q", limit, got, want)
		}
	}
	between := keymgr.Scope{Domain: "a_b", Tenant: "C"} // not there
	if page, err := s.Scopes(ctx, between, 1); err != nil || len(page) != 1 || page[0] != (keymgr.Scope{Domain: "a_b", Tenant: "_x"}) {
		t.Errorf("Scopes after a scope that is not there = %q, %v", page, err)
	}
}

func sampleEvent(s keymgr.Scope, version uint64, kind keymgr.EventKind, id uint32) keymgr.Event {
	e := keymgr.Event{
		Scope: s, Version: version, Kind: kind, KeyID: id,
		Actor: "ops@example ä", Detail: "by 'hand' – \\ 名",
		At: time.Date(2026, 2, 3, 4, 5, 6, 789_012_000, time.UTC),
	}
	if id != 0 {
		e.Purpose = keymgr.Index
	}
	return e
}

func added(s keymgr.Scope, version uint64, id uint32) keymgr.Event {
	return sampleEvent(s, version, keymgr.EventKeyAdded, id)
}

func storeKeyIDs(t *testing.T, s keymgr.Store) {
	ctx := t.Context()
	finance := keymgr.Scope{Domain: "finance", Tenant: "acme"}
	mustCreate(t, s, sampleRecord(medical, 1), added(medical, 1, 1), added(medical, 1, 0xFFFF_FFFF))

	err := s.Create(ctx, sampleRecord(finance, 1), []keymgr.Event{added(finance, 1, 2), added(finance, 1, 0xFFFF_FFFF)})
	mustMatch(t, "Create with an id of another scope", err, keymgr.ErrKeyIDTaken)
	_, err = s.Load(ctx, finance)
	mustMatch(t, "Load after the refused Create", err, keymgr.ErrScopeNotFound)
	err = s.Create(ctx, sampleRecord(finance, 1), []keymgr.Event{added(finance, 1, 3), added(finance, 1, 3)})
	mustMatch(t, "Create with one id twice", err, keymgr.ErrKeyIDTaken)
	// The refused calls have used up no ids.
	mustCreate(t, s, sampleRecord(finance, 1), added(finance, 1, 2), added(finance, 1, 3))

	err = s.Replace(ctx, sampleRecord(medical, 2), []keymgr.Event{added(medical, 2, 1)})
	mustMatch(t, "Replace with an id of its own", err, keymgr.ErrKeyIDTaken)
	mustHold(t, s, sampleRecord(medical, 1))
	mustReplace(t, s, sampleRecord(medical, 2), sampleEvent(medical, 2, keymgr.EventKeyPromoted, 1))
	mustReplace(t, s, sampleRecord(medical, 3), sampleEvent(medical, 3, keymgr.EventKeyPromoted, 1))
	mustReplace(t, s, sampleRecord(medical, 4), added(medical, 4, 4))
}

func storeEvents(t *testing.T, s keymgr.Store) {
	ctx := t.Context()
	reader, ok := s.(EventReader)
	if !ok {
		t.Skip("the store has no Events method to read its log with")
	}
	other := keymgr.Scope{Domain: "medical", Tenant: "acme"}
	want := []keymgr.Event{sampleEvent(medical, 1, keymgr.EventCreated, 0), added(medical, 1, 1), added(medical, 1, 2)}
	mustCreate(t, s, sampleRecord(medical, 1), want...)
	mustCreate(t, s, sampleRecord(other, 1), added(other, 1, 3))

	next := []keymgr.Event{added(medical, 2, 4)}
	mustReplace(t, s, sampleRecord(medical, 2), next...)
	want = append(want, next...)

	swap := []keymgr.Event{sampleEvent(medical, 2, keymgr.EventRewrapped, 0)}
	wraps := sampleRecord(medical, 2).Wraps
	if err := s.SwapWraps(ctx, medical, 2, wraps, wraps[:1], swap); err != nil {
		t.Fatalf("SwapWraps: %v", err)
	}
	want = append(want, swap...)

	mustMatch(t, "Create", s.Create(ctx, sampleRecord(medical, 1), next[:0]), keymgr.ErrScopeExists)
	mustMatch(t, "Replace", s.Replace(ctx, sampleRecord(medical, 2), swap), keymgr.ErrConflict)
	mustMatch(t, "SwapWraps", s.SwapWraps(ctx, medical, 2, wraps, wraps, swap), keymgr.ErrConflict)

	got, err := reader.Events(ctx, medical)
	if err != nil {
		t.Fatalf("Events: %v", err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the log is %+v, want %+v", got, want)
	}
}

func storeCancelled(t *testing.T, s keymgr.Store) {
	mustCreate(t, s, sampleRecord(medical, 1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	finance := keymgr.Scope{Domain: "finance"}
	_, err := s.Load(ctx, medical)
	mustMatch(t, "Load", err, keymgr.ErrStoreUnavailable)
	_, err = s.Version(ctx, medical)
	mustMatch(t, "Version", err, keymgr.ErrStoreUnavailable)
	_, err = s.Scopes(ctx, keymgr.Scope{}, 10)
	mustMatch(t, "Scopes", err, keymgr.ErrStoreUnavailable)
	mustMatch(t, "Create", s.Create(ctx, sampleRecord(finance, 1), []keymgr.Event{added(finance, 1, 9)}), keymgr.ErrStoreUnavailable)
	mustMatch(t, "Replace", s.Replace(ctx, sampleRecord(medical, 2), []keymgr.Event{added(medical, 2, 9)}), keymgr.ErrStoreUnavailable)
	wraps := sampleRecord(medical, 1).Wraps
	mustMatch(t, "SwapWraps", s.SwapWraps(ctx, medical, 1, wraps, wraps[:1], nil), keymgr.ErrStoreUnavailable)
	mustMatch(t, "Delete", s.Delete(ctx, medical, 1, []keymgr.Event{destroyed(medical, 1)}), keymgr.ErrStoreUnavailable)

	mustHold(t, s, sampleRecord(medical, 1))
	_, err = s.Load(t.Context(), finance)
	mustMatch(t, "Load of what was not created", err, keymgr.ErrScopeNotFound)
	mustReplace(t, s, sampleRecord(medical, 2), added(medical, 2, 9))
}

const racers = 16

// race runs f in many goroutines at once: exactly one must succeed and all
// others fail with lost.
func race(t *testing.T, lost error, f func(i int) error) (winner int) {
	t.Helper()
	errs := make([]error, racers)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			<-start
			errs[i] = f(i)
		})
	}
	close(start)
	wg.Wait()
	winner = -1
	for i, err := range errs {
		switch {
		case err != nil:
			mustMatch(t, fmt.Sprintf("racer %d", i), err, lost)
		case winner >= 0:
			t.Errorf("racers %d and %d both won", winner, i)
		default:
			winner = i
		}
	}
	if winner < 0 {
		t.Fatal("no racer won")
	}
	return winner
}

// entrant is a record that tells which racer wrote it.
func entrant(s keymgr.Scope, version uint64, i int) keymgr.Record {
	r := sampleRecord(s, version)
	r.Seal = append(r.Seal, byte(i))
	r.Wraps[0].Wrapped = append(r.Wraps[0].Wrapped, byte(i))
	return r
}

func storeConcurrentCreate(t *testing.T, s keymgr.Store) {
	w := race(t, keymgr.ErrScopeExists, func(i int) error {
		return s.Create(t.Context(), entrant(medical, 1, i), []keymgr.Event{added(medical, 1, uint32(i+1))})
	})
	mustHold(t, s, entrant(medical, 1, w))
}

func storeConcurrentReplace(t *testing.T, s keymgr.Store) {
	mustCreate(t, s, sampleRecord(medical, 1))
	for v := uint64(2); v < 5; v++ {
		w := race(t, keymgr.ErrConflict, func(i int) error {
			return s.Replace(t.Context(), entrant(medical, v, i), []keymgr.Event{added(medical, v, uint32(v)*100+uint32(i))})
		})
		mustHold(t, s, entrant(medical, v, w))
	}
}

func storeConcurrentSwap(t *testing.T, s keymgr.Store) {
	old := sampleRecord(medical, 1)
	mustCreate(t, s, old)
	w := race(t, keymgr.ErrConflict, func(i int) error {
		return s.SwapWraps(t.Context(), medical, 1, old.Wraps, entrant(medical, 1, i).Wraps, nil)
	})
	old.Wraps = entrant(medical, 1, w).Wraps
	mustHold(t, s, old)
}

func storeConcurrentKeyID(t *testing.T, s keymgr.Store) {
	scope := func(i int) keymgr.Scope { return keymgr.Scope{Domain: "medical", Tenant: fmt.Sprint(i)} }
	w := race(t, keymgr.ErrKeyIDTaken, func(i int) error {
		return s.Create(t.Context(), sampleRecord(scope(i), 1), []keymgr.Event{added(scope(i), 1, 7)})
	})
	if list, err := s.Scopes(t.Context(), keymgr.Scope{}, racers); err != nil || !slices.Equal(list, []keymgr.Scope{scope(w)}) {
		t.Errorf("Scopes = %v, %v, want those of racer %d alone", list, err, w)
	}
}
