package mainjob_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/awskms"
	"github.com/fieldcrypt/go/keymgr/awskms/awskmstest"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
)

const tenants = 12

// notes is a domain of many tenants' scopes under one KMS key.
func (e *env) notes(t *testing.T, d keymgr.Domain) *keymgr.Manager {
	t.Helper()
	d.PerTenant = true
	m, err := keymgr.Open(t.Context(), keymgr.Config{
		Store: sqlstore.New(e.sql), Domains: map[string]keymgr.Domain{"notes": d}, Lazy: true, Now: e.clock.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func note(i int) keymgr.Scope {
	return keymgr.Scope{Domain: "notes", Tenant: fmt.Sprintf("t%02d", i)}
}

func (e *env) createNotes(t *testing.T, k keymgr.KEK) {
	t.Helper()
	m := e.notes(t, keymgr.Domain{KEKs: []keymgr.KEK{k}})
	for i := range tenants {
		if err := m.Create(t.Context(), note(i)); err != nil {
			t.Fatal(err)
		}
	}
}

// mustOpenNotes opens every tenant's scope under one KEK alone.
func (e *env) mustOpenNotes(t *testing.T, k keymgr.KEK) {
	t.Helper()
	m := e.notes(t, keymgr.Domain{KEKs: []keymgr.KEK{k}})
	for i := range tenants {
		if _, err := m.Keys(t.Context(), note(i)); err != nil {
			t.Fatalf("%v: %v", note(i), err)
		}
	}
}

// operationsOf counts a server's calls by what they were.
func operationsOf(s *awskmstest.Server) map[string]int {
	counts := map[string]int{}
	for _, c := range s.Calls() {
		counts[c.Operation]++
	}
	return counts
}

func mustCalls(t *testing.T, what string, s *awskmstest.Server, want map[string]int) {
	t.Helper()
	if got := operationsOf(s); !maps.Equal(got, want) {
		t.Errorf("%s: KMS calls %v, want %v", what, got, want)
	}
}

func TestRewrapAllInsideTheKMS(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, e *env) {
		old, new := awskms.Key(e.client, e.kms.CreateKey()), awskms.Key(e.client, e.kms.CreateKey())
		e.createNotes(t, old)
		m := e.notes(t, keymgr.Domain{KEKs: []keymgr.KEK{new}, DecryptOnly: []keymgr.KEK{old}})

		e.kms.ResetCalls()
		report, err := m.RewrapAll(t.Context(), keymgr.RewrapOptions{DryRun: true})
		if err != nil || report.Planned != tenants || report.Unlisted != len(domains) {
			t.Fatalf("dry run: %+v, %v", report, err)
		}
		mustCalls(t, "dry run", e.kms, map[string]int{})

		report, err = m.RewrapAll(t.Context(), keymgr.RewrapOptions{WithoutOpening: true})
		if err != nil || report.Rewrapped != tenants || !report.NotOpened {
			t.Fatalf("without opening: %+v, %v", report, err)
		}
		mustCalls(t, "without opening", e.kms, map[string]int{"ReEncrypt": 2 * tenants})
		for _, c := range e.kms.Calls() {
			if c.EncryptionContext["fieldcrypt:tenant"] == "" || !maps.Equal(c.EncryptionContext, c.SourceEncryptionContext) {
				t.Errorf("%+v", c)
			}
		}
		e.mustOpenNotes(t, new)

		e.kms.ResetCalls()
		report, err = m.RewrapAll(t.Context(), keymgr.RewrapOptions{})
		if err != nil || report.Unchanged != tenants {
			t.Fatalf("again: %+v, %v", report, err)
		}
		mustCalls(t, "again", e.kms, map[string]int{})

		back := e.notes(t, keymgr.Domain{KEKs: []keymgr.KEK{old}, DecryptOnly: []keymgr.KEK{new}})
		if report, err = back.RewrapAll(t.Context(), keymgr.RewrapOptions{}); err != nil || report.Rewrapped != tenants {
			t.Fatalf("back: %+v, %v", report, err)
		}
		mustCalls(t, "verified by opening", e.kms, map[string]int{"ReEncrypt": tenants, "Decrypt": tenants})
		e.mustOpenNotes(t, old)
	})
}

func TestRewrapAllOfScopesWhoseAliasHasMoved(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, e *env) {
		alias := "alias/notes"
		arn, next := e.kms.CreateKey(alias), e.kms.CreateKey()
		kek, old := awskms.Key(e.client, alias), awskms.Key(e.client, arn)
		e.createNotes(t, kek)

		e.kms.ResetCalls()
		report, err := e.notes(t, keymgr.Domain{KEKs: []keymgr.KEK{kek}}).RewrapAll(t.Context(), keymgr.RewrapOptions{})
		if err != nil || report.Unchanged != tenants || report.Moved != 0 {
			t.Fatalf("before the move: %+v, %v", report, err)
		}
		mustCalls(t, "before the move", e.kms, map[string]int{"DescribeKey": 1, "Decrypt": tenants})

		if _, err := e.client.UpdateAlias(t.Context(), &kms.UpdateAliasInput{AliasName: &alias, TargetKeyId: &next}); err != nil {
			t.Fatal(err)
		}
		for _, o := range []keymgr.RewrapOptions{{DryRun: true}, {}, {WithoutOpening: true}} {
			report, err = e.notes(t, keymgr.Domain{KEKs: []keymgr.KEK{kek}}).RewrapAll(t.Context(), o)
			if !errors.Is(err, keymgr.ErrRewrapFailed) || report.Failed != tenants || report.Moved != tenants {
				t.Fatalf("old key not listed: %+v, %v", report, err)
			}
			for _, text := range []string{"wrapped by a key that the alias no longer names", next, "DecryptOnly"} {
				if err := report.Failures[0].Err; !errors.Is(err, keymgr.ErrKEKNotAllowed) || !strings.Contains(err.Error(), text) {
					t.Errorf("no %q in: %v", text, err)
				}
			}
		}

		m := e.notes(t, keymgr.Domain{KEKs: []keymgr.KEK{kek}, DecryptOnly: []keymgr.KEK{old}})
		e.kms.ResetCalls()
		report, err = m.RewrapAll(t.Context(), keymgr.RewrapOptions{WithoutOpening: true, Domains: []string{"notes"}})
		if err != nil || report.Rewrapped != tenants || report.Moved != tenants {
			t.Fatalf("old key listed: %+v, %v", report, err)
		}
		// For each scope: the check, the move from the old key, and the verification.
		mustCalls(t, "old key listed", e.kms, map[string]int{"DescribeKey": 1, "ReEncrypt": 3 * tenants})
		e.mustOpenNotes(t, kek)
		if report, err = m.RewrapAll(t.Context(), keymgr.RewrapOptions{}); err != nil || report.Unchanged != tenants {
			t.Errorf("again: %+v, %v", report, err)
		}
	})
}

