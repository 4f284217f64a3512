package sqlstore_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
)

const racers = 50

// race lets racers change one store at once, through two pools as two processes
// would. One must win, the others must lose with lost, and no event of theirs
// may stay.
func race(t *testing.T, lost error, prepare func(*testing.T, keymgr.Store), change func(s keymgr.Store, by string, e []keymgr.Event) error, check func(t *testing.T, s keymgr.Store, winner string)) {
	onEach(t, func(t *testing.T, d database) {
		if d.dsn == ":memory:" {
			t.Skip("of one pool alone")
		}
		db := migrated(t, d)
		stores := [2]keymgr.Store{sqlstore.New(db), sqlstore.New(d.pool(t))}
		prepare(t, stores[0])

		var (
			wg    sync.WaitGroup
			start = make(chan struct{})
			errs  [racers]error
		)
		for i := range racers {
			wg.Go(func() {
				<-start
				errs[i] = change(stores[i%2], fmt.Sprint(i), []keymgr.Event{
					{Scope: medical, Version: 1, Kind: keymgr.EventKeyAdded, Purpose: keymgr.Seal, KeyID: uint32(i + 1), Actor: fmt.Sprint(i)},
				})
			})
		}
		close(start)
		wg.Wait()

		winner := ""
		for i, err := range errs {
			switch {
			case err == nil && winner == "":
				winner = fmt.Sprint(i)
			case err == nil:
				t.Errorf("%d has won too", i)
			case !errors.Is(err, lost):
				t.Errorf("%d: got %v, want %v", i, err, lost)
			}
		}
		if winner == "" {
			t.Fatal("nobody has won")
		}
		check(t, stores[1], winner)
		if n := count(t, db, `SELECT count(*) FROM fieldcrypt_key_events WHERE actor = $1`, winner); n != 1 {
			t.Errorf("%d events of the winner, want 1", n)
		}
		if n := count(t, db, `SELECT count(*) FROM fieldcrypt_key_events`); n != 1 {
			t.Errorf("%d events, want the winner's alone", n)
		}
	})
}

func TestRacingCreates(t *testing.T) {
	race(t, keymgr.ErrScopeExists,
		func(*testing.T, keymgr.Store) {},
		func(s keymgr.Store, by string, e []keymgr.Event) error {
			return s.Create(t.Context(), record(medical, 1, by), e)
		},
		func(t *testing.T, s keymgr.Store, winner string) {
			if !same(load(t, s, medical), record(medical, 1, winner)) {
				t.Error("the record is not the winner's")
			}
		})
}

func TestRacingReplaces(t *testing.T) {
	race(t, keymgr.ErrConflict,
		func(t *testing.T, s keymgr.Store) { ok(t, s.Create(t.Context(), record(medical, 1, "first"), nil)) },
		func(s keymgr.Store, by string, e []keymgr.Event) error {
			return s.Replace(t.Context(), record(medical, 2, by), e)
		},
		func(t *testing.T, s keymgr.Store, winner string) {
			if !same(load(t, s, medical), record(medical, 2, winner)) {
				t.Error("the record is not the winner's")
			}
		})
}

func TestRacingSwapsOfWraps(t *testing.T) {
	first := record(medical, 1, "first")
	race(t, keymgr.ErrConflict,
		func(t *testing.T, s keymgr.Store) { ok(t, s.Create(t.Context(), first, nil)) },
		func(s keymgr.Store, by string, e []keymgr.Event) error {
			return s.SwapWraps(t.Context(), medical, 1, first.Wraps, record(medical, 1, by).Wraps, e)
		},
		func(t *testing.T, s keymgr.Store, winner string) {
			want := first
			want.Wraps = record(medical, 1, winner).Wraps
			if !same(load(t, s, medical), want) {
				t.Error("the wraps are not the winner's, or more than the wraps has changed")
			}
		})
}

// Swapping wraps and replacing the version both change the wraps: whoever is
// second must see it.
func TestRacingSwapsAndReplaces(t *testing.T) {
	first := record(medical, 1, "first")
	onBoth(t, func(t *testing.T, d database) {
		stores := [2]keymgr.Store{sqlstore.New(migrated(t, d)), sqlstore.New(d.pool(t))}
		for round := range 10 {
			scope := keymgr.Scope{Domain: "medical", Tenant: fmt.Sprint(round)}
			ok(t, stores[0].Create(t.Context(), with(first, scope), nil))
			var swapErr, replaceErr error
			var wg sync.WaitGroup
			wg.Go(func() {
				swapErr = stores[0].SwapWraps(t.Context(), scope, 1, first.Wraps, record(scope, 1, "swap").Wraps, nil)
			})
			wg.Go(func() { replaceErr = stores[1].Replace(t.Context(), record(scope, 2, "replace"), nil) })
			wg.Wait()
			ok(t, replaceErr) // it asks for the version, which a swap does not change
			if swapErr != nil {
				wantErr(t, swapErr, keymgr.ErrConflict)
			}
			if !same(load(t, stores[0], scope), record(scope, 2, "replace")) {
				t.Error("wraps of version 1 in version 2")
			}
		}
	})
}

func with(r keymgr.Record, s keymgr.Scope) keymgr.Record {
	r.Scope = s
	return r
}

// A reader never sees the keysets of one version with the wraps of another.
func TestReadersSeeWholeVersions(t *testing.T) {
	onBoth(t, func(t *testing.T, d database) {
		writer, reader := sqlstore.New(migrated(t, d)), sqlstore.New(d.pool(t))
		ok(t, writer.Create(t.Context(), record(medical, 1, "w"), nil))
		const last = 100
		var wg sync.WaitGroup
		wg.Go(func() {
			for v := uint64(2); v <= last; v++ {
				if err := writer.Replace(t.Context(), record(medical, v, "w"), nil); err != nil {
					t.Error(err)
					return
				}
			}
		})
		for range 4 {
			wg.Go(func() {
				for v := uint64(0); v < last; {
					r, err := reader.Load(t.Context(), medical)
					if err != nil || r.Version < v || !same(r, record(medical, r.Version, "w")) {
						t.Errorf("after version %d: version %d, mixed or older, %v", v, r.Version, err)
						return
					}
					v = r.Version
				}
			})
		}
		wg.Wait()
	})
}
