package keymgr_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
	"github.com/fieldcrypt/go/keymgr/memstore"
)

func TestCreate(t *testing.T) {
	f := newFixture(t)
	ctx := keymgr.WithActor(t.Context(), "ops@example")
	mustBe(t, "Create", f.Create(ctx, acme), nil)
	calls := f.kek.Calls()
	mustBe(t, "Create again", f.Create(ctx, acme), keymgr.ErrScopeExists)
	k := f.keys(acme)
	if f.kek.Calls() != calls {
		t.Error("a second Create or the first use of new keys called the KMS")
	}
	if k.Scope() != acme || k.Version() != 1 || len(k.IndexKeys()) != 1 || k.Primary().ID() == k.IndexKeys()[0].ID() {
		t.Errorf("keys %v, seal key %v, index keys %v", k, k.Primary(), k.IndexKeys())
	}
	// What was stored is what was cached.
	f.Evict(acme)
	if again := f.keys(acme); again.Primary().ID() != k.Primary().ID() || !slices.Equal(prfs(again, "x"), prfs(k, "x")) {
		t.Error("the stored keys are not those that were cached")
	}
	mustHaveEvents(t, f, acme,
		keymgr.Event{Version: 1, Kind: keymgr.EventCreated},
		keymgr.Event{Version: 1, Kind: keymgr.EventKeyAdded, Purpose: keymgr.Seal, KeyID: k.Primary().ID()},
		keymgr.Event{Version: 1, Kind: keymgr.EventKeyAdded, Purpose: keymgr.Index, KeyID: k.IndexKeys()[0].ID()})
}

func mustHaveEvents(t *testing.T, f *fixture, s keymgr.Scope, want ...keymgr.Event) {
	t.Helper()
	got, err := f.store.Store.(*memstore.Store).Events(t.Context(), s)
	mustBe(t, "Events", err, nil)
	for i, e := range got {
		if e.At.IsZero() || e.At.Location() != time.UTC || e.Scope != s || e.Actor != "ops@example" {
			t.Errorf("event %d: %+v", i, e)
		}
		got[i].At, got[i].Scope, got[i].Actor = time.Time{}, keymgr.Scope{}, ""
	}
	if !slices.Equal(got, want) {
		t.Errorf("events %+v, want %+v", got, want)
	}
}

// prfs is what every index key makes of an input.
func prfs(k *keymgr.Keys, input string) (sums []string) {
	for _, ix := range k.IndexKeys() {
		sums = append(sums, string(ix.Compute(nil, []byte(input))))
	}
	return sums
}

