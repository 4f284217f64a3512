package main

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
	"github.com/fieldcrypt/go/testcontainers/fieldcrypttest"
)

// newService returns the service on a database, a KMS and a clock of the test's own.
func newService(t *testing.T) (*Service, *fieldcrypttest.Env, *keymgrtest.Clock) {
	t.Helper()
	clock := keymgrtest.NewClock(time.Now())
	env := fieldcrypttest.Start(t, fieldcrypttest.Options{
		Models: []any{&Customer{}},
		Keys:   func(c *keymgr.Config) { c.Now = clock.Now },
	})
	return &Service{env.GORM}, env, clock
}

func TestCustomers(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, env, _ := newService(t)
	for _, name := range []string{"Ann Example", "Ann Examiner"} { // she has married
		if err := s.Register(ctx, name, "DE02 1203 0000 0000 2020 51"); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.SetCard(ctx, "de02120300000000202051", "4111 1111 1111 1111"); err != nil {
		t.Fatal(err)
	}
	c, err := s.ByIBAN(ctx, "DE02-1203-0000-0000-2020-51")
	if err != nil || c.Name != "Ann Examiner" || c.Card == nil || *c.Card != "4111 1111 1111 1111" {
		t.Errorf("found %+v, %v", c, err)
	}
	if _, err := s.ByIBAN(ctx, "DE00 0000"); !errors.Is(err, ErrUnknownCustomer) {
		t.Errorf("who is not there: %v", err)
	}
	env.AssertNoPlaintext(t, "Ann Example", "Ann Examiner", "DE02 1203 0000 0000 2020 51", "4111 1111 1111 1111")
	env.AssertKMSCalls(t, 2) // two domains were opened, once
}

// TestKMSOutage: what is cached serves on for an hour; then calls fail, and what is
// stored stays as it is; and all is well again with the KMS.
func TestKMSOutage(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, env, clock := newService(t)
	const iban = "DE02 1203 0000 0000 2020 51"
	if err := s.Register(ctx, "Ann Example", iban); err != nil {
		t.Fatal(err)
	}
	env.KMS.Down()
	clock.Advance(30 * time.Minute)
	if c, err := s.ByIBAN(ctx, iban); err != nil || c.Name != "Ann Example" {
		t.Errorf("half an hour without the KMS: %+v, %v", c, err)
	}
	clock.Advance(time.Hour)
	if _, err := s.ByIBAN(ctx, iban); !errors.Is(err, fieldcrypt.ErrKMSUnavailable) {
		t.Errorf("too long without the KMS: %v", err)
	}
	if err := s.Register(ctx, "Bob Example", "DE99"); !errors.Is(err, fieldcrypt.ErrKMSUnavailable) {
		t.Errorf("too long without the KMS: %v", err)
	}
	env.KMS.Up()
	if c, err := s.ByIBAN(ctx, iban); err != nil || c.Name != "Ann Example" {
		t.Errorf("with the KMS again: %+v, %v", c, err)
	}
	if _, err := s.ByIBAN(ctx, "DE99"); !errors.Is(err, ErrUnknownCustomer) {
		t.Errorf("something was stored without keys: %v", err)
	}

	env.KMS.Deny("alias/finance-key") // somebody has revoked it
	clock.Advance(2 * time.Hour)
	if _, err := s.ByIBAN(ctx, iban); !errors.Is(err, fieldcrypt.ErrKMSDenied) {
		t.Errorf("with a revoked KMS key: %v", err)
	}
}

// TestRotation: keys rotate while customers come in, with an outage of the KMS in
// the middle; all of them are found before, meanwhile and after.
func TestRotation(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, env, clock := newService(t)
	keys, finance := env.Fieldcrypt.Keys(), keymgr.Scope{Domain: "finance"}

	registered := 0
	more := func() {
		t.Helper()
		for range 5 {
			if err := s.Register(ctx, fmt.Sprintf("Customer %d", registered), fmt.Sprintf("DE%020d", registered)); err != nil {
				t.Fatal(err)
			}
			registered++
		}
		for i := range registered {
			if c, err := s.ByIBAN(ctx, fmt.Sprintf("DE%020d", i)); err != nil || c.Name != fmt.Sprintf("Customer %d", i) {
				t.Errorf("customer %d of %d: %+v, %v", i, registered, c, err)
			}
		}
	}
	more()
	for _, purpose := range []keymgr.Purpose{keymgr.Seal, keymgr.Index} {
		before := keysOf(ctx, t, keys, finance).Version()
		env.KMS.Down()
		if _, err := keys.AddKey(ctx, finance, purpose); !errors.Is(err, keymgr.ErrKMSUnavailable) {
			t.Errorf("a key was added without the KMS: %v", err)
		}
		more()
		env.KMS.Up()
		id, err := keys.AddKey(ctx, finance, purpose)
		if err != nil {
			t.Fatal(err)
		}
		more()
		if err := keys.PromoteKey(ctx, finance, purpose, id); !errors.Is(err, keymgr.ErrKeyState) {
			t.Errorf("a key that not every process can know was promoted: %v", err)
		}
		clock.Advance(2 * time.Hour) // by now every process has seen it
		if err := keys.PromoteKey(ctx, finance, purpose, id); err != nil {
			t.Fatal(err)
		}
		more()
		if got := keysOf(ctx, t, keys, finance).Version(); got != before+2 {
			t.Errorf("version %d after %d", got, before)
		}
	}
	// Rows of both index keys are there.
	var indexKeys int
	if err := env.Pool.QueryRow(ctx, "SELECT count(DISTINCT substr(iban_bidx, 1, 4)) FROM customers").Scan(&indexKeys); err != nil || indexKeys != 2 {
		t.Errorf("rows of %d index keys, %v", indexKeys, err)
	}
	env.AssertNoPlaintext(t, "Customer 1", fmt.Sprintf("DE%020d", 1))

	env.Reset(t)
	s = &Service{env.GORM} // the keys before the rotation have another GORM
	if _, err := s.ByIBAN(ctx, fmt.Sprintf("DE%020d", 1)); !errors.Is(err, ErrUnknownCustomer) {
		t.Errorf("after a reset: %v", err)
	}
}

func keysOf(ctx context.Context, t *testing.T, m *keymgr.Manager, s keymgr.Scope) *keymgr.Keys {
	t.Helper()
	k, err := m.Keys(ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	return k
}
