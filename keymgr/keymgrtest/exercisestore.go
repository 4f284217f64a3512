package keymgrtest

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/fieldcrypt/go/keymgr"
)

// EventReader is what [ExerciseStore] reads the log of a store with, where the
// store offers it: the events of one scope, oldest first.
type EventReader interface {
	Events(ctx context.Context, s keymgr.Scope) ([]keymgr.Event, error)
}

// ExerciseStore is the conformance suite of [keymgr.Store], and of
// [keymgr.InstanceStore] for a store that is one. Each call of open
// gives an empty store that is ready for use.
func ExerciseStore(t *testing.T, open func(t *testing.T) keymgr.Store) {
	t.Helper()
	for _, c := range []struct {
		name string
		run  func(t *testing.T, s keymgr.Store)
	}{
		{"a scope that is not there", storeMissing},
		{"records come back byte for byte", storeRoundTrip},
		{"callers' memory is not shared", storeIsolation},
		{"versions are swapped in order", storeVersions},
		{"wraps are swapped by what they were", storeSwapWraps},
		{"scopes are listed in byte order and in pages", storeScopes},
		{"key ids are unique over all scopes for ever", storeKeyIDs},
		{"events are appended, and only with the change", storeEvents},
		{"a deleted scope is gone for ever", storeDelete},
		{"a deleted scope that was not destroyed can be made again", storeDeleteUnlogged},
		{"a refused Delete changes nothing", storeDeleteRefused},
		{"a cancelled context changes nothing", storeCancelled},
		{"concurrent Create has one winner", storeConcurrentCreate},
		{"concurrent Replace has one winner", storeConcurrentReplace},
		{"concurrent SwapWraps has one winner", storeConcurrentSwap},
		{"concurrent use of one key id has one winner", storeConcurrentKeyID},
		{"concurrent Delete has one winner", storeConcurrentDelete},
		{"Delete and Replace at once have one winner", storeConcurrentDeleteAndReplace},
		{"instances come back as they reported", onInstances(instancesRoundTrip)},
		{"instances report in full and in parts", onInstances(instancesChange)},
		{"a forgotten instance does not come back in part", onInstances(instancesForget)},
		{"the versions of many scopes are read at once", onInstances(instancesVersions)},
		{"instances go by one clock, read before the versions", onInstances(instancesClock)},
		{"a cancelled context changes no instance", onInstances(instancesCancelled)},
		{"reports and Forget at once leave no half", onInstances(instancesRace)},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
	}
}

var medical = keymgr.Scope{Domain: "medical"}

// sampleRecord fills every column with bytes that a careless store would change.
func sampleRecord(s keymgr.Scope, version uint64) keymgr.Record {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	return keymgr.Record{
		Scope:   s,
		Version: version,
		Seal:    append(every, byte(version)),
		Index:   append(bytes.Repeat([]byte{0}, 3), byte(version), 0xFF, 0xFE, 0),
		Info:    fmt.Sprintf(`{"v":1,"note":"ä – 名 😀 \u0000 '%%' \\ ","version":%d, "spaces":  "kept" }`, version),
		Wraps: []keymgr.Wrap{
			{KEKURI: "aws-kms:///alias/x?region=eu-west-1", Wrapped: append(slices.Clone(every), byte(version)), TenantContext: keymgr.TenantSHA256},
			{KEKURI: "aws-kms://B", Wrapped: []byte{0}},
			{KEKURI: "aws-kms://a", Wrapped: []byte{0xFF, 0}},
		},
	}
}

func storeMissing(t *testing.T, s keymgr.Store) {
	ctx := t.Context()
	_, err := s.Load(ctx, medical)
	mustMatch(t, "Load", err, keymgr.ErrScopeNotFound)
	_, err = s.Version(ctx, medical)
	mustMatch(t, "Version", err, keymgr.ErrScopeNotFound)
	err = s.Replace(ctx, sampleRecord(medical, 2), nil)
	mustMatch(t, "Replace", err, keymgr.ErrScopeNotFound, keymgr.ErrConflict)
	r := sampleRecord(medical, 1)
	err = s.SwapWraps(ctx, medical, 1, r.Wraps, r.Wraps[:1], nil)
	mustMatch(t, "SwapWraps", err, keymgr.ErrScopeNotFound, keymgr.ErrConflict)
	mustMatch(t, "Delete", s.Delete(ctx, medical, 1, nil), keymgr.ErrScopeNotFound, keymgr.ErrConflict)
	if list, err := s.Scopes(ctx, keymgr.Scope{}, 10); err != nil || len(list) != 0 {
		t.Errorf("Scopes = %v, %v", list, err)
	}
}

func storeRoundTrip(t *testing.T, s keymgr.Store) {
	for _, scope := range []keymgr.Scope{medical, {Domain: "medical", Tenant: "Acme:eu.1_x-y"}, {Domain: "medica", Tenant: "l"}} {
		r := sampleRecord(scope, 1)
		r.Seal = append(r.Seal, bytes.Repeat([]byte{0xAB, 0}, 50_000)...)
		mustCreate(t, s, r)
		mustHold(t, s, r)
	}
	first := mustLoad(t, s, medical)
	if first.CreatedAt.IsZero() || first.UpdatedAt.Before(first.CreatedAt) {
		t.Errorf("created at %v, updated at %v", first.CreatedAt, first.UpdatedAt)
	}
	for _, at := range []time.Time{first.CreatedAt, first.UpdatedAt} {
		if at.Location() != time.UTC || at.Nanosecond()%1000 != 0 {
			t.Errorf("time %v is not in UTC and microseconds", at)
		}
	}
	mustReplace(t, s, sampleRecord(medical, 2))
	second := mustLoad(t, s, medical)
	if !second.CreatedAt.Equal(first.CreatedAt) || second.UpdatedAt.Before(first.UpdatedAt) {
		t.Errorf("a new version turned created %v, updated %v into %v, %v", first.CreatedAt, first.UpdatedAt, second.CreatedAt, second.UpdatedAt)
	}
}

