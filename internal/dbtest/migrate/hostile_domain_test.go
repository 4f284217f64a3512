package migrate_test

import (
	"context"
	"errors"
	"testing"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/migrate"
)

// TestHostileRetireWhileAColumnLeavesTheDomain: the tags say another domain already,
// and the values that have to be opened with the old one's keys are still there.
func TestHostileRetireWhileAColumnLeavesTheDomain(t *testing.T) {
	ctx := context.Background()
	onEachJobs(t, func(t *testing.T, open func(t testing.TB, models ...any) *jobs) {
		j := open(t, &jobsPatient{})
		j.patients(t, 60)
		old, _ := j.promoted(t, jobsMedical)
		j.models = []any{&jobsMoved{}}
		j.project = j.newProject(t, j.project.DB, j.project.Keys)
		retire := func() error {
			_, err := j.project.Retire(ctx, jobsMedical, keymgr.Seal, old, migrate.RetireOptions{})
			return err
		}
		if err := retire(); !errors.Is(err, migrate.ErrKeyNamed) {
			t.Fatalf("%d values need the key: %v", j.named(t, old), err)
		}
		if _, err := j.project.Rotate(ctx, jobsMedical, migrate.RotateOptions{}); !errors.Is(err, migrate.ErrKeyNamed) {
			t.Errorf("rotate: %v", err)
		}
		if s := j.state(t, jobsMedical, old); s != keymgr.StateActive {
			t.Errorf("the key is %s", s)
		}
		plan, err := j.project.Plan(ctx, migrate.PlanOptions{Kind: migrate.KindReencrypt, Tables: []string{"patients"}, From: []fieldcrypt.OldIdentity{
			{Column: "name", Domain: "medical", ID: "patients.name"},
			{Column: "room", Domain: "medical", Bind: &fieldcrypt.ManifestBind{Column: "id", Type: "int64"}}}})
		ok(t, err)
		ids, err := j.project.Start(ctx, plan, migrate.Limits{})
		ok(t, err)
		ok(t, j.project.Work(ctx, ids, migrate.Options{}))
		for _, id := range ids {
			ok(t, migrate.Advance(ctx, j.project.DB, id, migrate.PhaseSwept, migrate.PhaseDone, "operator", nil))
		}
		if err := retire(); err != nil {
			t.Errorf("all values have moved: %v", err)
		}
		if n := j.named(t, old); n != 0 {
			t.Errorf("%d values name the key", n)
		}
	})
}
