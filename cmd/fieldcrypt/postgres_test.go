package main

import (
	"database/sql"
	"maps"
	"net/url"
	"testing"

	"github.com/fieldcrypt/go/internal/pgtest"
)

func TestOnPostgresWithAWSKMS(t *testing.T) {
	c := newCLI(t)
	dsn := pgtest.DB(t)
	t.Setenv(databaseVariable, dsn)
	kms := c.kms()
	arn := "aws-kms://" + kms.CreateKey()

	c.code(exitRefused, "keys", "list").has(t, "`fieldcrypt keys migrate` makes the tables")
	c.ok("keys", "migrate")
	c.ok("keys", "migrate")
	c.ok("keys", "create", "medical", "--kek", medical, "--actor", "alice")
	c.ok("keys", "create", "notes/acme", "--kek", arn, "--kek", medical, "--tenant-context", "sha256")
	if n := kms.Count(); n != 3 || kms.Count("GenerateDataKey") != 2 || kms.Count("Encrypt") != 1 {
		t.Errorf("%d calls to make two scopes: %v", n, kms.Calls())
	}
	want := map[string]string{"fieldcrypt:domain": "medical"}
	if got := kms.Calls()[0].EncryptionContext; !maps.Equal(got, want) {
		t.Errorf("encryption context %v", got)
	}
	if got := kms.Calls()[1].EncryptionContext["fieldcrypt:tenant"]; got == "acme" || len(got) != 64 {
		t.Errorf("tenant %q", got)
	}

	kms.ResetCalls()
	if got := c.list(); len(got) != 2 || got[0].KEKs[0].URI != medical || len(got[1].KEKs) != 2 || got[0].Verified {
		t.Errorf("list: %+v", got)
	}
	c.ok("keys", "show", "notes/acme")
	rewrap := []string{"keys", "rewrap", "medical", "--from", medical, "--kek", newer}
	c.ok(rewrap...).has(t, "  - "+medical+"\n  + "+newer)
	if n := kms.Count(); n != 0 {
		t.Errorf("looking asked the KMS: %v", kms.Calls())
	}

	c.ok(append(rewrap, "--execute")...)
	if kms.Count("ReEncrypt") != 1 || kms.Count("GenerateDataKey", "Encrypt") != 0 {
		t.Errorf("not moved inside the KMS: %v", kms.Calls())
	}
	kms.ResetCalls()
	if v := c.show("medical", "--verify", "--kek", newer); !v.Verified || v.KEKs[0].URI != newer || v.Version != 1 {
		t.Errorf("after the move: %+v", v)
	}
	if n := kms.Count(); n != 1 {
		t.Errorf("%d calls to verify one scope", n)
	}
	c.ok("keys", "list", "--verify", "--kek", newer, "--kek", arn)

	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var actor string
	query := `SELECT actor FROM fieldcrypt_key_events WHERE domain = 'medical' AND kind = 'created'`
	if err := db.QueryRowContext(t.Context(), query).Scan(&actor); err != nil || actor != "alice" {
		t.Errorf("actor %q, %v", actor, err)
	}
}

func TestAKMSOnThisMachineByItsEndpoint(t *testing.T) {
	c := newSQLite(t)
	kms := c.kms()
	t.Setenv("AWS_ENDPOINT_URL_KMS", "")
	c.ok("keys", "create", "medical", "--kek", medical+"&endpoint="+url.QueryEscape(kms.URL()))
	if got := c.kekURI("medical"); got != medical {
		t.Errorf("stored as %s", got)
	}
}

func TestPostgresSettingsOfTheURL(t *testing.T) {
	c := newCLI(t)
	u, err := url.Parse(pgtest.DB(t))
	if err != nil {
		t.Fatal(err)
	}
	set := func(key, value string) {
		q := u.Query()
		q.Set(key, value)
		u.RawQuery = q.Encode()
		t.Setenv(databaseVariable, u.String())
	}
	set("default_query_exec_mode", "simple_protocol")
	c.ok("keys", "migrate")
	c.ok("keys", "create", "medical", "--kek", "local:test.key", "--create-key-file")
	set("search_path", "elsewhere")
	c.code(exitRefused, "keys", "list").has(t, "look at the search_path")
}
