package main

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
)

// findings is what "doctor --json" tells.
func (c cli) findings(code int, args ...string) (list []finding) {
	c.t.Helper()
	out := c.code(code, append([]string{"doctor", "--json"}, args...)...).out
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		c.t.Fatalf("%v in %s", err, out)
	}
	return list
}

// status is the status of the first finding of a check.
func status(list []finding, check string) string {
	for _, f := range list {
		if f.Check == check {
			return f.Status
		}
	}
	return "none"
}

func TestDoctorSeesWhatTheKMSRefuses(t *testing.T) {
	c := newSQLite(t)
	kms := c.kms()
	c.ok("keys", "create", "medical", "--kek", medical)
	if got := status(c.findings(exitDone, "--kek", "medical="+medical), "kek"); got != "ok" {
		t.Errorf("kek: %s", got)
	}
	kms.Deny("alias/medical-key")
	r := c.code(exitRefused, "doctor", "--kek", medical)
	r.has(t, "fail  kek medical "+medical, "make a data key", "unwrap what is stored", "kms:GenerateDataKey")
	t.Setenv("AWS_ENDPOINT_URL_KMS", "http://127.0.0.1:1")
	if got := status(c.findings(exitIncomplete, "--kek", medical), "kek"); got != "fail" {
		t.Errorf("kek: %s", got)
	}
}

func TestDoctorSeesInstancesThatLag(t *testing.T) {
	c := newSQLite(t)
	c.ok("keys", "create", "medical", "--kek", "local:test.key", "--create-key-file")
	c.ok("doctor").has(t, "warn  instances: none reports")
	db, err := openDatabase("sqlite:test.db", "", false)
	c.must(err)
	defer db.Close()
	report := func(id string) {
		c.must(sqlstore.New(db).Report(t.Context(), keymgr.InstanceReport{
			ID: id, Host: "web-1/7", MaxAge: time.Hour, Interval: time.Minute, Full: true,
			Scopes: []keymgr.InstanceScope{{Scope: keymgr.Scope{Domain: "medical"}, Version: 1, SealKeys: []uint32{7}, IndexKeys: []uint32{9}, SealKey: 7, IndexKey: 9}},
		}))
	}
	report("lagging")
	report("silent")
	c.exec(`UPDATE fieldcrypt_instances SET seen_at = strftime('%Y-%m-%dT%H:%M:%f000Z', 'now', '-30 minutes') WHERE instance = 'silent' AND domain = ''`)
	c.ok("doctor").has(t, "warn  instances silent on web-1/7: silent for 30m", "keys forget silent", "ok    instances: 1 live")
	c.ok("keys", "add", "medical", "--kek", "local:test.key")
	c.ok("doctor").has(t, "warn  instances lagging on web-1/7: has old keysets of medical")
}

func TestDoctorSeesJobsThatWereTamperedWith(t *testing.T) {
	c := newSQLite(t)
	c.exampleKeys("sqlite:test.db")
	c.ok("migrate", "start", "verify", "--execute", "--config", "fieldcrypt.yaml")
	c.ok("doctor").has(t, "their chain is whole")
	c.exec(`UPDATE fieldcrypt_job_events SET actor = 'mallory'`)
	c.code(exitRefused, "doctor").has(t, "fail  jobs", "tampered with")
}

// exampleKeys makes the clinic with keys in a file.
func (c cli) exampleKeys(dsn string) {
	c.t.Helper()
	c.ok("ddl", "--execute")
	c.ok("keys", "create", "medical", "--kek", "local:test.key", "--create-key-file")
	c.must(makeClinic(c.t.Context(), dsn, "local:test.key", "fieldcrypt.json", 20))
	c.must(os.WriteFile("fieldcrypt.yaml", []byte(configText("local:test.key")), 0o600))
}

func TestClocksThatDiffer(t *testing.T) {
	at := time.Now()
	for off, want := range map[time.Duration]string{0: "ok", 20 * time.Second: "ok", -time.Minute: "warn", 4 * time.Minute: "warn", 6 * time.Minute: "fail", -time.Hour: "fail"} {
		d := &doctor{}
		d.skew("kms", at.Add(off), at, at)
		if got := status(d.result, "clock"); got != want {
			t.Errorf("%v: %s, want %s", off, got, want)
		}
		if code, _ := explain(d.verdict()); (code == exitRefused) != (want == "fail") {
			t.Errorf("%v: exit code %d", off, code)
		}
	}
}
