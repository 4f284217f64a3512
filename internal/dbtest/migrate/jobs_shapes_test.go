package migrate_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/migrate"
)

// rotated rotates a scope and looks that it is over.
func (j *jobs) rotated(t testing.TB, s keymgr.Scope) *migrate.RotateState {
	t.Helper()
	state, err := j.project.Rotate(context.Background(), s, migrate.RotateOptions{})
	ok(t, err)
	if state.Step != migrate.StepDone {
		t.Fatalf("%+v", state)
	}
	return state
}

func TestJobsRotateTablesOfEveryShape(t *testing.T) {
	ctx := context.Background()
	j := newJobsOver(t, []string{`CREATE TABLE patients (id bigint NOT NULL, ward text NOT NULL, PRIMARY KEY (id, ward)) PARTITION BY LIST (ward)`,
		`CREATE TABLE patients_a PARTITION OF patients FOR VALUES IN ('W0', 'W1', 'W2')`, `CREATE TABLE patients_b PARTITION OF patients DEFAULT`},
		&jobsPatient{}, &jobsVisit{})
	j.patients(t, 400)
	visits := make([]jobsVisit, 300)
	for i := range visits {
		visits[i] = jobsVisit{Day: i % 3, Text: fmt.Sprint("visit ", i)}
		rand.Read(visits[i].Key[:])
	}
	ok(t, j.app.orm.Create(&visits).Error)
	j.analyze(t)
	old := j.primary(t, jobsMedical)
	state := j.rotated(t, jobsMedical)
	if n := j.named(t, old); n != 0 {
		t.Errorf("%d values name the old key", n)
	}
	want := map[string][2]int64{"patients.notes": {267, 267}, "patients.room": {400, 400}, "visits.text": {300, 300}}
	for _, c := range state.Proofs[0].Columns {
		if w, ok := want[c.Table+"."+c.Column]; ok && (c.Rows != w[0] || c.Opened != w[1] || c.Left != 0) {
			t.Errorf("%+v", c)
		}
		delete(want, c.Table+"."+c.Column)
	}
	if len(want) > 0 {
		t.Errorf("not in the proof: %v", want)
	}
	for i, v := range visits {
		var got jobsVisit
		ok(t, j.app.orm.Where("key = ? AND day = ?", v.Key, v.Day).First(&got).Error)
		if got.Text != v.Text {
			t.Errorf("visit %d is %q", i, got.Text)
		}
	}
	_, err := j.project.Verify(ctx, migrate.VerifyOptions{})
	ok(t, err)
}

func (j *jobs) clients(t testing.TB, n int) {
	t.Helper()
	list := make([]jobsClient, n)
	for i := range list {
		list[i] = jobsClient{ID: int64(i + 1), Firm: []string{"acme", "globex"}[i%2], Name: fmt.Sprint("client ", i+1)}
	}
	ok(t, j.app.orm.CreateInBatches(list, 500).Error)
	j.analyze(t)
}

func (j *jobs) sameClients(t testing.TB, n int) {
	t.Helper()
	var list []jobsClient
	ok(t, j.app.orm.Order("id").Find(&list).Error)
	if len(list) != n {
		t.Errorf("%d clients", len(list))
	}
	for i, c := range list {
		if c.Name != fmt.Sprint("client ", i+1) {
			t.Fatalf("%+v", c)
		}
		var found jobsClient
		ok(t, j.app.orm.WithContext(fieldcrypt.WithTenant(context.Background(), c.Firm)).First(&found, "name = ?", c.Name).Error)
	}
}

// onEachJobs runs a test on each database.
func onEachJobs(t *testing.T, test func(t *testing.T, open func(t testing.TB, models ...any) *jobs)) {
	t.Run("Postgres", func(t *testing.T) { test(t, newJobs) })
	t.Run("SQLite", func(t *testing.T) { test(t, sqliteJobs) })
}

func TestJobsRotateOneTenantAndThenAll(t *testing.T) {
	onEachJobs(t, func(t *testing.T, open func(t testing.TB, models ...any) *jobs) {
		acme, globex := keymgr.Scope{Domain: "tenants", Tenant: "acme"}, keymgr.Scope{Domain: "tenants", Tenant: "globex"}
		j := open(t, &jobsClient{})
		j.clients(t, 200)
		oldAcme, oldGlobex := j.primary(t, acme), j.primary(t, globex)
		state := j.rotated(t, acme)
		if c := state.Proofs[0].Columns; len(c) != 1 || c[0].Rows != 100 || c[0].Opened != 100 {
			t.Errorf("%+v", state.Proofs)
		}
		if n := j.named(t, oldAcme); n != 0 {
			t.Errorf("%d values name acme's old key", n)
		}
		if n := j.named(t, oldGlobex); n != 100 || j.primary(t, globex) != oldGlobex {
			t.Errorf("%d values name globex's key", n)
		}
		j.sameClients(t, 200)
		oldAcme = j.primary(t, acme)
		state = j.rotated(t, keymgr.Scope{Domain: "tenants"})
		if len(state.Proofs) != 2 {
			t.Errorf("%+v", state)
		}
		for scope, id := range map[keymgr.Scope]uint32{acme: oldAcme, globex: oldGlobex} {
			if n := j.named(t, id); n != 0 || j.state(t, scope, id) != keymgr.StateDisabled {
				t.Errorf("%s: %d values name the old key, which is %s", scope, n, j.state(t, scope, id))
			}
		}
		j.sameClients(t, 200)
	})
}

