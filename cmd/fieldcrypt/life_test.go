package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
)

// oldKey makes the scope medical with another seal key, in a state that it came
// into two days ago.
func (c cli) oldKey(database, kek string, state keymgr.KeyState) (id uint32) {
	c.t.Helper()
	ctx := c.t.Context()
	db, err := openDatabase(database, "", true)
	c.must(err)
	defer db.Close()
	keks, err := openKEKs(ctx, []string{kek}, true, io.Discard)
	c.must(err)
	s := keymgr.Scope{Domain: "medical"}
	at := func(ago time.Duration) *keymgr.Manager {
		m, err := openManager(ctx, sqlstore.New(db), s, keymgr.Domain{KEKs: keks}, io.Discard,
			func(cfg *keymgr.Config) { cfg.Now = func() time.Time { return time.Now().Add(-ago) } })
		c.must(err)
		c.t.Cleanup(func() { m.Close() })
		return m
	}
	const day = 24 * time.Hour
	m := at(3 * day)
	c.must(m.Create(ctx, s))
	k, err := m.Keys(ctx, s)
	c.must(err)
	first := k.Primary().ID()
	id, err = m.AddKey(ctx, s, keymgr.Seal)
	c.must(err)
	m = at(2 * day)
	switch state {
	case keymgr.StatePending:
	case keymgr.StateDisabled:
		c.must(m.DisableKey(ctx, s, keymgr.Seal, id, keymgr.Proof{Override: "test"}))
	case keymgr.StateActive:
		c.must(m.PromoteKey(ctx, s, keymgr.Seal, id))
		id = first
	default:
		c.t.Fatalf("no way to a key that is %s", state)
	}
	return id
}

func (c cli) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// proof lets a seal key go.
func (c cli) proof(scope, key string) keymgr.Proof {
	c.t.Helper()
	id, err := strconv.ParseUint(key, 10, 32)
	c.must(err)
	s, err := parseScope(scope)
	c.must(err)
	now := time.Now()
	return keymgr.Proof{
		Scope: s, Purpose: keymgr.Seal, KeyID: uint32(id), Version: c.show(scope).Version,
		Columns: []keymgr.ProofColumn{{Table: "patients", Column: "mrn", Rows: 10, Opened: 10}},
		BeganAt: now, EndedAt: now, Actor: "alice", Tool: "test",
	}
}

func (c cli) writeProof(name string, proof keymgr.Proof) {
	c.t.Helper()
	text, err := json.MarshalIndent(proof, "", "  ")
	c.must(err)
	c.must(os.WriteFile(name, append(text, '\n'), 0o600))
}

func (c cli) state(key string) string {
	c.t.Helper()
	for _, k := range c.show("medical", "--verify", "--kek", "local:test.key").Keys {
		if fmt.Sprint(k.ID) == key {
			return k.State
		}
	}
	c.t.Fatalf("no key %s", key)
	return ""
}

