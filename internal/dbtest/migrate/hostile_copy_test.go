package migrate_test

import (
	"context"
	"errors"
	"testing"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/migrate"
)

// TestHostileRetireBesideACopyOfTheTable whose columns have lost type, name and
// CHECK: only the values show what they are.
func TestHostileRetireBesideACopyOfTheTable(t *testing.T) {
	ctx := context.Background()
	j := newJobs(t, &jobsPatient{})
	j.patients(t, 30)
	j.exec(t, `CREATE TABLE copied AS SELECT id, name::bytea AS text FROM patients`)
	old, _ := j.promoted(t, jobsMedical)
	if _, err := j.project.Retire(ctx, jobsMedical, keymgr.Seal, old, migrate.RetireOptions{}); !errors.Is(err, migrate.ErrSchema) {
		t.Fatalf("the copy needs the key: %v", err)
	}
	j.exec(t, `DROP TABLE copied`)
	if _, err := j.project.Retire(ctx, jobsMedical, keymgr.Seal, old, migrate.RetireOptions{}); err != nil {
		t.Error(err)
	}
}
