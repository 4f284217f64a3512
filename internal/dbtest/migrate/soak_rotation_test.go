//go:build unix

package migrate_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/fieldcrypt/go/drivers/pgxcrypt"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/migrate"
)

// TestSoakRotation rotates the seal keys of two domains, round by round, while
// writers of every kind write, read and search through GORM and pgx. Two or three
// migrators, each a process of its own, do it, and are killed with kill -9 at
// random messages to Postgres. After each round every field of every row opens
// and is what was committed last, every row is found by search, and no value names
// another key than the primary.
func TestSoakRotation(t *testing.T) {
	rounds := soak(t, 3, 300)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	s := newSoakService(t, filepath.Join(t.TempDir(), "kms.key"))
	project := s.operator(t)
	writers := s.writers(t, rng, 600)
	killed := 0
	for round := range rounds {
		scope := keymgr.Scope{Domain: soakDomains[round%len(soakDomains)]}
		keys, err := project.Keys.Keys(t.Context(), scope)
		ok(t, err)
		end := race(writers)
		killed += s.rotate(t, rng, project, scope, keys.Primary().ID())
		want := end(t)
		if t.Failed() {
			t.Fatalf("in round %d of seed %d", round, seed)
		}
		s.compare(t, want)
		s.onPrimaryKeys(t, project)
		if t.Failed() {
			t.Fatalf("after round %d of seed %d", round, seed)
		}
	}
	total := map[string]int{}
	for _, w := range writers {
		for what, n := range w.done {
			total[what] += n
		}
	}
	t.Logf("%d rounds, %d migrators killed, %v", rounds, killed, total)
	for _, op := range soakOps {
		if total[op.name] == 0 {
			t.Errorf("no writer did: %s", op.name)
		}
	}
	if killed == 0 {
		t.Error("no migrator was killed")
	}
}

// rotate lets migrators replace a key and says how many were killed meanwhile.
func (s *soakService) rotate(t *testing.T, rng *rand.Rand, p *migrate.Project, scope keymgr.Scope, old uint32) (killed int) {
	t.Helper()
	const kills = 6 // after so many, nobody is killed any more
	migrators := 2 + rng.IntN(2)
	t.Cleanup(func() {
		if t.Failed() {
			s.explain(t, p, scope)
		}
	})
	ended := make(chan error)
	begin := func() {
		at := 0 // never
		if killed < kills {
			at = 1 + rng.IntN(500)
		}
		child := s.child(t, scope, old, at)
		go func() { ended <- child.Wait() }()
	}
	for range migrators {
		begin()
	}
	for running := migrators; running > 0; running-- {
		err := <-ended
		switch {
		case err == nil:
		case wasKilled(err):
			killed++
			begin()
			running++
		default:
			t.Errorf("a migrator: %v", err)
		}
	}
	// One that looked just before another came to the end has begun the next rotation.
	for {
		state, err := p.Rotation(t.Context(), scope)
		ok(t, err)
		if over(state) {
			break
		}
		rotateOnce(t, p, scope)
	}
	return killed
}

// over reports whether no rotation is under way.
func over(s *migrate.RotateState) bool {
	return s.Step == migrate.StepDone || s.Step == migrate.StepAdd && s.Key == 0
}

// race lets writers write until end is called, which returns what is committed.
func race(writers []*soakWriter) (end func(testing.TB) map[int64]soakPerson) {
	var stop atomic.Bool
	var writing sync.WaitGroup
	for _, w := range writers {
		writing.Go(func() {
			for !stop.Load() && w.err == nil {
				w.step()
				time.Sleep(time.Duration(w.rng.IntN(4)) * time.Millisecond) // the migrators need the processor too
			}
		})
	}
	return func(t testing.TB) map[int64]soakPerson {
		stop.Store(true)
		writing.Wait()
		want := map[int64]soakPerson{}
		for _, w := range writers {
			if w.err != nil {
				t.Errorf("a writer: %v", w.err)
			}
			maps.Copy(want, w.rows)
		}
		return want
	}
}

// compare opens every field through GORM, and finds every row through pgx.
func (s *soakService) compare(t *testing.T, want map[int64]soakPerson) {
	t.Helper()
	n := 0
	var page []soakPerson
	ok(t, s.gorm.FindInBatches(&page, 500, func(*gorm.DB, int) error {
		for _, p := range page {
			n++
			if w, there := want[p.ID]; !there || !p.same(w) {
				t.Errorf("row %d is not what was committed last", p.ID)
			}
		}
		return nil
	}).Error)
	if n != len(want) {
		t.Errorf("%d rows, %d were committed", n, len(want))
	}
	for ids := range slices.Chunk(slices.Collect(maps.Keys(want)), 500) {
		var terms [][]byte
		for _, id := range ids {
			term, err := pgxcrypt.Eq[soakPerson](context.Background(), s.fc, "mrn", want[id].MRN)
			ok(t, err)
			terms = append(terms, term...)
		}
		if found := s.query(t, `mrn_bidx = ANY($1)`, terms); len(found) != len(ids) {
			t.Errorf("%d of %d rows are found", len(found), len(ids))
		}
	}
}

// onPrimaryKeys fails if a value, or an index term, names a key that is not the
// primary one.
func (s *soakService) onPrimaryKeys(t *testing.T, p *migrate.Project) {
	t.Helper()
	census, err := p.Census(t.Context(), migrate.CensusOptions{Exact: true})
	ok(t, err)
	lines := 0
	for _, table := range census.Tables {
		for _, l := range table.Counts {
			lines++
			if l.State != string(keymgr.StatePrimary) && l.State != migrate.CensusNull {
				t.Errorf("%s.%s: %d values of key %d, which is %s", table.Table, l.Column, l.Values, l.KeyID, l.State)
			}
		}
	}
	if lines == 0 {
		t.Error("the census has counted nothing")
	}
	// And so that the census is not believed alone:
	for _, domain := range soakDomains {
		keys, err := p.Keys.Keys(t.Context(), keymgr.Scope{Domain: domain})
		ok(t, err)
		for _, column := range soakColumns[domain] {
			query := fmt.Sprintf(`SELECT count(*) FROM soak_people WHERE substr(%s, 4, 4) <> $1`, column)
			id := keys.Primary().ID()
			if n := s.int(t, query, []byte{byte(id >> 24), byte(id >> 16), byte(id >> 8), byte(id)}); n != 0 {
				t.Errorf("%s: %d values do not name the primary key", column, n)
			}
		}
	}
}

// explain logs where a rotation stands.
func (s *soakService) explain(t *testing.T, p *migrate.Project, scope keymgr.Scope) {
	p.Keys.Evict(scope)
	if keys, err := p.Keys.Keys(context.Background(), scope); err == nil {
		t.Logf("%s: %+v", scope, keys.Info(keymgr.Seal))
	}
	ids, err := migrate.List(context.Background(), p.DB, true)
	ok(t, err)
	for _, id := range ids {
		job, err := migrate.Load(context.Background(), p.DB, id)
		ok(t, err)
		t.Logf("job %s: %s, %s, pass %d, %s", id, job.Spec.Kind, job.Phase, job.Pass, job.Spec.Params)
	}
}
