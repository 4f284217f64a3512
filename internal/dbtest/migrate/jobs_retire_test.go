package migrate_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/migrate"
)

// TestJobsRetireWaitsOutATransactionWithTheOldKey leaves a transaction open over
// the sweep, which then commits values of the old key.
func TestJobsRetireWaitsOutATransactionWithTheOldKey(t *testing.T) {
	ctx := context.Background()
	j := newJobs(t, &jobsPatient{})
	j.patients(t, 500)
	j.exec(t, `CREATE SCHEMA aside; CREATE TABLE aside.before AS SELECT id, name, room FROM patients WHERE id <= 10`)
	old, _ := j.promoted(t, jobsMedical)
	stale, err := j.pool.Begin(ctx)
	ok(t, err)
	t.Cleanup(func() { stale.Rollback(ctx) })
	_, err = stale.Exec(ctx, `UPDATE patients SET ward = ward WHERE false`) // it may write the table
	ok(t, err)
	guarding := make(chan struct{})
	done := make(chan error, 1)
	var proof keymgr.Proof
	go func() {
		var err error
		var once sync.Once
		proof, err = j.project.Retire(ctx, jobsMedical, keymgr.Seal, old, migrate.RetireOptions{KeepGuards: true, Progress: func(s migrate.RotateState) {
			if s.Step == migrate.StepGuard {
				once.Do(func() { close(guarding) })
			}
		}})
		done <- err
	}()
	select {
	case <-guarding:
	case err := <-done:
		t.Fatalf("it did not wait: %v", err)
	}
	_, err = stale.Exec(ctx, `UPDATE patients SET name = before.name, room = before.room FROM aside.before WHERE before.id = patients.id`)
	ok(t, err)
	ok(t, stale.Commit(ctx))
	ok(t, <-done)
	if n := j.named(t, old); n != 0 {
		t.Errorf("%d values name the old key", n)
	}
	_, err = j.pool.Exec(ctx, `UPDATE patients SET name = before.name FROM aside.before WHERE before.id = patients.id`)
	var refused *pgconn.PgError
	if !errors.As(err, &refused) || refused.Code != "23514" {
		t.Errorf("a stale writer after the guard: %v", err)
	}
	for _, c := range proof.Columns {
		if c.Table != "patients" || c.Left != 0 || c.Opened != c.Rows || c.Rows == 0 {
			t.Errorf("%+v", c)
		}
	}
	if len(proof.Columns) != 5 || len(proof.Chain) != 64 || proof.Actor != "operator" || !proof.EndedAt.After(proof.BeganAt) {
		t.Errorf("%+v", proof)
	}
	eventually(t, "the key is disabled", func() bool {
		err := j.project.Keys.DisableKey(ctx, jobsMedical, keymgr.Seal, old, proof)
		if err != nil && !errors.Is(err, keymgr.ErrKeyInUse) {
			t.Fatal(err)
		}
		return err == nil
	})
	ok(t, j.project.DropGuards(ctx, jobsMedical, keymgr.Seal, old))
	if n := j.int(t, `SELECT count(*) FROM pg_constraint WHERE conname LIKE 'fieldcrypt_gone%'`); n != 0 {
		t.Errorf("%d guards are left", n)
	}
	// For another one, to destroy it, everything is opened again.
	again, err := j.project.Retire(ctx, jobsMedical, keymgr.Seal, old, migrate.RetireOptions{})
	ok(t, err)
	if !again.BeganAt.After(proof.EndedAt) || again.Version == proof.Version || again.Chain == proof.Chain {
		t.Errorf("%+v", again)
	}
}

// TestJobsPoisonRowsBlockRetirement until they are repaired; one that is waived
// still blocks if it names the key.
func TestJobsPoisonRowsBlockRetirement(t *testing.T) {
	ctx := context.Background()
	onEachJobs(t, func(t *testing.T, open func(t testing.TB, models ...any) *jobs) {
		j := open(t, &jobsPatient{})
		j.patients(t, 120)
		j.raw(t, `UPDATE patients SET room = (SELECT p.room FROM patients p WHERE p.id = 2) WHERE id = 1`) // bound to another id
		old, _ := j.promoted(t, jobsMedical)
		retire := func() error {
			_, err := j.project.Retire(ctx, jobsMedical, keymgr.Seal, old, migrate.RetireOptions{})
			return err
		}
		if err := retire(); !errors.Is(err, migrate.ErrFailures) {
			t.Fatal(err)
		}
		jobs, err := migrate.List(ctx, j.project.DB, true)
		ok(t, err)
		failures, err := migrate.Failures(ctx, j.project.DB, jobs[0], 10)
		ok(t, err)
		if len(jobs) != 1 || len(failures) != 1 || failures[0].Class != fieldcrypt.FailureAuthentication+" (room)" || failures[0].Key != `[1]` && failures[0].Key != `["1"]` {
			t.Errorf("%v %+v", jobs, failures)
		}
		_, err = migrate.Waive(ctx, j.project.DB, jobs[0], "", "operator", "lost")
		ok(t, err)
		if err := retire(); !errors.Is(err, migrate.ErrKeyNamed) {
			t.Errorf("a waived row that names the key: %v", err)
		}
		j.raw(t, `UPDATE patients SET room = NULL WHERE id = 1`)
		if err := retire(); err != nil {
			t.Errorf("the row was repaired: %v", err)
		}
		if n := j.named(t, old); n != 0 {
			t.Errorf("%d values name the key", n)
		}
	})
}

