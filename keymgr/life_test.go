package keymgr_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/memstore"
)

const largestAge = maxStale + cacheTTL

var overridden = keymgr.Proof{Override: "test"}

// stateOf is the authenticated state of a key.
func stateOf(t *testing.T, m *keymgr.Manager, p keymgr.Purpose, id uint32) keymgr.KeyState {
	t.Helper()
	return infoOf(t, m, p, id).State
}

func infoOf(t *testing.T, m *keymgr.Manager, p keymgr.Purpose, id uint32) keymgr.KeyInfo {
	t.Helper()
	for _, k := range mustKeys(t, m, medical).Info(p) {
		if k.ID == id {
			return k
		}
	}
	t.Fatalf("no %s key %d", p, id)
	return keymgr.KeyInfo{}
}

// aged moves the clock until every key and every state is old enough.
func aged() { time.Sleep(largestAge + time.Second) }

// keyIn brings a key of "medical" into a state, by the operations that lead there.
func keyIn(t *testing.T, m *keymgr.Manager, p keymgr.Purpose, state keymgr.KeyState) (id uint32) {
	t.Helper()
	ctx := t.Context()
	if state == keymgr.StateActive {
		id = mustKeys(t, m, medical).Info(p)[0].ID // primary for now
		next := keyIn(t, m, p, keymgr.StatePending)
		aged()
		mustBe(t, "PromoteKey", m.PromoteKey(ctx, medical, p, next), nil)
		return id
	}
	id, err := m.AddKey(ctx, medical, p)
	mustBe(t, "AddKey", err, nil)
	aged()
	if state == keymgr.StatePrimary {
		mustBe(t, "PromoteKey", m.PromoteKey(ctx, medical, p, id), nil)
	}
	if state == keymgr.StateDisabled || state == keymgr.StateDestroyed {
		mustBe(t, "DisableKey", m.DisableKey(ctx, medical, p, id, overridden), nil)
		aged()
	}
	if state == keymgr.StateDestroyed {
		mustBe(t, "DestroyKey", m.DestroyKey(ctx, medical, p, id, overridden), nil)
	}
	if got := stateOf(t, m, p, id); got != state {
		t.Fatalf("the key is %s, want %s", got, state)
	}
	return id
}

var states = []keymgr.KeyState{
	keymgr.StatePending, keymgr.StatePrimary, keymgr.StateActive, keymgr.StateDisabled, keymgr.StateDestroyed,
}

// operations on a key of "medical", and the state that each leads to from each
// of states; "": refused.
var operations = map[string]struct {
	do func(context.Context, *keymgr.Manager, keymgr.Purpose, uint32) error
	to [5]keymgr.KeyState
}{
	"promote": {func(ctx context.Context, m *keymgr.Manager, p keymgr.Purpose, id uint32) error {
		return m.PromoteKey(ctx, medical, p, id)
	}, [5]keymgr.KeyState{keymgr.StatePrimary, "", keymgr.StatePrimary, "", ""}},
	"disable": {func(ctx context.Context, m *keymgr.Manager, p keymgr.Purpose, id uint32) error {
		return m.DisableKey(ctx, medical, p, id, overridden)
	}, [5]keymgr.KeyState{keymgr.StateDisabled, "", keymgr.StateDisabled, "", ""}},
	"enable": {func(ctx context.Context, m *keymgr.Manager, p keymgr.Purpose, id uint32) error {
		return m.EnableKey(ctx, medical, p, id)
	}, [5]keymgr.KeyState{"", "", "", keymgr.StateActive, ""}},
	"destroy": {func(ctx context.Context, m *keymgr.Manager, p keymgr.Purpose, id uint32) error {
		return m.DestroyKey(ctx, medical, p, id, overridden)
	}, [5]keymgr.KeyState{"", "", "", keymgr.StateDestroyed, ""}},
}

