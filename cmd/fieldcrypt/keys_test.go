package main

import (
	"os"
	"strings"
	"testing"
)

func TestKeysOfAScopeFromTheStart(t *testing.T) {
	c := newSQLite(t)
	if got := c.list(); len(got) != 0 {
		t.Fatalf("a new store has scopes: %v", got)
	}
	r := c.ok("keys", "create", "medical", "notes/acme", "--kek", "local:test.key", "--create-key-file", "--actor", "alice")
	r.has(t, "created  medical\ncreated  notes/acme\n", "made the key file test.key: keep a copy")
	if info, err := os.Stat("test.key"); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file: %v, %v", info, err)
	}

	views := c.list()
	if len(views) != 2 || views[0].Scope != "medical" || views[1].Scope != "notes/acme" || views[1].Tenant != "acme" {
		t.Fatalf("list: %+v", views)
	}
	v := c.show("medical", "--verify", "--kek", "local:test.key")
	if v.Version != 1 || !v.Verified || v.Problem != "" || len(v.Keys) != 2 || v.CreatedAt.IsZero() || !v.UpdatedAt.Equal(v.CreatedAt) {
		t.Errorf("show: %+v", v)
	}
	for i, purpose := range []string{"seal", "index"} {
		if k := v.Keys[i]; k.Purpose != purpose || k.State != "primary" || k.ID == 0 || k.CreatedAt.IsZero() {
			t.Errorf("key: %+v", k)
		}
	}
	if len(v.KEKs) != 1 || !strings.HasPrefix(v.KEKs[0].URI, "local-kms://") || v.KEKs[0].TenantContext != "plain" {
		t.Errorf("KEKs: %+v", v.KEKs)
	}
	c.ok("keys", "list").has(t, "medical     1 ", "no ", v.KEKs[0].URI, "unverified")
	c.ok("keys", "list", "--verify", "--kek", "local:test.key").has(t, "  yes  ")
	c.ok("keys", "show", "notes/acme").has(t, "primary", " ago)", "unverified")
}

func TestWhatThereIsIsNotMadeAgain(t *testing.T) {
	c := newSQLite(t)
	create := func(scopes ...string) []string {
		return append(scopes, "--kek", "local:test.key", "--create-key-file")
	}
	keys := []string{"keys", "create"}
	c.ok(append(keys, create("medical")...)...)
	before := c.show("medical")

	c.code(exitRefused, append(keys, create("finance", "medical")...)...).has(t, "medical", "--if-missing")
	if got := c.list(); len(got) != 1 {
		t.Errorf("a refused command has made something: %v", got)
	}
	c.ok(append(keys, create("finance", "medical", "--if-missing")...)...).has(t, "exists   medical\ncreated  finance\n")
	c.ok(append(keys, create("finance", "medical", "--if-missing")...)...).has(t, "exists   finance\nexists   medical\n")
	if after := c.show("medical"); after.Keys[0] != before.Keys[0] {
		t.Error("the keys have changed")
	}
	c.ok("keys", "migrate")
}

func TestARefusedCreateMakesNoKeyFile(t *testing.T) {
	c := newSQLite(t)
	c.ok("keys", "create", "medical", "--kek", "local:test.key", "--create-key-file")
	c.code(exitRefused, "keys", "create", "medical", "--kek", "local:other.key", "--create-key-file")
	if _, err := os.Stat("other.key"); !os.IsNotExist(err) {
		t.Errorf("other.key: %v", err)
	}
}

func TestKeyFromTheEnvironment(t *testing.T) {
	c := newSQLite(t)
	c.ok("keys", "create", "medical", "--kek", "local:test.key", "--create-key-file")
	line, err := os.ReadFile("test.key")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("TEST_KEK", string(line))
	if v := c.show("medical", "--verify", "--kek", "env:TEST_KEK"); !v.Verified {
		t.Errorf("%+v", v)
	}
}

func TestDatabaseURLs(t *testing.T) {
	c := newCLI(t)
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{
		"sqlite:a b?#%41.db", "sqlite:" + dir + "/absolute.db", "sqlite://" + dir + "/slashes.db",
		"file:uri.db", "file:uri2.db?_pragma=journal_mode(WAL)&_pragma=busy_timeout(1)",
	} {
		c.code(exitIncomplete, "keys", "list", "--database", url) // not made by looking
		c.ok("keys", "migrate", "--database", url)
		c.ok("keys", "list", "--database", url).has(t, "no scopes")
	}
	for _, name := range []string{"a b?#%41.db", "absolute.db", "slashes.db", "uri.db", "uri2.db"} {
		if _, err := os.Stat(name); err != nil {
			t.Error(err)
		}
	}
}

func TestLongListsAreComplete(t *testing.T) {
	c := newSQLite(t)
	c.ok("keys", "create", "notes/x", "--kek", "local:test.key", "--create-key-file")
	const others = listPage + 3
	c.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < ?)
		INSERT INTO fieldcrypt_keysets SELECT domain, 't' || i, version, seal, "index", info, created_at, updated_at FROM fieldcrypt_keysets, n`, others)
	c.exec(`INSERT INTO fieldcrypt_keyset_wraps SELECT k.domain, k.tenant, k.version, kek_uri, wrapped, tenant_context
		FROM fieldcrypt_keysets k, fieldcrypt_keyset_wraps w WHERE k.tenant <> 'x'`)
	if got := len(c.list()); got != others+1 {
		t.Errorf("%d scopes, want %d", got, others+1)
	}
}

func TestDDLIsWhatMigrateRuns(t *testing.T) {
	c := newCLI(t)
	c.ok("keys", "ddl").has(t, "bytea")
	ddl := c.ok("keys", "ddl", "--dialect", "sqlite").out
	if err := os.WriteFile("test.db", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(databaseVariable, "sqlite:test.db")
	c.code(exitRefused, "keys", "list").has(t, "`fieldcrypt keys migrate` makes the tables")
	for statement := range strings.SplitSeq(strings.TrimSuffix(ddl, ";\n"), ";\n") {
		c.sql(statement)
	}
	c.ok("keys", "create", "medical", "--kek", "local:test.key", "--create-key-file")
}

func TestVersionAndCompletion(t *testing.T) {
	c := newCLI(t)
	c.ok("version").has(t, "fieldcrypt ", " go1.")
	c.ok("completion", "bash").has(t, "__fieldcrypt")
	c.ok("__complete", "keys", "ddl", "--dialect", "").has(t, "postgres\nsqlite\n")
}
