package keylife_test

import (
	"database/sql"
	"fmt"
	"runtime"
	"testing"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
)

// outcome is what becomes of an operation that is run again after a crash.
type outcome struct {
	alreadyDone error // what it says if the crash came after its commit; nil: it is done once more
	keys        func(scopeKeys) map[uint32]keymgr.KeyState
	wraps       int
}

func after(change func(map[uint32]keymgr.KeyState, scopeKeys)) func(scopeKeys) map[uint32]keymgr.KeyState {
	return func(k scopeKeys) map[uint32]keymgr.KeyState {
		states := map[uint32]keymgr.KeyState{
			k.Primary: keymgr.StatePrimary, k.Active: keymgr.StateActive,
			k.Pending: keymgr.StatePending, k.Disabled: keymgr.StateDisabled,
		}
		change(states, k)
		return states
	}
}

func unchanged(map[uint32]keymgr.KeyState, scopeKeys) {}

var outcomes = map[string]outcome{
	"create": {keymgr.ErrScopeExists, nil, 2},
	"add":    {nil, after(unchanged), 2},
	"promote": {keymgr.ErrKeyState, after(func(s map[uint32]keymgr.KeyState, k scopeKeys) {
		s[k.Pending], s[k.Primary] = keymgr.StatePrimary, keymgr.StateActive
	}), 2},
	"rewrap":        {nil, after(unchanged), 2},
	"disable":       {keymgr.ErrKeyState, after(func(s map[uint32]keymgr.KeyState, k scopeKeys) { s[k.Active] = keymgr.StateDisabled }), 2},
	"enable":        {keymgr.ErrKeyState, after(func(s map[uint32]keymgr.KeyState, k scopeKeys) { s[k.Disabled] = keymgr.StateActive }), 2},
	"destroy":       {keymgr.ErrKeyState, after(func(s map[uint32]keymgr.KeyState, k scopeKeys) { s[k.Disabled] = keymgr.StateDestroyed }), 2},
	"destroy-scope": {keymgr.ErrScopeDestroyed, nil, 0},
}

func TestAnOperatorKilledAnywhereCanBeginAgain(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("tells a killed process by its signal")
	}
	p := newPlace(t)
	db := p.pool(t, nil)
	store := sqlstore.New(db)
	for name, want := range outcomes {
		t.Run(name, func(t *testing.T) {
			kept, changed := 0, 0 // crashes that left what was before, and what comes after
			for point := int64(1); ; point++ {
				job := task{p.dsn, p.dir, name, keymgr.Scope{Domain: domain, Tenant: fmt.Sprint(name, point)}, scopeKeys{}, point}
				var sealed sealedValue
				if name != "create" {
					job.Keys = p.prepare(t, store, job.Scope)
					sealed = seal(t, p.operator(t, store, 0), job.Scope)
				}
				before := history(t, store, job.Scope)
				killed := job.inChild(t)
				done := history(t, store, job.Scope) > before
				if !killed && !done {
					t.Fatal("the child has done nothing")
				}
				if t.Run(fmt.Sprint("point ", point), func(t *testing.T) { job.check(t, db, store, want, sealed, done) }); !killed {
					break
				}
				if done {
					changed++
				} else {
					kept++
				}
			}
			if kept < 8 || changed < 1 {
				t.Errorf("killed at %d points before the commit and %d after: the points do not cover the operation", kept, changed)
			}
			t.Logf("killed at %d points before the commit, %d after", kept, changed)
		})
	}
}

// check looks at what a crash has left, runs the operation again, and looks
// at what there is then.
func (job task) check(t *testing.T, db *sql.DB, store *sqlstore.Store, want outcome, sealed sealedValue, done bool) {
	ctx := t.Context()
	p := place{job.DSN, job.Dir}
	keks, err := p.keks("a", "b", "c")
	must(t, err)
	reader, err := manager(store, keks, nil, 0)
	must(t, err)
	defer reader.Close()
	opens := func() {
		t.Helper()
		k, err := reader.Keys(ctx, job.Scope)
		switch {
		case job.Operation == "create" && !done:
			mustBe(t, "Keys", err, keymgr.ErrScopeNotFound)
		case job.Operation == "destroy-scope" && done:
			mustBe(t, "Keys", err, keymgr.ErrScopeDestroyed)
		case err != nil:
			t.Errorf("the scope does not open: %v", err)
		default:
			sealed.mustOpen(t, k)
		}
		mustBeWhole(t, db, store, job.Scope)
	}
	opens()

	m, err := job.manager(store, nil)
	must(t, err)
	defer m.Close()
	err = operations[job.Operation](ctx, m, job.Scope, job.Keys)
	if done && want.alreadyDone != nil {
		mustBe(t, "again", err, want.alreadyDone)
	} else if err != nil {
		t.Errorf("again: %v", err)
	}
	done = true
	reader.Evict(job.Scope)
	opens()
	if want.keys == nil {
		return
	}
	k, err := reader.Keys(ctx, job.Scope)
	must(t, err)
	expected := want.keys(job.Keys)
	for _, info := range k.Info(keymgr.Seal) {
		if state, ok := expected[info.ID]; ok && info.State != state {
			t.Errorf("key %d is %s, want %s", info.ID, info.State, state)
		}
	}
	r, err := store.Load(ctx, job.Scope)
	must(t, err)
	if n := len(r.Wraps); n != want.wraps {
		t.Errorf("%d wraps, want %d", n, want.wraps)
	}
	if job.Operation == "rewrap" && r.Wraps[0].KEKURI != keks[1].URI() && r.Wraps[1].KEKURI != keks[1].URI() {
		t.Errorf("wrapped under %v", r.Wraps)
	}
}