func TestRewrapAllIntoAnotherRegion(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, e *env) {
		there, err := awskmstest.New(awskmstest.Config{Region: "eu-central-1"})
		if err != nil {
			t.Fatal(err)
		}
		defer there.Close()
		here, away := awskms.Key(e.client, e.kms.CreateKey()), awskms.Key(there.Client(), there.CreateKey())
		e.createNotes(t, here)
		e.kms.ResetCalls()

		m := e.notes(t, keymgr.Domain{KEKs: []keymgr.KEK{away}, DecryptOnly: []keymgr.KEK{here}})
		report, err := m.RewrapAll(t.Context(), keymgr.RewrapOptions{WithoutOpening: true})
		if !errors.Is(err, keymgr.ErrRewrapFailed) || report.Failed != tenants {
			t.Fatalf("without opening: %+v, %v", report, err)
		}
		if err := report.Failures[0].Err; !errors.Is(err, keymgr.ErrKEKNotAllowed) {
			t.Error(err)
		}
		mustCalls(t, "without opening", e.kms, map[string]int{})
		mustCalls(t, "without opening", there, map[string]int{})

		// To both: what the first region holds moves inside its KMS.
		both := e.notes(t, keymgr.Domain{KEKs: []keymgr.KEK{here, away}})
		if report, err = both.RewrapAll(t.Context(), keymgr.RewrapOptions{}); err != nil || report.Rewrapped != tenants {
			t.Fatalf("to both: %+v, %v", report, err)
		}
		mustCalls(t, "to both, here", e.kms, map[string]int{"ReEncrypt": tenants, "Decrypt": 2 * tenants})
		mustCalls(t, "to both, there", there, map[string]int{"Encrypt": tenants, "Decrypt": tenants})
		e.mustOpenNotes(t, away)
		e.mustOpenNotes(t, here)

		if report, err = m.RewrapAll(t.Context(), keymgr.RewrapOptions{WithoutOpening: true}); err != nil || report.Rewrapped != tenants {
			t.Fatalf("away from here, inside the KMS there: %+v, %v", report, err)
		}
		e.mustOpenNotes(t, away)
	})
}
