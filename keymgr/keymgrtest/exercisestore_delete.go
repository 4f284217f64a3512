package keymgrtest

import (
	"errors"
	"slices"
	"testing"

	"github.com/fieldcrypt/go/keymgr"
)

func destroyed(s keymgr.Scope, version uint64) keymgr.Event {
	return sampleEvent(s, version, keymgr.EventScopeDestroyed, 0)
}

func storeDelete(t *testing.T, s keymgr.Store) {
	ctx := t.Context()
	others := []keymgr.Scope{{Domain: "medical", Tenant: "a"}, {Domain: "medicals"}}
	mustCreate(t, s, sampleRecord(medical, 1), added(medical, 1, 1))
	mustReplace(t, s, sampleRecord(medical, 2))
	for _, other := range others {
		mustCreate(t, s, sampleRecord(other, 1))
	}
	if err := s.Delete(ctx, medical, 2, []keymgr.Event{destroyed(medical, 2)}); err != nil {
		t.Fatalf("Delete: %v", err)
	}
	_, err := s.Load(ctx, medical)
	mustMatch(t, "Load", err, keymgr.ErrScopeDestroyed)
	_, err = s.Version(ctx, medical)
	mustMatch(t, "Version", err, keymgr.ErrScopeDestroyed)
	mustMatch(t, "Create", s.Create(ctx, sampleRecord(medical, 1), nil), keymgr.ErrScopeDestroyed)
	mustMatch(t, "Replace", s.Replace(ctx, sampleRecord(medical, 3), nil), keymgr.ErrScopeDestroyed)
	wraps := sampleRecord(medical, 2).Wraps
	mustMatch(t, "SwapWraps", s.SwapWraps(ctx, medical, 2, wraps, wraps[:1], nil), keymgr.ErrScopeDestroyed)
	mustMatch(t, "Delete again", s.Delete(ctx, medical, 2, nil), keymgr.ErrScopeDestroyed)

	if list, err := s.Scopes(ctx, keymgr.Scope{}, 10); err != nil || !slices.Equal(list, others) {
		t.Errorf("Scopes = %q, %v, want %q", list, err, others)
	}
	for _, other := range others {
		mustHold(t, s, sampleRecord(other, 1))
	}
	mustMatch(t, "a destroyed scope's key id elsewhere",
		s.Replace(ctx, sampleRecord(others[0], 2), []keymgr.Event{added(others[0], 2, 1)}), keymgr.ErrKeyIDTaken)
	if reader, ok := s.(EventReader); ok {
		events, err := reader.Events(ctx, medical)
		if want := []keymgr.Event{added(medical, 1, 1), destroyed(medical, 2)}; err != nil || !slices.Equal(events, want) {
			t.Errorf("the log is %+v, %v, want %+v", events, err, want)
		}
	}
}

func storeDeleteUnlogged(t *testing.T, s keymgr.Store) {
	mustCreate(t, s, sampleRecord(medical, 1), added(medical, 1, 1))
	if err := s.Delete(t.Context(), medical, 1, nil); err != nil {
		t.Fatalf("Delete: %v", err)
	}
	_, err := s.Load(t.Context(), medical)
	mustMatch(t, "Load", err, keymgr.ErrScopeNotFound)
	fewer := sampleRecord(medical, 1)
	fewer.Wraps = fewer.Wraps[:1] // none of the old ones are left
	mustCreate(t, s, fewer, added(medical, 1, 2))
	mustHold(t, s, fewer)
}

func storeDeleteRefused(t *testing.T, s keymgr.Store) {
	mustCreate(t, s, sampleRecord(medical, 1), added(medical, 1, 1))
	mustReplace(t, s, sampleRecord(medical, 2))
	for _, v := range []uint64{0, 1, 3} {
		mustMatch(t, "another version", s.Delete(t.Context(), medical, v, []keymgr.Event{destroyed(medical, v)}), keymgr.ErrConflict)
	}
	mustMatch(t, "an event that cannot be", s.Delete(t.Context(), medical, 2, []keymgr.Event{added(medical, 2, 1)}), keymgr.ErrKeyIDTaken)
	mustHold(t, s, sampleRecord(medical, 2))
	mustReplace(t, s, sampleRecord(medical, 3))
}

func storeConcurrentDelete(t *testing.T, s keymgr.Store) {
	mustCreate(t, s, sampleRecord(medical, 1))
	race(t, keymgr.ErrScopeDestroyed, func(int) error {
		return s.Delete(t.Context(), medical, 1, []keymgr.Event{destroyed(medical, 1)})
	})
	_, err := s.Load(t.Context(), medical)
	mustMatch(t, "Load", err, keymgr.ErrScopeDestroyed)
}

// Whoever is second hears it, whichever it is.
func storeConcurrentDeleteAndReplace(t *testing.T, s keymgr.Store) {
	mustCreate(t, s, sampleRecord(medical, 1))
	lost := errors.New("lost")
	w := race(t, lost, func(i int) error {
		var err error
		if i%2 == 0 {
			err = s.Delete(t.Context(), medical, 1, []keymgr.Event{destroyed(medical, 1)})
		} else {
			err = s.Replace(t.Context(), entrant(medical, 2, i), nil)
		}
		if errors.Is(err, keymgr.ErrConflict) || errors.Is(err, keymgr.ErrScopeDestroyed) {
			return lost
		}
		return err
	})
	if w%2 == 1 {
		mustHold(t, s, entrant(medical, 2, w))
		return
	}
	_, err := s.Load(t.Context(), medical)
	mustMatch(t, "Load", err, keymgr.ErrScopeDestroyed)
}