func TestAKeyFromItsFirstDayToItsLast(t *testing.T) {
	c := newSQLite(t)
	kek := "--kek=local:test.key"
	key := fmt.Sprint(c.oldKey("sqlite:test.db", "local:test.key", keymgr.StatePending))

	r := c.ok("keys", "add", "medical", "--purpose", "index", kek, "--actor", "alice")
	r.has(t, "added     medical: index key ", "keys promote medical ")
	young := strings.Fields(r.out)[4]
	young = strings.TrimSuffix(young, ",")
	c.code(exitRefused, "keys", "promote", "medical", young, kek).has(t, "too young", "since when")
	c.ok("keys", "promote", "medical", key, kek).has(t, "promoted  medical: seal key "+key+", primary")
	if c.state(key) != "primary" {
		t.Error("it is not the primary")
	}
	c.code(exitRefused, "keys", "disable", "medical", key, kek, "--override", "x").has(t, "promote another first")
	old := fmt.Sprint(c.show("medical").Keys[0].ID)

	c.code(exitRefused, "keys", "destroy", "medical", old, kek, "--override", "x").has(t, "only a disabled key")
	c.writeProof("old.json", c.proof("medical", old))
	disable := []string{"keys", "disable", "medical", old, kek, "--proof", "old.json"}
	before := c.show("medical")
	c.ok(disable...).has(t, "would be disabled", "sha256:"+c.proofHash("old.json"), "dry run: nothing was changed")
	if after := c.show("medical"); after.Version != before.Version || c.state(old) != "active" {
		t.Error("the dry run has changed something")
	}
	c.ok(append(disable, "--execute")...).has(t, "disabled  medical: seal key "+old)
	c.ok("keys", "list").has(t, "1 pending, 2 primary, 1 disabled")
	c.code(exitRefused, disable...).has(t, "only an active or pending key")
	c.ok("keys", "enable", "medical", hexID(t, old), kek).has(t, "enabled   medical: seal key "+old+", active")
	c.code(exitRefused, disable...).has(t, "the proof is of version", "with --proof")
	override := []string{"keys", "disable", "medical", old, kek, "--override", "no rows yet", "--execute"}
	r = c.ok(override...)
	r.has(t, "override: no rows yet", "level=WARN")

	destroy := []string{"keys", "destroy", "medical", old, kek, "--override", "no rows yet"}
	c.code(exitRefused, destroy...).has(t, "destroy it from")
	c.code(exitRefused, append(destroy, "--max-age", "24h")...).has(t, "destroy it from")
	if c.state(old) != "disabled" {
		t.Error("what was refused has happened")
	}
	c.code(exitRefused, "keys", "promote", "medical", "7", kek).has(t, "has no key 7", "keys show")
	c.code(exitRefused, "keys", "add", "gone", kek).has(t, "keys list")
	if n := c.sql(`UPDATE fieldcrypt_key_events SET detail = detail WHERE kind = 'key-disabled' AND detail = 'override: no rows yet'`); n != 1 {
		t.Errorf("%d events tell of the override", n)
	}
}

func (c cli) proofHash(name string) string {
	c.t.Helper()
	f := proofFlags{file: name}
	proof, err := f.read()
	c.must(err)
	return proof.SHA256()
}