func TestEveryStateUnderEveryOperation(t *testing.T) {
	for name, op := range operations {
		for i, state := range states {
			for _, p := range []keymgr.Purpose{keymgr.Seal, keymgr.Index} {
				t.Run(fmt.Sprintf("%s %s %s key", name, state, p), func(t *testing.T) {
					inBubble(t, func(t *testing.T) {
						f := newFixture(t)
						id := keyIn(t, f.Manager, p, state)
						before, calls := f.record(medical), f.kek.Calls()
						err := op.do(t.Context(), f.Manager, p, id)
						if op.to[i] == "" {
							mustBe(t, name, err, keymgr.ErrKeyState)
							if got := f.record(medical); got.Version != before.Version || got.Info != before.Info {
								t.Errorf("what was refused has changed the record: %s", got.Info)
							}
							if got := f.kek.Calls(); got.GenerateDataKey != calls.GenerateDataKey {
								t.Error("what is refused asks the KMS for a new data key")
							}
							return
						}
						mustBe(t, name, err, nil)
						if got := stateOf(t, f.Manager, p, id); got != op.to[i] {
							t.Errorf("cached: %s, want %s", got, op.to[i])
						}
						f.Evict(medical)
						if got := stateOf(t, f.Manager, p, id); got != op.to[i] {
							t.Errorf("stored: %s, want %s", got, op.to[i])
						}
						after := f.record(medical)
						if after.Version != before.Version+1 || string(after.Wraps[0].Wrapped) == string(before.Wraps[0].Wrapped) {
							t.Errorf("version %d after %d, or the old data key", after.Version, before.Version)
						}
						mustServe(t, f.keys(medical), p, id, op.to[i])
					})
				})
			}
		}
	}
}

// mustServe checks what a key in a state does for readers and searches.
func mustServe(t *testing.T, k *keymgr.Keys, p keymgr.Purpose, id uint32, state keymgr.KeyState) {
	t.Helper()
	dead := state == keymgr.StateDisabled || state == keymgr.StateDestroyed
	if p == keymgr.Seal {
		_, err := k.SealKey(id)
		if want := error(keymgr.ErrKeyDisabled); dead {
			mustBe(t, "SealKey", err, want)
		} else {
			mustBe(t, "SealKey", err, nil)
		}
		return
	}
	searched := false
	for _, key := range k.IndexKeys() {
		searched = searched || key.ID() == id
	}
	if searched == dead {
		t.Errorf("a %s index key is searched with: %v", state, searched)
	}
}

func TestUnknownKeysAndPurposes(t *testing.T) {
	f := newFixture(t)
	k := f.keys(medical)
	for name, op := range operations {
		mustBe(t, name, op.do(t.Context(), f.Manager, keymgr.Index, k.Primary().ID()), keymgr.ErrUnknownKey)
		mustBe(t, name, op.do(t.Context(), f.Manager, keymgr.Seal, 0), keymgr.ErrUnknownKey)
		mustBe(t, name, op.do(t.Context(), f.Manager, "signing", k.Primary().ID()), keymgr.ErrKeyState)
	}
	if k.Info("signing") != nil {
		t.Error("keys of no purpose")
	}
}

func TestAKeyIsDestroyedOnlyWhenNoCacheCanHaveIt(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFixture(t)
		id := keyIn(t, f.Manager, keymgr.Seal, keymgr.StatePending)
		mustBe(t, "DisableKey", f.DisableKey(t.Context(), medical, keymgr.Seal, id, overridden), nil)
		from := infoOf(t, f.Manager, keymgr.Seal, id).Changed.Add(largestAge)
		time.Sleep(time.Until(from) - time.Nanosecond)
		err := f.DestroyKey(t.Context(), medical, keymgr.Seal, id, overridden)
		mustBe(t, "DestroyKey a moment too early", err, keymgr.ErrKeyState)
		if !strings.Contains(err.Error(), from.Format(time.RFC3339)) {
			t.Errorf("%v does not name %v", err, from)
		}
		time.Sleep(time.Nanosecond)
		mustBe(t, "DestroyKey", f.DestroyKey(t.Context(), medical, keymgr.Seal, id, overridden), nil)
		k := f.keys(medical)
		if h := k.SealHandle(); h.Len() != 1 {
			t.Errorf("%d keys in the keyset: the bytes are still there", h.Len())
		}
		if _, err := f.KeysFor(t.Context(), medical, id); err != nil {
			t.Errorf("KeysFor: %v", err)
		}
	})
}