// TestJobsWaivedGarbageDoesNotBlock: a value of no key that is known blocks until
// it is waived.
func TestJobsWaivedGarbageDoesNotBlock(t *testing.T) {
	ctx := context.Background()
	j := newJobs(t, &jobsPatient{})
	j.patients(t, 50)
	j.exec(t, `UPDATE patients SET name = overlay(name::bytea placing '\x00000001'::bytea from 4) WHERE id = 7`)
	old, _ := j.promoted(t, jobsMedical)
	_, err := j.project.Retire(ctx, jobsMedical, keymgr.Seal, old, migrate.RetireOptions{})
	if !errors.Is(err, migrate.ErrFailures) {
		t.Fatal(err)
	}
	ids, err := migrate.List(ctx, j.project.DB, true)
	ok(t, err)
	for _, id := range ids {
		_, err := migrate.Waive(ctx, j.project.DB, id, "", "operator", "garbage")
		ok(t, err)
	}
	proof, err := j.project.Retire(ctx, jobsMedical, keymgr.Seal, old, migrate.RetireOptions{})
	ok(t, err)
	for _, c := range proof.Columns {
		if c.Column == "name" && (c.Rows != 49 || c.Opened != 49) {
			t.Errorf("%+v", c)
		}
	}
}

// TestJobsEveryRowIsPoison loses nothing and moves nothing.
func TestJobsEveryRowIsPoison(t *testing.T) {
	ctx := context.Background()
	j := newJobs(t, &jobsPatient{})
	j.patients(t, 700)
	j.exec(t, `UPDATE patients SET name = set_byte(name::bytea, octet_length(name) - 1, get_byte(name::bytea, octet_length(name) - 1) # 1)`)
	j.exec(t, `CREATE SCHEMA aside; CREATE TABLE aside.before AS SELECT * FROM patients`)
	old, _ := j.promoted(t, jobsMedical)
	state, err := j.project.Rotate(ctx, jobsMedical, migrate.RotateOptions{})
	if !errors.Is(err, migrate.ErrFailures) {
		t.Errorf("%v, %v", state, err)
	}
	if n := j.int(t, `SELECT count(*) FROM patients JOIN aside.before USING (id) WHERE patients.name::bytea = before.name::bytea AND patients.mrn::bytea = before.mrn::bytea`); n != 700 {
		t.Errorf("%d rows are as they were", n)
	}
	if n := j.int(t, `SELECT count(*) FROM fieldcrypt_job_failures WHERE class = 'authentication (name)' AND resolution = ''`); n != 700 {
		t.Errorf("%d failures", n)
	}
	if s := j.state(t, jobsMedical, old); s != keymgr.StateActive {
		t.Errorf("the old key is %s", s)
	}
}

// TestJobsRetireRefuses what it cannot prove.
func TestJobsRetireRefuses(t *testing.T) {
	ctx := context.Background()
	j := newJobs(t, &jobsPatient{})
	primary := j.primary(t, jobsMedical)
	for _, c := range []struct {
		purpose keymgr.Purpose
		key     uint32
		want    error
	}{{keymgr.Index, 1, migrate.ErrRefused}, {keymgr.Seal, primary, keymgr.ErrKeyState}, {keymgr.Seal, primary + 1, keymgr.ErrUnknownKey}} {
		if _, err := j.project.Retire(ctx, jobsMedical, c.purpose, c.key, migrate.RetireOptions{}); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	acme := keymgr.Scope{Domain: "tenants", Tenant: "acme"}
	id, err := j.project.Keys.AddKey(ctx, acme, keymgr.Seal)
	ok(t, err)
	if _, err := j.project.Retire(ctx, acme, keymgr.Seal, id, migrate.RetireOptions{}); !errors.Is(err, migrate.ErrRefused) {
		t.Errorf("no column has such keys: %v", err)
	}
}

// TestJobsPlantedKeyIDsOfATenant in another tenant's rows keep nobody from his
// rotation.
func TestJobsPlantedKeyIDsOfATenant(t *testing.T) {
	j := newJobs(t, &jobsClient{})
	j.clients(t, 40)
	acme := keymgr.Scope{Domain: "tenants", Tenant: "acme"}
	old := j.primary(t, acme)
	j.exec(t, `UPDATE clients SET name = (SELECT name FROM clients WHERE id = 1) WHERE id = 2`) // acme's value at globex
	j.rotated(t, acme)
	if n := j.named(t, old); n != 1 {
		t.Errorf("%d values name the old key", n)
	}
	if err := j.app.orm.First(&jobsClient{}, "id = ?", 2).Error; err == nil {
		t.Error("what was planted opens")
	}
}