func hexID(t *testing.T, id string) string {
	t.Helper()
	n, err := strconv.ParseUint(id, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("0x%08x", n)
}

func TestAKeyThatWasDisabledForLongIsDestroyed(t *testing.T) {
	c := newSQLite(t)
	key := fmt.Sprint(c.oldKey("sqlite:test.db", "local:test.key", keymgr.StateDisabled))
	destroy := []string{"keys", "destroy", "medical", key, "--kek=local:test.key", "--proof", "proof.json"}
	c.writeProof("proof.json", c.proof("medical", key))
	c.ok(destroy...).has(t, "is disabled since", "would be destroyed")
	if c.state(key) != "disabled" {
		t.Error("the dry run has destroyed it")
	}
	c.ok(append(destroy, "--execute")...).has(t, "destroyed medical: seal key "+key)
	if c.state(key) != "destroyed" {
		t.Error("it is still there")
	}
	c.ok("keys", "show", "medical").has(t, "destroyed")
}

func TestAFileThatIsNoProof(t *testing.T) {
	c := newSQLite(t)
	key := fmt.Sprint(c.oldKey("sqlite:test.db", "local:test.key", keymgr.StateActive))
	good := c.proof("medical", key)
	for name, text := range map[string]string{
		"empty": "", "null and more": "null null", "text": "yes", "an unknown field": `{"left_over":1}`, "an override": `{"override":"x"}`,
	} {
		c.must(os.WriteFile("proof.json", []byte(text), 0o600))
		if r := c.run("keys", "disable", "medical", key, "--kek=local:test.key", "--proof", "proof.json"); r.code != exitUsage {
			t.Errorf("%s: exit code %d\n%s", name, r.code, r.err)
		}
	}
	good.Columns[0].Left = 3
	c.writeProof("proof.json", good)
	c.code(exitRefused, "keys", "disable", "medical", key, "--kek=local:test.key", "--proof", "proof.json", "--execute").
		has(t, "3 values of patients.mrn name it", "nothing was changed")
}

// A change wraps the new data key under the KEKs that are named, and no others.
func TestAChangeKeepsTheKEKs(t *testing.T) {
	c := newSQLite(t)
	c.ok("keys", "create", "medical", "--kek", "local:a.key", "--kek", "local:b.key", "--create-key-file")
	c.ok("keys", "create", "finance", "--kek", "local:c.key", "--create-key-file")
	for _, keks := range [][]string{{"--kek=local:a.key"}, {"--kek=local:a.key", "--kek=local:b.key", "--kek=local:c.key"}, {"--kek=local:c.key"}} {
		c.code(exitRefused, append([]string{"keys", "add", "medical"}, keks...)...).has(t, "name each KEK of the scope")
	}
	c.ok("keys", "add", "medical", "--kek", "local:b.key", "--kek", "local:a.key")
	for _, kek := range []string{"local:a.key", "local:b.key"} {
		if v := c.show("medical", "--verify", "--kek", kek); len(v.KEKs) != 2 || v.Version != 2 {
			t.Errorf("%s: %+v", kek, v)
		}
	}
	c.exec(`UPDATE fieldcrypt_keyset_wraps SET tenant_context = 'sha256' WHERE domain = 'medical' AND kek_uri = ?`, c.show("medical").KEKs[0].URI)
	c.code(exitRefused, "keys", "add", "medical", "--kek", "local:b.key", "--kek", "local:a.key").has(t, "in different ways")
}

func TestDestroyScopeAsksFirst(t *testing.T) {
	c := newSQLite(t)
	c.ok("keys", "create", "notes/acme", "notes/globex", "--kek", "local:test.key", "--create-key-file")
	destroy := []string{"keys", "destroy-scope", "notes/acme", "--reason", "contract 17 has ended", "--actor", "alice", "--kek", "local:test.key"}
	v := c.show("notes/acme")

	c.ok(destroy...).has(t, "notes/acme (version 1)", fmt.Sprint(v.Keys[0].ID), "the ids are authentic", "dry run")
	destroy = append(destroy, "--execute")
	typed := func(text string) (int, string, string) {
		var out, err bytes.Buffer
		cmd := newRoot(&out, &err)
		cmd.SetIn(strings.NewReader(text))
		cmd.SetArgs(destroy)
		ran, e := cmd.ExecuteContextC(t.Context())
		if e == nil {
			return exitDone, out.String(), err.String()
		}
		return fail(context.Background(), &err, ran, e), out.String(), err.String()
	}
	for _, text := range []string{"", "\n", "yes\n", "notes\n", "notes/globex\n"} {
		if code, _, err := typed(text); code != exitUsage || !strings.Contains(err, "Type its name") {
			t.Errorf("%q: exit code %d\n%s", text, code, err)
		}
	}
	if len(c.list()) != 2 {
		t.Fatal("destroyed without the name")
	}
	code, out, text := typed("notes/acme\n")
	var receipt keymgr.Receipt
	if code != exitDone || json.Unmarshal([]byte(out), &receipt) != nil {
		t.Fatalf("exit code %d\n%s%s", code, out, text)
	}
	if !receipt.Authenticated || receipt.Scope.String() != "notes/acme" || receipt.Actor != "alice" || receipt.Reason != "contract 17 has ended" ||
		!slices.Equal(receipt.SealKeys, []uint32{v.Keys[0].ID}) || !slices.Equal(receipt.IndexKeys, []uint32{v.Keys[1].ID}) ||
		!slices.Equal(receipt.KEKs, []string{v.KEKs[0].URI}) || receipt.CachesUntil.Sub(receipt.DestroyedAt) < time.Hour+5*time.Minute {
		t.Errorf("receipt %+v", receipt)
	}
	if got := c.list(); len(got) != 1 || got[0].Scope != "notes/globex" {
		t.Errorf("left: %+v", got)
	}
	for _, args := range [][]string{
		append(destroy, "--confirm", "notes/acme"), {"keys", "show", "notes/acme"}, {"keys", "create", "notes/acme", "--kek", "local:test.key"},
		{"keys", "create", "notes/acme", "--kek", "local:test.key", "--if-missing"}, {"keys", "add", "notes/acme", "--kek", "local:test.key"},
	} {
		c.code(exitRefused, args...).has(t, "were destroyed", "the receipt is in fieldcrypt_key_events")
	}
}

func TestDestroyScopeThoughNothingOpensIt(t *testing.T) {
	c := newSQLite(t)
	kms := c.kms()
	c.ok("keys", "create", "notes/acme", "notes/globex", "--kek", medical)
	kms.Deny("alias/medical-key")
	destroy := func(scope string) []string {
		return []string{"keys", "destroy-scope", scope, "--reason", "x", "--confirm", scope, "--execute"}
	}
	for _, args := range [][]string{append(destroy("notes/acme"), "--kek", medical), destroy("notes/globex")} {
		c.ok(args...).has(t, `"authenticated": false`, `"seal_keys": [`)
	}
	if len(c.list()) != 0 {
		t.Errorf("left: %+v", c.list())
	}
}
