package main

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/fieldcrypt/go/internal/pgtest"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/localkms"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
)

// app runs an application, which reports every few milliseconds.
func app(t *testing.T, dsn, keyFile string) *keymgr.Manager {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	kek, err := localkms.OpenOrCreate(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	m, err := keymgr.Open(t.Context(), keymgr.Config{
		Store: sqlstore.New(db), Heartbeat: 2 * time.Second,
		Domains: map[string]keymgr.Domain{"medical": {KEKs: []keymgr.KEK{kek}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func (c cli) instances(args ...string) (views []instanceView) {
	c.t.Helper()
	out := c.ok(append([]string{"keys", "instances", "--json"}, args...)...).out
	if err := json.Unmarshal([]byte(out), &views); err != nil {
		c.t.Fatalf("%v in %s", err, out)
	}
	return views
}

func TestInstancesAndPromotion(t *testing.T) {
	c := newCLI(t)
	dsn := pgtest.DB(t)
	t.Setenv(databaseVariable, dsn)
	c.code(exitRefused, "keys", "instances").has(t, "`fieldcrypt keys migrate` makes the tables")
	c.ok("keys", "migrate")
	c.ok("keys", "instances").has(t, "no instances")
	if views := c.instances(); views == nil || len(views) != 0 {
		t.Errorf("%+v", views)
	}
	c.ok("keys", "create", "medical", "--kek", "local:test.key", "--create-key-file")
	m := app(t, dsn, "test.key")
	c.ok("keys", "instances").has(t, m.InstanceID(), " live ", "medical")
	views := c.instances("medical")
	if len(views) != 1 || views[0].Instance != m.InstanceID() || views[0].State != "live" || len(views[0].Scopes) != 1 || views[0].Scopes[0].Version != 1 {
		t.Fatalf("%+v", views)
	}
	if views := c.instances("finance"); len(views) != 1 || len(views[0].Scopes) != 0 {
		t.Errorf("of another scope: %+v", views)
	}

	id, err := m.AddKey(t.Context(), keymgr.Scope{Domain: "medical"}, keymgr.Index)
	if err != nil {
		t.Fatal(err)
	}
	promote := []string{"keys", "promote", "medical", fmt.Sprint(id), "--kek", "local:test.key"}
	c.ok(append(promote, "--wait=1m")...).has(t, fmt.Sprintf("promoted  medical: index key %d", id))
	if r := c.run(append(promote, "--wait=1m")...); r.code == exitDone {
		t.Error("the primary was promoted again")
	} else {
		r.has(t, "is primary")
	}
	c.code(exitUsage, append(promote, "--wait=soon")...).has(t, "a duration such as 90s")

	c.code(exitRefused, "keys", "forget", m.InstanceID()).has(t, "--force")
	c.code(exitRefused, "keys", "forget", "nobody").has(t, "keys instances")
	c.code(exitUsage, "keys", "forget").has(t, "which instance?")
}

// An instance that has died without a word is waited for until it is forgotten.
func TestForgetADeadInstance(t *testing.T) {
	c := newSQLite(t)
	c.ok("keys", "create", "medical", "--kek", "local:test.key", "--create-key-file")
	put := func(id string, silent time.Duration) {
		at := time.Now().UTC().Add(-silent).Format("2006-01-02T15:04:05.000000Z07:00")
		c.exec(`INSERT INTO fieldcrypt_instances (instance, domain, tenant, seen_at, host, started_at, checked_at, max_age_ms, interval_ms)
			VALUES (?, '', '', ?, 'web-1/7', ?, ?, 3600000, 15000)`, id, at, at, at)
	}
	put("dead", time.Minute)
	put("gone", 2*time.Hour)
	c.exec(`INSERT INTO fieldcrypt_instances (instance, domain, tenant, seen_at, version, seal_keys, index_keys, seal_key, index_key)
		VALUES ('dead', 'medical', '', '2026-01-02T03:04:05.000000Z', 1, '[7,8]', '[9]', 7, 9)`)
	c.ok("keys", "instances").has(t, "web-1/7", " silent ", " gone ", "medical", "  8\n")
	c.ok("keys", "forget", "dead").has(t, "forgotten  dead")
	c.code(exitRefused, "keys", "forget", "dead")
	if views := c.instances(); len(views) != 1 || views[0].Instance != "gone" || views[0].State != "gone" {
		t.Errorf("%+v", views)
	}
	v := c.show("medical")
	c.run("keys", "promote", "medical", fmt.Sprint(v.Keys[0].ID), "--kek", "local:test.key").has(t, "is primary")
	c.code(exitUsage, "keys", "promote", "medical", "x", "--kek", "local:test.key").has(t, "is no key id")
	c.code(exitUsage, "keys", "promote", "medical").has(t, "which key?")
}

// exampleInstance makes the instance that examples name.
func (c cli) exampleInstance(file string) {
	c.t.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		c.t.Fatal(err)
	}
	defer db.Close()
	r := keymgr.InstanceReport{ID: "tgk3qdqyo2ox7fnqdbhuvbmu4m", Host: "web-1/7", MaxAge: time.Hour, Full: true}
	if err := sqlstore.New(db).Report(c.t.Context(), r); err != nil {
		c.t.Fatal(err)
	}
	if _, err := db.ExecContext(c.t.Context(), `UPDATE fieldcrypt_instances SET seen_at = '2026-01-02T03:04:05.000000Z'`); err != nil {
		c.t.Fatal(err)
	}
}
