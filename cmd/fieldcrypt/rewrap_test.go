package main

import (
	"os"
	"slices"
	"testing"
)

func TestRewrapIsADryRunUntilToldOtherwise(t *testing.T) {
	c := newSQLite(t)
	c.ok("keys", "create", "medical", "finance", "--kek", "local:old.key", "--create-key-file")
	before := c.list()
	rewrap := []string{"keys", "rewrap", "medical", "--from", "local:old.key", "--kek", "local:new.key", "--create-key-file"}

	c.ok(rewrap...).has(t, "medical (version 1): would be rewrapped\n  - "+before[1].KEKs[0].URI+"\n  + a new key in new.key\n", "dry run")
	if _, err := os.Stat("new.key"); !os.IsNotExist(err) {
		t.Errorf("the dry run made a file: %v", err)
	}
	if c.kekURI("medical") != before[1].KEKs[0].URI {
		t.Error("the dry run changed the scope")
	}

	r := c.ok(append(rewrap, "--execute")...)
	v := c.show("medical", "--verify", "--kek", "local:new.key")
	r.has(t, "medical (version 1): rewrapped and verified\n", "  + "+v.KEKs[0].URI)
	if v.KEKs[0].URI == before[1].KEKs[0].URI || v.Version != 1 || !slices.Equal(v.Keys, before[1].Keys) {
		t.Errorf("after: %+v", v)
	}
	if c.kekURI("finance") != before[0].KEKs[0].URI {
		t.Error("the other scope has moved")
	}
	c.code(exitRefused, "keys", "show", "medical", "--verify", "--kek", "local:old.key")

	c.ok(append(rewrap, "--execute")...).has(t, "medical (version 1): nothing to do")
}

func TestRewrapToSeveralAndBackToOne(t *testing.T) {
	c := newSQLite(t)
	c.ok("keys", "create", "medical", "--kek", "local:a.key", "--create-key-file")
	a := c.kekURI("medical")
	both := []string{"keys", "rewrap", "medical", "--kek", "local:a.key", "--kek", "local:b.key", "--create-key-file", "--execute"}
	c.ok(both...).has(t, "    "+a+"\n  + local-kms://")
	for _, key := range []string{"local:a.key", "local:b.key"} {
		if v := c.show("medical", "--verify", "--kek", key); !v.Verified || len(v.KEKs) != 2 {
			t.Errorf("%s: %+v", key, v)
		}
	}
	// a KEK that stays may be named with --from too
	c.ok("keys", "rewrap", "medical", "--kek", "local:b.key", "--from", "local:a.key", "--from", "local:b.key", "--execute").has(t, "  - "+a)
	if c.kekURI("medical") == a {
		t.Error("still under the old KEK")
	}
}

func TestRewrapFindsWhatItCannotDoBeforeItBegins(t *testing.T) {
	c := newSQLite(t)
	c.ok("keys", "create", "medical", "--kek", "local:a.key", "--create-key-file")
	c.ok("keys", "create", "finance", "--kek", "local:b.key", "--create-key-file")
	a, b := c.kekURI("medical"), c.kekURI("finance")
	to := []string{"--kek", "local:c.key", "--create-key-file", "--execute"}

	c.code(exitRefused, append([]string{"keys", "rewrap", "medical", "finance", "--from", "local:a.key"}, to...)...).
		has(t, "finance is wrapped under "+b, "name one of them with --from")
	c.code(exitRefused, append([]string{"keys", "rewrap", "medical", "gone", "--from", "local:a.key"}, to...)...).
		has(t, "gone", "`fieldcrypt keys list`")
	if c.kekURI("medical") != a || c.kekURI("finance") != b {
		t.Error("something has moved")
	}
	if _, err := os.Stat("c.key"); !os.IsNotExist(err) {
		t.Errorf("c.key: %v", err)
	}
}

// A re-wrap must not put the names of tenants into the KMS's log by oversight.
func TestRewrapKeepsTheTenantContext(t *testing.T) {
	c := newSQLite(t)
	c.ok("keys", "create", "notes/acme", "--tenant-context", "sha256", "--kek", "local:a.key", "--create-key-file")
	context := func() string { return c.show("notes/acme").KEKs[0].TenantContext }
	if context() != "sha256" {
		t.Fatalf("created: %s", context())
	}
	c.ok("keys", "rewrap", "notes/acme", "--from", "local:a.key", "--kek", "local:b.key", "--create-key-file", "--execute")
	if context() != "sha256" {
		t.Errorf("rewrapped: %s", context())
	}
	c.ok("keys", "rewrap", "notes/acme", "--kek", "local:b.key", "--tenant-context", "plain", "--execute").has(t, "names the tenant as plain")
	if context() != "plain" {
		t.Errorf("asked for: %s", context())
	}
	c.ok("keys", "show", "notes/acme", "--verify", "--kek", "local:b.key")
}

func TestRewrapAsksWhichOfTwoTenantContexts(t *testing.T) {
	c := newSQLite(t)
	c.ok("keys", "create", "notes/acme", "--kek", "local:a.key", "--kek", "local:b.key", "--create-key-file")
	c.exec(`UPDATE fieldcrypt_keyset_wraps SET tenant_context = 'sha256' WHERE kek_uri = ?`, c.show("notes/acme").KEKs[0].URI)
	rewrap := []string{"keys", "rewrap", "notes/acme", "--kek", "local:a.key", "--kek", "local:b.key", "--execute"}
	c.code(exitRefused, rewrap...).has(t, "say with --tenant-context")
	c.ok(append(rewrap, "--tenant-context", "sha256")...)
	for _, k := range c.show("notes/acme").KEKs {
		if k.TenantContext != "sha256" {
			t.Errorf("%+v", k)
		}
	}
}