func TestJobsRotateOnSQLite(t *testing.T) {
	ctx := context.Background()
	j := sqliteJobs(t, &jobsPatient{})
	j.patients(t, 700)
	old := j.primary(t, jobsMedical)
	state := j.rotated(t, jobsMedical)
	if n := j.named(t, old); n != 0 || len(state.Proofs) != 1 || j.state(t, jobsMedical, old) != keymgr.StateDisabled {
		t.Errorf("%d values name the old key: %+v", n, state)
	}
	want := map[int64]jobsPatient{}
	for id := int64(1); id <= 700; id++ {
		want[id] = patient(id, 0)
	}
	j.same(t, want)
	report, err := j.project.Verify(ctx, migrate.VerifyOptions{Sample: 0.5})
	ok(t, err)
	if !report.OK() || report.Sample != 0 || report.Tables[0].Columns[0].Opened != 700 {
		t.Errorf("%+v", report)
	}
	plan, err := j.project.Plan(ctx, migrate.PlanOptions{Kind: migrate.KindReencrypt})
	ok(t, err)
	if plan.Tables[0].Rows != 700 || plan.Tables[0].Todo != 0 || len(plan.Tables[0].Statements) != 2 {
		t.Errorf("%+v", plan)
	}
}

// TestJobsPlanTouchesNothing plans, and asks for what makes no sense.
func TestJobsPlanTouchesNothing(t *testing.T) {
	ctx := context.Background()
	j := newJobs(t, &jobsPatient{}, &jobsClient{})
	j.patients(t, 300)
	old, _ := j.promoted(t, jobsMedical)
	plan, err := j.project.Plan(ctx, migrate.PlanOptions{Kind: migrate.KindReencrypt, Domain: "medical", KeyIDs: []uint32{old}})
	ok(t, err)
	if len(plan.Tables) != 1 || plan.Tables[0].Todo != 300 || plan.Tables[0].WAL[0] == 0 || plan.Tables[0].Seconds[1] <= plan.Tables[0].Seconds[0] || len(plan.Tables[0].Statements) != 2 {
		t.Errorf("%+v", plan)
	}
	if n := j.int(t, `SELECT count(*) FROM fieldcrypt_jobs`); n != 0 || j.named(t, old) == 0 {
		t.Errorf("%d jobs were made by planning", n)
	}
	for what, o := range map[string]migrate.PlanOptions{
		"no kind": {}, "no such table": {Kind: migrate.KindVerify, Tables: []string{"x"}}, "keys of a verify": {Kind: migrate.KindVerify, KeyIDs: []uint32{1}},
		"a tenant alone": {Kind: migrate.KindVerify, Tenant: "acme"}, "a tenant of no tenants": {Kind: migrate.KindVerify, Domain: "medical", Tenant: "acme"},
		"all of a sample": {Kind: migrate.KindVerify, Sample: 1}, "nothing": {Kind: migrate.KindVerify, Tables: []string{"clients"}, Domain: "medical"},
	} {
		if _, err := j.project.Plan(ctx, o); !errors.Is(err, migrate.ErrRefused) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := j.project.Plan(ctx, migrate.PlanOptions{Kind: migrate.KindReencrypt, Domain: "medical", KeyIDs: []uint32{j.primary(t, jobsMedical)}}); !errors.Is(err, keymgr.ErrKeyState) {
		t.Errorf("the primary key: %v", err)
	}
	if _, err := j.project.Plan(ctx, migrate.PlanOptions{Kind: migrate.KindVerify, Domain: "tenants", Tenant: "a'b"}); !errors.Is(err, keymgr.ErrInvalidScope) {
		t.Errorf("a tenant with a quote: %v", err)
	}
	j.exec(t, `CREATE TABLE strays (id bigint PRIMARY KEY, secret fieldcrypt_value)`)
	plan, err = j.project.Plan(ctx, migrate.PlanOptions{Kind: migrate.KindReencrypt})
	ok(t, err)
	if _, err := j.project.Start(ctx, plan, migrate.Limits{}); !errors.Is(err, migrate.ErrSchema) {
		t.Errorf("an encrypted column that is not in the manifest: %v", err)
	}
	if _, err := j.project.Retire(ctx, jobsMedical, keymgr.Seal, old, migrate.RetireOptions{}); !errors.Is(err, migrate.ErrSchema) {
		t.Errorf("retired with an encrypted column that is not in the manifest: %v", err)
	}
	if _, err := j.project.Verify(ctx, migrate.VerifyOptions{}); !errors.Is(err, migrate.ErrSchema) {
		t.Error(err)
	}
	if _, err := j.project.Census(ctx, migrate.CensusOptions{}); !errors.Is(err, migrate.ErrSchema) {
		t.Error(err)
	}
}