// Instances that saw the key disabled would miss what it writes.
func TestAKeyThatWasEnabledIsPromotedOnlyWhenItIsReadAgain(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFixture(t)
		ctx := t.Context()
		old := keyIn(t, f.Manager, keymgr.Index, keymgr.StateActive)
		aged()
		mustBe(t, "DisableKey", f.DisableKey(ctx, medical, keymgr.Index, old, overridden), nil)
		time.Sleep(10 * time.Second)
		mustBe(t, "EnableKey", f.EnableKey(ctx, medical, keymgr.Index, old), nil)
		mustBe(t, "PromoteKey at once", f.PromoteKey(ctx, medical, keymgr.Index, old), keymgr.ErrKeyState)
		other := keyIn(t, f.Manager, keymgr.Index, keymgr.StatePending) // and time passes
		mustBe(t, "PromoteKey", f.PromoteKey(ctx, medical, keymgr.Index, other), nil)
		mustBe(t, "PromoteKey", f.PromoteKey(ctx, medical, keymgr.Index, old), nil)
	})
}

// Enabled in the second in which another was replaced, it must not look the same.
func TestAKeyEnabledInTheSecondOfAPromotionIsNotTakenForTheOldPrimary(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFixture(t)
		ctx := t.Context()
		first := f.keys(medical).Primary().ID()
		a, b := keyIn(t, f.Manager, keymgr.Seal, keymgr.StateDisabled), keyIn(t, f.Manager, keymgr.Seal, keymgr.StatePending)
		time.Sleep(100 * time.Millisecond) // inside a second
		mustBe(t, "EnableKey", f.EnableKey(ctx, medical, keymgr.Seal, a), nil)
		mustBe(t, "PromoteKey", f.PromoteKey(ctx, medical, keymgr.Seal, b), nil)
		mustBe(t, "PromoteKey of the enabled key", f.PromoteKey(ctx, medical, keymgr.Seal, a), keymgr.ErrKeyState)
		mustBe(t, "PromoteKey of the old primary", f.PromoteKey(ctx, medical, keymgr.Seal, first), nil)
		aged()
		mustBe(t, "PromoteKey", f.PromoteKey(ctx, medical, keymgr.Seal, a), nil)
	})
}

func TestAKeyThatAReindexNamesStays(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFixture(t)
		ctx := t.Context()
		id := keyIn(t, f.Manager, keymgr.Index, keymgr.StatePending)
		mustBe(t, "BeginReindex", f.BeginReindex(ctx, medical, mrnIndex, id), nil)
		if got := f.keys(medical).Reindexes(); len(got) != 1 || got[0] != (keymgr.Reindex{Index: mrnIndex, KeyID: id}) {
			t.Errorf("Reindexes: %+v", got)
		}
		err := f.DisableKey(ctx, medical, keymgr.Index, id, overridden)
		mustBe(t, "DisableKey", err, keymgr.ErrKeyState)
		if !strings.Contains(err.Error(), mrnIndex) {
			t.Errorf("%v does not name the index", err)
		}
		mustBe(t, "EndReindex", f.EndReindex(ctx, medical, mrnIndex), nil)
		mustBe(t, "DisableKey", f.DisableKey(ctx, medical, keymgr.Index, id, overridden), nil)
		mustBe(t, "BeginReindex", f.BeginReindex(ctx, medical, mrnIndex, id), keymgr.ErrKeyState)
	})
}

func TestTheLifeOfAKeyIsLogged(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFixture(t)
		ctx := keymgr.WithActor(t.Context(), "ops@example")
		id := keyIn(t, f.Manager, keymgr.Seal, keymgr.StatePending)
		proof := proofOf(f.keys(medical), keymgr.Seal, id)
		mustBe(t, "DisableKey", f.DisableKey(ctx, medical, keymgr.Seal, id, proof), nil)
		mustBe(t, "EnableKey", f.EnableKey(ctx, medical, keymgr.Seal, id), nil)
		mustBe(t, "DisableKey", f.DisableKey(ctx, medical, keymgr.Seal, id, keymgr.Proof{Override: " because\x00 "}), nil)
		aged()
		mustBe(t, "DestroyKey", f.DestroyKey(ctx, medical, keymgr.Seal, id, proofOf(f.keys(medical), keymgr.Seal, id)), nil)
		events, err := f.store.Store.(*memstore.Store).Events(t.Context(), medical)
		mustBe(t, "Events", err, nil)
		events = events[len(events)-4:]
		for i, want := range []keymgr.Event{
			{Version: 3, Kind: keymgr.EventKeyDisabled, Detail: "proof sha256:" + proof.SHA256() + ", columns 2, rows 30, opened 30, left 0, ended "},
			{Version: 4, Kind: keymgr.EventKeyEnabled},
			{Version: 5, Kind: keymgr.EventKeyDisabled, Detail: "override: because"},
			{Version: 6, Kind: keymgr.EventKeyDestroyed, Detail: "proof sha256:"},
		} {
			e := events[i]
			if e.Version != want.Version || e.Kind != want.Kind || e.Purpose != keymgr.Seal || e.KeyID != id || e.Actor != "ops@example" ||
				!strings.HasPrefix(e.Detail, want.Detail) || e.At.IsZero() {
				t.Errorf("event %+v, want %+v", e, want)
			}
		}
		if n := strings.Count(f.log.String(), "overridden"); n != 1 || !strings.Contains(f.log.String(), "reason=because") {
			t.Errorf("the override is logged %d times", n)
		}
	})
}

