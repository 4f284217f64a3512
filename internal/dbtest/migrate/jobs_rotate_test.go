package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/fieldcrypt/go/drivers/pgxcrypt"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/migrate"
)

// jobsWriter owns some of the patients, so that what was last committed is known.
type jobsWriter struct {
	rng  *rand.Rand
	rows map[int64]jobsPatient
	next int64
	n    int
	err  error
}

func (w *jobsWriter) any() int64 {
	for id := range w.rows {
		return id
	}
	return 0
}

// step writes one thing, through GORM or pgx, and then reads it back.
func (w *jobsWriter) step(j *jobs) error {
	ctx := context.Background()
	w.n++
	id := w.any()
	p := patient(id, w.n)
	switch w.rng.IntN(6) {
	case 0: // all of a row
		if err := j.app.orm.Save(&p).Error; err != nil {
			return err
		}
	case 1: // some columns
		have := w.rows[id]
		have.Name, have.Card = p.Name, p.Card
		p = have
		if err := j.app.orm.Model(&jobsPatient{ID: id}).Updates(map[string]any{"name": p.Name, "card": p.Card}).Error; err != nil {
			return err
		}
	case 2:
		if len(w.rows) < 20 {
			return nil
		}
		if err := j.app.orm.Delete(&jobsPatient{ID: id}).Error; err != nil {
			return err
		}
		delete(w.rows, id)
		return nil
	case 3:
		w.next++
		p = patient(w.next, w.n)
		if err := j.app.orm.Create(&p).Error; err != nil {
			return err
		}
	case 4: // pgx
		have := w.rows[id]
		have.Name, have.Room = p.Name, p.Room
		p = have
		if _, err := j.pool.Exec(ctx, `UPDATE patients SET name = @name, room = @room WHERE id = @id`, pgxcrypt.Args(j.app.fc, &p)); err != nil {
			return err
		}
	default: // a plain column
		p = w.rows[id]
		p.Ward += "x"
		if err := j.app.orm.Model(&jobsPatient{ID: id}).Update("ward", p.Ward).Error; err != nil {
			return err
		}
	}
	w.rows[p.ID] = p
	var found jobsPatient
	if err := j.app.orm.First(&found, "mrn = ?", p.MRN).Error; err != nil {
		return fmt.Errorf("row %d: %w", p.ID, err)
	}
	if found.Name != p.Name || found.Room != p.Room {
		return fmt.Errorf("row %d is not what was written", p.ID)
	}
	return nil
}

// writers write while f runs.
func (j *jobs) writers(t testing.TB, n, count int, f func()) map[int64]jobsPatient {
	t.Helper()
	var stop atomic.Bool
	var writing sync.WaitGroup
	list := make([]*jobsWriter, count)
	for i := range list {
		w := &jobsWriter{rng: rand.New(rand.NewPCG(rand.Uint64(), 1)), rows: map[int64]jobsPatient{}, next: int64(i+1) * 1_000_000}
		for id := i + 1; id <= n; id += count {
			w.rows[int64(id)] = patient(int64(id), 0)
		}
		list[i] = w
		writing.Go(func() {
			for !stop.Load() && w.err == nil {
				w.err = w.step(j)
			}
		})
	}
	f()
	stop.Store(true)
	writing.Wait()
	want := map[int64]jobsPatient{}
	wrote := 0
	for _, w := range list {
		ok(t, w.err)
		wrote += w.n
		for id, p := range w.rows {
			want[id] = p
		}
	}
	t.Logf("%d writes", wrote)
	return want
}

// same compares all rows, through the application, with what was last committed,
// and looks for each by its indexes.
func (j *jobs) same(t testing.TB, want map[int64]jobsPatient) {
	t.Helper()
	var all []jobsPatient
	ok(t, j.app.orm.Find(&all).Error)
	if len(all) != len(want) {
		t.Errorf("%d rows, want %d", len(all), len(want))
	}
	for _, p := range all {
		if !reflect.DeepEqual(p, want[p.ID]) {
			t.Fatalf("row %d is\n%+v, want\n%+v", p.ID, p, want[p.ID])
		}
	}
	for id, p := range want {
		var found []jobsPatient
		ok(t, j.app.orm.Select("id").Find(&found, "mrn = ?", p.MRN).Error)
		if len(found) != 1 || found[0].ID != id {
			t.Fatalf("a search for row %d finds %d", id, len(found))
		}
		if id%50 > 0 {
			continue
		}
		ok(t, j.app.orm.Select("id").Find(&found, "card = ?", p.Card).Error)
		if len(found) != 1 {
			t.Fatalf("a search for the card of row %d finds %d", id, len(found))
		}
	}
}

func TestJobsRotateUnderLiveWriters(t *testing.T) { rotateUnderWriters(t, 1) }

func TestSoakJobsRotateUnderLiveWriters(t *testing.T) { rotateUnderWriters(t, soak(t, 5, 100)) }

