package keymgr_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldcrypt/go/keymgr"
)

const mrnIndex = "patients.mrn_bidx"

func TestReindexNamesTheSecondKeyUntilItEnds(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFixture(t)
		ctx := keymgr.WithActor(t.Context(), "ops@example")
		other := f.open()
		if f.keys(medical).Reindexing(mrnIndex) != nil {
			t.Error("an index is being moved that nobody has begun to move")
		}
		id, err := f.AddKey(ctx, medical, keymgr.Index)
		mustBe(t, "AddKey", err, nil)
		mustBe(t, "BeginReindex", f.BeginReindex(ctx, medical, mrnIndex, id), nil)
		k := f.keys(medical)
		if key := k.Reindexing(mrnIndex); key == nil || key.ID() != id {
			t.Errorf("Reindexing: %v, want key %d", key, id)
		}
		if k.Reindexing("patients.name_bidx") != nil {
			t.Error("another index is being moved too")
		}
		if k.IndexKeys()[0].ID() == id {
			t.Error("the new key writes the first column")
		}
		mustBe(t, "BeginReindex again", f.BeginReindex(ctx, medical, mrnIndex, id), keymgr.ErrKeyState)

		time.Sleep(cacheTTL + time.Second) // another instance learns of it by its refresh
		synctest.Wait()
		k, err = other.Keys(ctx, medical)
		mustBe(t, "Keys", err, nil)
		if key := k.Reindexing(mrnIndex); key == nil || key.ID() != id {
			t.Errorf("another instance: Reindexing: %v, want key %d", key, id)
		}

		mustBe(t, "EndReindex", f.EndReindex(ctx, medical, mrnIndex), nil)
		if f.keys(medical).Reindexing(mrnIndex) != nil {
			t.Error("the index is still being moved")
		}
		mustBe(t, "EndReindex again", f.EndReindex(ctx, medical, mrnIndex), keymgr.ErrKeyState)
	})
}

func TestReindexIsRefused(t *testing.T) {
	f := newFixture(t)
	ctx := t.Context()
	k := f.keys(medical)
	primary := k.IndexKeys()[0].ID()
	mustBe(t, "a seal key", f.BeginReindex(ctx, medical, mrnIndex, k.Primary().ID()), keymgr.ErrUnknownKey)
	mustBe(t, "no key", f.BeginReindex(ctx, medical, mrnIndex, 0), keymgr.ErrUnknownKey)
	for _, name := range []string{"", `a"b`, "a\nb", "a<b", strings.Repeat("\x00", 70)} {
		mustBe(t, "a name that cannot be stored", f.BeginReindex(ctx, medical, name, primary), keymgr.ErrKeyState)
	}
	if v := f.keys(medical).Version(); v != 1 {
		t.Errorf("what was refused made version %d", v)
	}
}

func TestReindexIsLogged(t *testing.T) {
	f := newFixture(t)
	ctx := keymgr.WithActor(t.Context(), "ops@example")
	mustBe(t, "Create", f.Create(ctx, acme), nil)
	id := f.keys(acme).IndexKeys()[0].ID()
	mustBe(t, "BeginReindex", f.BeginReindex(ctx, acme, mrnIndex, id), nil)
	mustBe(t, "EndReindex", f.EndReindex(ctx, acme, mrnIndex), nil)
	mustHaveEvents(t, f, acme, slices.Concat(createdEvents(f.keys(acme)), []keymgr.Event{
		{Version: 2, Kind: keymgr.EventReindexBegun, Purpose: keymgr.Index, KeyID: id, Detail: mrnIndex},
		{Version: 3, Kind: keymgr.EventReindexEnded, Purpose: keymgr.Index, KeyID: id, Detail: mrnIndex},
	})...)
}

func createdEvents(k *keymgr.Keys) []keymgr.Event {
	return []keymgr.Event{
		{Version: 1, Kind: keymgr.EventCreated},
		{Version: 1, Kind: keymgr.EventKeyAdded, Purpose: keymgr.Seal, KeyID: k.Primary().ID()},
		{Version: 1, Kind: keymgr.EventKeyAdded, Purpose: keymgr.Index, KeyID: k.IndexKeys()[0].ID()},
	}
}