func TestLifeOfAKey(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFixture(t)
		ctx := keymgr.WithActor(t.Context(), "ops@example")
		mustBe(t, "Create", f.Create(ctx, acme), nil)
		first := f.keys(acme)
		oldIndex := first.IndexKeys()[0].ID()
		before := f.record(acme)

		sealID, err := f.AddKey(ctx, acme, keymgr.Seal)
		mustBe(t, "AddKey", err, nil)
		indexID, err := f.AddKey(ctx, acme, keymgr.Index)
		mustBe(t, "AddKey", err, nil)
		k := f.keys(acme)
		if k.Version() != 3 || k.Primary().ID() != first.Primary().ID() || k.IndexKeys()[0].ID() != oldIndex {
			t.Error("a pending key is written with")
		}
		if _, err := k.SealKey(sealID); err != nil || len(k.IndexKeys()) != 2 || k.IndexKeys()[1].ID() != indexID {
			t.Errorf("a pending key does not read: %v, %v", err, k.IndexKeys())
		}
		after := f.record(acme)
		if string(before.Wraps[0].Wrapped) == string(after.Wraps[0].Wrapped) {
			t.Error("the data key did not change")
		}

		// Not before every cache must have it.
		mustBe(t, "PromoteKey at once", f.PromoteKey(ctx, acme, keymgr.Seal, sealID), keymgr.ErrKeyState)
		time.Sleep(maxStale + cacheTTL - time.Second)
		mustBe(t, "PromoteKey a second too early", f.PromoteKey(ctx, acme, keymgr.Seal, sealID), keymgr.ErrKeyState)
		time.Sleep(time.Second)
		mustBe(t, "PromoteKey", f.PromoteKey(ctx, acme, keymgr.Seal, sealID), nil)
		mustBe(t, "PromoteKey", f.PromoteKey(ctx, acme, keymgr.Index, indexID), nil)
		mustBe(t, "PromoteKey of the primary", f.PromoteKey(ctx, acme, keymgr.Seal, sealID), keymgr.ErrKeyState)
		mustBe(t, "PromoteKey of no key", f.PromoteKey(ctx, acme, keymgr.Seal, 1), keymgr.ErrUnknownKey)
		mustBe(t, "PromoteKey in the other keyset", f.PromoteKey(ctx, acme, keymgr.Index, sealID), keymgr.ErrUnknownKey)
		_, err = f.AddKey(ctx, acme, "signing")
		mustBe(t, "AddKey for another purpose", err, keymgr.ErrKeyState)

		k = f.keys(acme)
		if k.Version() != 5 || k.Primary().ID() != sealID || k.IndexKeys()[0].ID() != indexID || k.IndexKeys()[1].ID() != oldIndex {
			t.Errorf("after promotion: %v, primary %v, index keys %v", k, k.Primary(), k.IndexKeys())
		}
		if _, err := k.SealKey(first.Primary().ID()); err != nil {
			t.Errorf("the old key does not read: %v", err)
		}
		// And back, which needs no waiting: every process knows the old key.
		mustBe(t, "PromoteKey back", f.PromoteKey(ctx, acme, keymgr.Seal, first.Primary().ID()), nil)
		f.Evict(acme)
		if k = f.keys(acme); k.Version() != 6 || k.Primary().ID() != first.Primary().ID() {
			t.Errorf("after promotion back: %v, primary %v", k, k.Primary())
		}
		mustHaveEvents(t, f, acme,
			keymgr.Event{Version: 1, Kind: keymgr.EventCreated},
			keymgr.Event{Version: 1, Kind: keymgr.EventKeyAdded, Purpose: keymgr.Seal, KeyID: first.Primary().ID()},
			keymgr.Event{Version: 1, Kind: keymgr.EventKeyAdded, Purpose: keymgr.Index, KeyID: oldIndex},
			keymgr.Event{Version: 2, Kind: keymgr.EventKeyAdded, Purpose: keymgr.Seal, KeyID: sealID},
			keymgr.Event{Version: 3, Kind: keymgr.EventKeyAdded, Purpose: keymgr.Index, KeyID: indexID},
			keymgr.Event{Version: 4, Kind: keymgr.EventKeyPromoted, Purpose: keymgr.Seal, KeyID: sealID},
			keymgr.Event{Version: 5, Kind: keymgr.EventKeyPromoted, Purpose: keymgr.Index, KeyID: indexID},
			keymgr.Event{Version: 6, Kind: keymgr.EventKeyPromoted, Purpose: keymgr.Seal, KeyID: first.Primary().ID()})
	})
}

func TestInfoSaysWhatHappened(t *testing.T) {
	inBubble(t, func(t *testing.T) { // which begins at 2000-01-01 00:00:00 UTC
		f := newFixture(t)
		time.Sleep(1500 * time.Millisecond)
		id, err := f.AddKey(t.Context(), medical, keymgr.Seal)
		mustBe(t, "AddKey", err, nil)
		k := f.keys(medical)
		first, err := json.Marshal([]uint32{k.Primary().ID(), id, k.IndexKeys()[0].ID()})
		mustBe(t, "Marshal", err, nil)
		var ids [3]json.Number
		mustBe(t, "Unmarshal", json.Unmarshal(first, &ids), nil)
		want := `{"v":1,"seal":[` +
			`{"id":` + string(ids[0]) + `,"state":"primary","created":"2000-01-01T00:00:00Z","changed":"2000-01-01T00:00:00Z"},` +
			`{"id":` + string(ids[1]) + `,"state":"pending","created":"2000-01-01T00:00:02Z","changed":"2000-01-01T00:00:02Z"}],"index":[` +
			`{"id":` + string(ids[2]) + `,"state":"primary","created":"2000-01-01T00:00:00Z","changed":"2000-01-01T00:00:00Z"}]}`
		if got := f.record(medical).Info; got != want {
			t.Errorf("info %s, want %s", got, want)
		}
	})
}