func TestTwoOperatorsHaveOneWinner(t *testing.T) {
	type change func(ctx context.Context, m *keymgr.Manager, old, disabled uint32) error
	changes := map[string]change{
		"add": func(ctx context.Context, m *keymgr.Manager, _, _ uint32) error {
			_, err := m.AddKey(ctx, medical, keymgr.Seal)
			return err
		},
		"promote": func(ctx context.Context, m *keymgr.Manager, old, _ uint32) error {
			return m.PromoteKey(ctx, medical, keymgr.Seal, old)
		},
		"disable": func(ctx context.Context, m *keymgr.Manager, old, _ uint32) error {
			return m.DisableKey(ctx, medical, keymgr.Seal, old, overridden)
		},
		"enable": func(ctx context.Context, m *keymgr.Manager, _, disabled uint32) error {
			return m.EnableKey(ctx, medical, keymgr.Seal, disabled)
		},
		"destroy": func(ctx context.Context, m *keymgr.Manager, _, disabled uint32) error {
			return m.DestroyKey(ctx, medical, keymgr.Seal, disabled, overridden)
		},
		"destroy scope": func(ctx context.Context, m *keymgr.Manager, _, _ uint32) error {
			_, err := m.DestroyScope(ctx, medical, "test")
			return err
		},
	}
	for name, do := range changes {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				f := newFixture(t)
				old := keyIn(t, f.Manager, keymgr.Seal, keymgr.StateActive)
				disabled := keyIn(t, f.Manager, keymgr.Seal, keymgr.StateDisabled)
				aged()
				other, before := f.open(), f.keys(medical)
				// The other wins between our reading and our writing.
				f.store.Store = &beforeWrite{f.store.Store, func() {
					if _, err := other.AddKey(t.Context(), medical, keymgr.Index); err != nil {
						t.Errorf("AddKey: %v", err)
					}
				}}
				mustBe(t, "the one that lost", do(t.Context(), f.Manager, old, disabled), keymgr.ErrConflict)
				other.Evict(medical)
				k := mustKeys(t, other, medical)
				if k.Version() != before.Version()+1 || len(k.IndexKeys()) != len(before.IndexKeys())+1 {
					t.Errorf("the winner's change is lost: %v", k)
				}
				mustBe(t, "again", do(t.Context(), f.Manager, old, disabled), nil)
			})
		})
	}
}

// beforeWrite is a store in which something happens just before the first
// Replace or Delete.
type beforeWrite struct {
	keymgr.Store
	do func()
}

func (s *beforeWrite) once() {
	if do := s.do; do != nil {
		s.do = nil
		do()
	}
}

func (s *beforeWrite) Replace(ctx context.Context, r keymgr.Record, events []keymgr.Event) error {
	s.once()
	return s.Store.Replace(ctx, r, events)
}

func (s *beforeWrite) Delete(ctx context.Context, scope keymgr.Scope, v uint64, events []keymgr.Event) error {
	s.once()
	return s.Store.Delete(ctx, scope, v, events)
}

func TestInfoWithoutOpening(t *testing.T) {
	f := newFixture(t)
	r, k := f.record(medical), f.keys(medical)
	for _, p := range []keymgr.Purpose{keymgr.Seal, keymgr.Index} {
		got, err := r.UnverifiedInfo(p)
		if want := k.Info(p); err != nil || len(got) != 1 || got[0] != want[0] || got[0].State != keymgr.StatePrimary {
			t.Errorf("%s: %+v, %v, want %+v", p, got, err, want)
		}
	}
	r.Info += " "
	_, err := r.UnverifiedInfo(keymgr.Seal)
	mustBe(t, "another spelling", err, keymgr.ErrKeysetInvalid)
}
