//go:build unix

package migrate_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/migrate"
)

// TestAnInstanceThatIsSlowToLearnDoesNotNoticeARotation: one that has acknowledged
// the new key, and has yet to read that it is the primary, goes on to write with the
// old one. The old key must not be barred from the table meanwhile.
func TestAnInstanceThatIsSlowToLearnDoesNotNoticeARotation(t *testing.T) {
	s := newSoakService(t, filepath.Join(t.TempDir(), "kms.key"))
	slow := s.instance(t, 3*time.Second)
	person := soakPerson{ID: 1, MRN: "1", Name: "one", Card: "1"}
	ok(t, slow.Create(&person).Error)
	project, scope := s.operator(t), keymgr.Scope{Domain: "medical"}
	done := make(chan error, 1)
	waited := false
	go func() {
		_, err := project.Rotate(t.Context(), scope, migrate.RotateOptions{Progress: func(r migrate.RotateState) {
			waited = waited || r.Step == migrate.StepSweep && r.Waits != ""
		}})
		done <- err
	}()
	// Few enough writes for a pass that changes nothing to fit between two of them.
	write := time.NewTicker(200 * time.Millisecond)
	defer write.Stop()
	for {
		select {
		case err := <-done:
			ok(t, err)
			if !waited {
				t.Error("the sweep has not waited for the instance")
			}
			s.onPrimaryKeys(t, project)
			return
		case <-write.C:
			if err := slow.Model(&person).Update("name", "another").Error; err != nil {
				t.Error(err)
			}
		}
	}
}
