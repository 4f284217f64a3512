package migrate_test

import (
	"context"
	"errors"
	"testing"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/migrate"
)

// TestJobsCensusAndVerifyOfWhatWasPlanted: the census counts what values say, and
// the verify opens them.
func TestJobsCensusAndVerifyOfWhatWasPlanted(t *testing.T) {
	ctx := context.Background()
	j := newJobs(t, &jobsPatient{})
	j.patients(t, 60)
	key := j.primary(t, jobsMedical)
	j.exec(t, `UPDATE patients SET name = overlay(name::bytea placing '\x00000009'::bytea from 4) WHERE id = 1`) // an id of no key
	j.exec(t, `UPDATE patients SET mrn = name, name = mrn WHERE id = 2`)                                         // swapped
	j.exec(t, `UPDATE patients SET card_bidx = (SELECT card_bidx FROM patients WHERE id = 4) WHERE id = 3`)
	j.exec(t, `ALTER TABLE patients ALTER room TYPE bytea; UPDATE patients SET room = 'plaintext' WHERE id = 5`)
	j.exec(t, `ALTER TABLE patients ADD CHECK (octet_length(room) >= 36 AND substring(room FROM 1 FOR 2) = '\xfc01'::bytea) NOT VALID`)
	if _, err := j.project.Verify(ctx, migrate.VerifyOptions{}); !errors.Is(err, migrate.ErrSchema) {
		t.Errorf("a CHECK that is not valid: %v", err)
	}
	j.exec(t, `UPDATE patients SET room = NULL WHERE id = 5; ALTER TABLE patients VALIDATE CONSTRAINT patients_room_check`)
	census, err := j.project.Census(ctx, migrate.CensusOptions{Domain: "medical"})
	ok(t, err)
	got := map[string]int64{}
	for _, l := range census.Tables[0].Counts {
		got[l.Column+" "+l.State] += l.Values
		if l.State == "primary" && l.Purpose == keymgr.Seal && l.KeyID != key {
			t.Errorf("%+v", l)
		}
	}
	for what, n := range map[string]int64{"name unknown-key": 1, "name primary": 59, "mrn primary": 60, "mrn_bidx primary": 60, "notes null": 20, "room null": 1} {
		if got[what] != n {
			t.Errorf("%s: %d, want %d", what, got[what], n)
		}
	}
	report, err := j.project.Verify(ctx, migrate.VerifyOptions{})
	if !errors.Is(err, migrate.ErrFailures) || report.OK() {
		t.Fatal(err)
	}
	classes := map[string]int64{}
	for _, f := range report.Tables[0].Failures {
		classes[f.Class] = f.Rows
	}
	want := map[string]int64{fieldcrypt.FailureUnknownKey + " (name)": 1, fieldcrypt.FailureAuthentication + " (mrn), " + fieldcrypt.FailureAuthentication + " (name)": 1,
		fieldcrypt.FailureWrongIndex + " (card_bidx)": 1}
	for class, n := range want {
		if classes[class] != n {
			t.Errorf("%s: %d of %v", class, classes[class], classes)
		}
	}
	for _, c := range report.Tables[0].Columns {
		if opened := map[string]int64{"name": 58, "mrn": 59, "card": 60, "room": 59}[c.Column]; opened != 0 && c.Opened != opened {
			t.Errorf("%+v", c)
		}
	}
}

func TestJobsRewrapIsAJob(t *testing.T) {
	ctx := context.Background()
	j := newJobs(t, &jobsPatient{})
	job, report, err := j.project.Rewrap(ctx, keymgr.RewrapOptions{Force: true})
	ok(t, err)
	events, err := migrate.Events(ctx, j.project.DB, job)
	ok(t, err)
	if report.Rewrapped != 4 || len(events) != 2 || events[1].Event != migrate.PhaseDone {
		t.Errorf("%+v %+v", report, events)
	}
	again, report, err := j.project.Rewrap(ctx, keymgr.RewrapOptions{})
	ok(t, err)
	if again == job || report.Unchanged != 4 || report.KMSCalls != 0 {
		t.Errorf("%+v", report)
	}
	if job, report, err := j.project.Rewrap(ctx, keymgr.RewrapOptions{DryRun: true}); err != nil || job != "" || report.Planned != 0 {
		t.Errorf("%s %+v %v", job, report, err)
	}
}
