// Package leastprivilege_test tries the policies of keymgr/awskms/policies: real
// Managers, with the credentials of one role each, on a KMS that enforces them.
package leastprivilege_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/awskms"
	"github.com/fieldcrypt/go/keymgr/awskms/awskmstest"
	"github.com/fieldcrypt/go/keymgr/memstore"
)

const account = "111122223333"

var (
	medical = keymgr.Scope{Domain: "medical"}
	finance = keymgr.Scope{Domain: "finance"}
)

// world is a KMS with one key for both domains, a store, and a clock.
type world struct {
	t     *testing.T
	kms   *awskmstest.Server
	key   string // ARN
	store keymgr.Store

	mu    sync.Mutex
	clock time.Time
}

func newWorld(t *testing.T) *world {
	srv := awskmstest.Start(t)
	return &world{t: t, kms: srv, key: srv.CreateKey("alias/clinic"), store: memstore.New(), clock: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

func (w *world) wait(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = w.clock.Add(d)
}

// document reads one of the files that users start from.
func document(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "keymgr", "awskms", "policies", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// role is a client with the credentials of a role that has the named policies.
func (w *world) role(name string, policies ...string) *kms.Client {
	w.t.Helper()
	var documents []string
	for _, p := range policies {
		documents = append(documents, document(w.t, p))
	}
	return w.kms.ClientAs(w.kms.AddRole(name, documents...))
}

func (w *world) config(client *kms.Client) keymgr.Config {
	kek := awskms.Key(client, w.key)
	return keymgr.Config{
		Store: w.store, Lazy: true, Now: w.now,
		Domains: map[string]keymgr.Domain{"medical": {KEKs: []keymgr.KEK{kek}}, "finance": {KEKs: []keymgr.KEK{kek}}},
	}
}

func (w *world) manager(client *kms.Client) *keymgr.Manager {
	w.t.Helper()
	m, err := keymgr.Open(w.t.Context(), w.config(client))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { m.Close() })
	return m
}

// create makes both scopes, as the control plane does.
func (w *world) create() {
	w.t.Helper()
	m := w.manager(w.role("control-plane", "control-plane.json"))
	for _, s := range []keymgr.Scope{medical, finance} {
		if err := m.Create(w.t.Context(), s); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) putKeyPolicy(document string) {
	w.t.Helper()
	if _, err := w.kms.Client().PutKeyPolicy(w.t.Context(), &kms.PutKeyPolicyInput{KeyId: &w.key, Policy: aws.String(document)}); err != nil {
		w.t.Fatal(err)
	}
}
