package migrate_test

import (
	"context"
	"testing"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/migrate"
)

// jobsMoved is jobsPatient after two of its columns got another identity.
type jobsMoved struct {
	gormcrypt.Encrypted
	ID     int64          `gorm:"autoIncrement:false"`
	Ward   string         `gorm:"not null"`
	Name   string         `fieldcrypt:"finance,id=people.full_name,bind=ID"`
	MRN    string         `fieldcrypt:"medical,index"`
	Notes  *string        `fieldcrypt:"medical,pad=64"`
	Vitals map[string]int `fieldcrypt:"medical"`
	Room   string         `fieldcrypt:"finance"`
	Card   string         `fieldcrypt:"finance,index"`
}

func (jobsMoved) TableName() string { return "patients" }

func TestJobsReencryptFromNamedOldIdentities(t *testing.T) {
	ctx := context.Background()
	j := newJobs(t, &jobsPatient{})
	j.patients(t, 300)
	medical, finance := j.primary(t, jobsMedical), j.primary(t, keymgr.Scope{Domain: "finance"})
	j.models = []any{&jobsMoved{}}
	j.app = j.newApp(t, "pgx")
	j.project = j.newProject(t, j.project.DB, j.project.Keys)
	plan, err := j.project.Plan(ctx, migrate.PlanOptions{Kind: migrate.KindReencrypt, Tables: []string{"patients"}, From: []fieldcrypt.OldIdentity{
		{Column: "name", Domain: "medical", ID: "patients.name"},
		{Column: "room", Domain: "medical", Bind: &fieldcrypt.ManifestBind{Column: "id", Type: "int64"}}}})
	ok(t, err)
	ids, err := j.project.Start(ctx, plan, migrate.Limits{})
	ok(t, err)
	again, err := j.project.Start(ctx, plan, migrate.Limits{})
	ok(t, err)
	if len(ids) != 1 || len(again) != 1 || ids[0] != again[0] {
		t.Errorf("%v and %v", ids, again)
	}
	ok(t, j.project.Work(ctx, ids, migrate.Options{}))
	var all []jobsMoved
	ok(t, j.app.orm.Order("id").Find(&all).Error)
	if len(all) != 300 {
		t.Errorf("%d rows", len(all))
	}
	for _, m := range all {
		if p := patient(m.ID, 0); m.Name != p.Name || m.Room != p.Room || m.MRN != p.MRN {
			t.Fatalf("%+v", m)
		}
	}
	census, err := j.project.Census(ctx, migrate.CensusOptions{Exact: true})
	ok(t, err)
	for _, l := range census.Tables[0].Counts {
		if want := map[string]uint32{"name": finance, "room": finance, "card": finance, "mrn": medical}[l.Column]; want != 0 && l.KeyID != want {
			t.Errorf("%+v", l)
		}
	}
	_, err = j.project.Verify(ctx, migrate.VerifyOptions{})
	ok(t, err)
}