func TestConcurrentChangesHaveOneWinner(t *testing.T) {
	f := newFixture(t)
	other := f.open()
	// The other process wins between our reading and our writing.
	f.store.Store = &beforeReplace{f.store.Store, func() {
		if _, err := other.AddKey(t.Context(), medical, keymgr.Index); err != nil {
			t.Errorf("AddKey: %v", err)
		}
	}}
	_, err := f.AddKey(t.Context(), medical, keymgr.Seal)
	mustBe(t, "AddKey that lost", err, keymgr.ErrConflict)
	_, err = f.AddKey(t.Context(), medical, keymgr.Seal)
	mustBe(t, "AddKey again", err, nil)
	if k := f.keys(medical); k.Version() != 3 || len(k.IndexKeys()) != 2 {
		t.Errorf("%v, %d index keys", k, len(k.IndexKeys()))
	}
}

// beforeReplace is a store in which something happens just before the first
// Replace.
type beforeReplace struct {
	keymgr.Store
	do func()
}

func (s *beforeReplace) Replace(ctx context.Context, r keymgr.Record, events []keymgr.Event) error {
	if do := s.do; do != nil {
		s.do = nil
		do()
	}
	return s.Store.Replace(ctx, r, events)
}

// takenIDs is a store that has seen the first few key ids that are drawn.
type takenIDs struct {
	keymgr.Store
	left int
	seen map[uint32]bool
}

func (s *takenIDs) refuse(events []keymgr.Event) error {
	for _, e := range events {
		if e.Kind == keymgr.EventKeyAdded && s.left > 0 {
			if s.seen[e.KeyID] {
				return errors.New("the same id was drawn again")
			}
			s.seen[e.KeyID] = true
			s.left--
			return keymgr.ErrKeyIDTaken
		}
	}
	return nil
}

func (s *takenIDs) Create(ctx context.Context, r keymgr.Record, events []keymgr.Event) error {
	if err := s.refuse(events); err != nil {
		return err
	}
	return s.Store.Create(ctx, r, events)
}

func (s *takenIDs) Replace(ctx context.Context, r keymgr.Record, events []keymgr.Event) error {
	if err := s.refuse(events); err != nil {
		return err
	}
	return s.Store.Replace(ctx, r, events)
}

func TestTakenKeyIDsAreDrawnAgain(t *testing.T) {
	store := &takenIDs{Store: memstore.New(), left: 3, seen: map[uint32]bool{}}
	f := newFixture(t, func(cfg *keymgr.Config) { cfg.Store = store })
	store.left = 3
	calls := f.kek.Calls()
	id, err := f.AddKey(t.Context(), medical, keymgr.Seal)
	mustBe(t, "AddKey", err, nil)
	if _, err := f.keys(medical).SealKey(id); err != nil {
		t.Errorf("the id that AddKey returned is not the key's: %v", err)
	}
	if got := f.kek.Calls(); got.GenerateDataKey-calls.GenerateDataKey != 1 || got.Unwrap-calls.Unwrap != 1 {
		t.Errorf("drawing again called the KMS: %+v, before %+v", got, calls)
	}
	store.left = 1000
	_, err = f.AddKey(t.Context(), medical, keymgr.Seal)
	mustBe(t, "AddKey without end", err, keymgr.ErrKeyIDTaken)
}

func TestChangesWrapUnderAllKEKs(t *testing.T) {
	a, b, old := keymgrtest.NewKEK("a"), keymgrtest.NewKEK("b"), keymgrtest.NewKEK("old")
	f := newFixture(t, withKEKs([]keymgr.KEK{b, a}, old))
	_, err := f.AddKey(t.Context(), medical, keymgr.Seal)
	mustBe(t, "AddKey", err, nil)
	r := f.record(medical)
	if len(r.Wraps) != 2 || r.Wraps[0].KEKURI != a.URI() || r.Wraps[1].KEKURI != b.URI() {
		t.Errorf("wraps %v", r.Wraps)
	}
	for _, only := range []*keymgrtest.KEK{a, b} {
		mustKeys(t, f.open(lazy, withKEKs([]keymgr.KEK{only})), medical)
	}
	b.Unavailable()
	_, err = f.AddKey(t.Context(), medical, keymgr.Seal)
	mustBe(t, "AddKey with a KEK down", err, keymgr.ErrKMSUnavailable)
	b.Recover()
	a.Unavailable()
	_, err = f.AddKey(t.Context(), medical, keymgr.Seal)
	mustBe(t, "AddKey with another KEK down", err, keymgr.ErrKMSUnavailable)
	if old.Calls().Total() != 0 {
		t.Error("a KEK for decryption only was asked to wrap")
	}
	if v := f.record(medical).Version; v != 2 {
		t.Errorf("version %d", v)
	}
}