// rotateUnderWriters rotates keys while an application writes and reads. Nothing
// is lost or unreadable, nothing is left on the old key, and no search misses.
func rotateUnderWriters(t *testing.T, rounds int) {
	ctx := context.Background()
	const n = 3000
	for range rounds {
		j := newJobs(t, &jobsPatient{}, &jobsVisit{})
		j.patients(t, n)
		old := j.primary(t, jobsMedical)
		finance := j.primary(t, keymgr.Scope{Domain: "finance"})
		before := j.project.Keys.Stats().KMSCalls
		var state *migrate.RotateState
		steps := map[migrate.Step]bool{}
		want := j.writers(t, n, 4, func() {
			var err error
			state, err = j.project.Rotate(ctx, jobsMedical, migrate.RotateOptions{Progress: func(s migrate.RotateState) { steps[s.Step] = true }})
			if err != nil {
				t.Errorf("%v: %v", state, err)
			}
		})
		if calls := j.project.Keys.Stats().KMSCalls - before; calls > 15 {
			t.Errorf("a rotation made %d KMS calls", calls)
		} else {
			t.Logf("%d KMS calls", calls)
		}
		if len(steps) != 8 {
			t.Errorf("it told of %v", steps)
		}
		if state.Step != migrate.StepDone || len(state.Proofs) != 1 || state.Key == old {
			t.Fatalf("%+v", state)
		}
		if s := j.state(t, jobsMedical, old); s != keymgr.StateDisabled {
			t.Errorf("the old key is %s", s)
		}
		if left := j.named(t, old); left != 0 {
			t.Errorf("%d values name the old key", left)
		}
		if id := j.primary(t, keymgr.Scope{Domain: "finance"}); id != finance {
			t.Error("another domain's key was replaced")
		}
		j.same(t, want)
		if guards := j.int(t, `SELECT count(*) FROM pg_constraint WHERE conname LIKE 'fieldcrypt_gone%'`); guards != 0 {
			t.Errorf("%d guards are left", guards)
		}
		if live := j.int(t, `SELECT count(*) FROM fieldcrypt_jobs WHERE finished_at IS NULL`); live != 0 {
			t.Errorf("%d jobs are live", live)
		}
		report, err := j.project.Verify(ctx, migrate.VerifyOptions{})
		ok(t, err)
		if !report.OK() || report.Tables[0].Columns[0].Values == 0 {
			t.Errorf("%+v", report)
		}
	}
}

// TestJobsRotateIsResumedFromEveryStep stops a rotation at each step, twice.
func TestJobsRotateIsResumedFromEveryStep(t *testing.T) {
	ctx := context.Background()
	j := newJobs(t, &jobsPatient{})
	j.patients(t, 500)
	for _, stop := range []migrate.Step{migrate.StepAdd, migrate.StepWait, migrate.StepPromote, migrate.StepSweep, migrate.StepGuard, migrate.StepVerify, migrate.StepDisable} {
		old := j.primary(t, jobsMedical)
		for range 2 {
			stopped, cancel := context.WithCancel(ctx)
			state, err := j.project.Rotate(stopped, jobsMedical, migrate.RotateOptions{Progress: func(s migrate.RotateState) {
				if s.Step == stop {
					cancel()
				}
			}})
			cancel()
			if stop != migrate.StepDisable && !errors.Is(err, migrate.ErrIncomplete) || err != nil && !errors.Is(err, context.Canceled) {
				t.Fatalf("%s: %+v, %v", stop, state, err)
			}
			at, err := j.project.Rotation(ctx, jobsMedical)
			ok(t, err)
			if at.Step == "" || at.Next == "" {
				t.Errorf("%+v", at)
			}
		}
		if at, err := j.project.Rotation(ctx, jobsMedical); err != nil {
			t.Fatal(err)
		} else if at.Step != migrate.StepDone || stop == migrate.StepAdd {
			state, err := j.project.Rotate(ctx, jobsMedical, migrate.RotateOptions{})
			if err != nil || state.Step != migrate.StepDone {
				t.Fatalf("%s: %+v, %v", stop, state, err)
			}
		}
		if s := j.state(t, jobsMedical, old); s != keymgr.StateDisabled {
			t.Errorf("stopped at %s: the old key is %s", stop, s)
		}
		keys, err := j.project.Keys.Keys(ctx, jobsMedical)
		ok(t, err)
		for _, k := range keys.Info(keymgr.Seal) {
			if k.State != keymgr.StateDisabled && k.State != keymgr.StatePrimary {
				t.Errorf("stopped at %s: key %d is %s", stop, k.ID, k.State)
			}
		}
	}
	j.same(t, func() map[int64]jobsPatient {
		want := map[int64]jobsPatient{}
		for id := int64(1); id <= 500; id++ {
			want[id] = patient(id, 0)
		}
		return want
	}())
}

// TestJobsRotateUntilEveryStep takes one step more with each call.
func TestJobsRotateUntilEveryStep(t *testing.T) {
	ctx := context.Background()
	j := newJobs(t, &jobsPatient{})
	j.patients(t, 300)
	old := j.primary(t, jobsMedical)
	for _, c := range []struct{ until, next migrate.Step }{
		{migrate.StepAdd, migrate.StepWait}, {migrate.StepWait, migrate.StepWait}, {migrate.StepPromote, migrate.StepSweep}, {migrate.StepSweep, migrate.StepGuard},
		{migrate.StepGuard, migrate.StepGuard}, {migrate.StepVerify, migrate.StepDisable}, {migrate.StepDisable, migrate.StepDone},
	} {
		if _, err := j.project.Rotate(ctx, jobsMedical, migrate.RotateOptions{Until: c.until}); err != nil {
			t.Fatalf("until %s: %v", c.until, err)
		}
		at, err := j.project.Rotation(ctx, jobsMedical)
		ok(t, err)
		if at.Step != c.next {
			t.Errorf("after %s it is at %s", c.until, at.Step)
		}
	}
	if s := j.state(t, jobsMedical, old); s != keymgr.StateDisabled {
		t.Errorf("the old key is %s", s)
	}
	if _, err := j.project.Rotate(ctx, jobsMedical, migrate.RotateOptions{Until: "never"}); !errors.Is(err, migrate.ErrRefused) {
		t.Error(err)
	}
}