func storeIsolation(t *testing.T, s keymgr.Store) {
	r := sampleRecord(medical, 1)
	mustCreate(t, s, r)
	scribble(r)
	mustHold(t, s, sampleRecord(medical, 1))
	scribble(mustLoad(t, s, medical))
	mustHold(t, s, sampleRecord(medical, 1))
}

func scribble(r keymgr.Record) {
	clear(r.Seal)
	clear(r.Index)
	for i := range r.Wraps {
		clear(r.Wraps[i].Wrapped)
		r.Wraps[i].KEKURI = "scribbled"
	}
}

func storeVersions(t *testing.T, s keymgr.Store) {
	ctx := t.Context()
	mustCreate(t, s, sampleRecord(medical, 1))
	mustMatch(t, "a second Create", s.Create(ctx, sampleRecord(medical, 1), nil), keymgr.ErrScopeExists)
	mustReplace(t, s, sampleRecord(medical, 2))
	mustHold(t, s, sampleRecord(medical, 2))
	for _, v := range []uint64{1, 2, 4} {
		mustMatch(t, fmt.Sprintf("version %d over 2", v), s.Replace(ctx, sampleRecord(medical, v), nil), keymgr.ErrConflict)
	}
	mustHold(t, s, sampleRecord(medical, 2))
	third := sampleRecord(medical, 3)
	third.Wraps = third.Wraps[1:2] // exactly these wraps: those of version 2 are gone
	mustReplace(t, s, third)
	mustHold(t, s, third)
}

func storeSwapWraps(t *testing.T, s keymgr.Store) {
	ctx := t.Context()
	r := sampleRecord(medical, 1)
	mustCreate(t, s, r)
	fresh := []keymgr.Wrap{{KEKURI: "aws-kms://new", Wrapped: []byte{1, 0, 2}, TenantContext: keymgr.TenantSHA256}}
	changed := func(f func(*keymgr.Wrap)) []keymgr.Wrap {
		w := slices.Clone(r.Wraps)
		f(&w[1])
		return w
	}
	for name, old := range map[string][]keymgr.Wrap{
		"one missing":          r.Wraps[:2],
		"one too many":         append(slices.Clone(r.Wraps), fresh...),
		"none":                 nil,
		"other bytes":          changed(func(w *keymgr.Wrap) { w.Wrapped = []byte{0, 0} }),
		"another URI":          changed(func(w *keymgr.Wrap) { w.KEKURI = "aws-kms://b" }),
		"other tenant context": changed(func(w *keymgr.Wrap) { w.TenantContext = keymgr.TenantSHA256 }),
	} {
		mustMatch(t, name, s.SwapWraps(ctx, medical, 1, old, fresh, nil), keymgr.ErrConflict)
	}
	mustMatch(t, "another version", s.SwapWraps(ctx, medical, 2, r.Wraps, fresh, nil), keymgr.ErrConflict)
	mustHold(t, s, r)

	anyOrder := []keymgr.Wrap{r.Wraps[2], r.Wraps[0], r.Wraps[1]}
	if err := s.SwapWraps(ctx, medical, 1, anyOrder, fresh, nil); err != nil {
		t.Fatalf("SwapWraps: %v", err)
	}
	r.Wraps = fresh
	mustHold(t, s, r)
	mustMatch(t, "the same swap again", s.SwapWraps(ctx, medical, 1, anyOrder, fresh, nil), keymgr.ErrConflict)
	mustReplace(t, s, sampleRecord(medical, 2))
}

func mustCreate(t *testing.T, s keymgr.Store, r keymgr.Record, events ...keymgr.Event) {
	t.Helper()
	if err := s.Create(t.Context(), r, events); err != nil {
		t.Fatalf("Create %s: %v", r.Scope, err)
	}
}

func mustReplace(t *testing.T, s keymgr.Store, r keymgr.Record, events ...keymgr.Event) {
	t.Helper()
	if err := s.Replace(t.Context(), r, events); err != nil {
		t.Fatalf("Replace %s: %v", r.Scope, err)
	}
}

func mustLoad(t *testing.T, s keymgr.Store, scope keymgr.Scope) keymgr.Record {
	t.Helper()
	r, err := s.Load(t.Context(), scope)
	if err != nil {
		t.Fatalf("Load %s: %v", scope, err)
	}
	return r
}

// mustHold checks that the store holds r, apart from its times.
func mustHold(t *testing.T, s keymgr.Store, r keymgr.Record) {
	t.Helper()
	got := mustLoad(t, s, r.Scope)
	got.CreatedAt, got.UpdatedAt = time.Time{}, time.Time{}
	r.Wraps = slices.Clone(r.Wraps)
	slices.SortFunc(r.Wraps, func(a, b keymgr.Wrap) int { return bytes.Compare([]byte(a.KEKURI), []byte(b.KEKURI)) })
	if !reflect.DeepEqual(got, r) {
		t.Errorf("the store holds another record of %s: version %d (want %d), seal %v, index %v, info %v, wraps %v",
			r.Scope, got.Version, r.Version, bytes.Equal(got.Seal, r.Seal), bytes.Equal(got.Index, r.Index), got.Info == r.Info, reflect.DeepEqual(got.Wraps, r.Wraps))
	}
	if v, err := s.Version(t.Context(), r.Scope); err != nil || v != r.Version {
		t.Errorf("Version = %d, %v, want %d", v, err, r.Version)
	}
}
