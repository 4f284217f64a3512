package leastprivilege_test

import (
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/awskms"
)

const cacheTTL = 5 * time.Minute // keymgr's default

// A grant gives access, for one domain; when it is revoked a running Manager has
// it no longer than CacheTTL.
func TestAGrantGivesAndItsRevocationTakesAwayWithinCacheTTL(t *testing.T) {
	w := newWorld(t)
	w.create()
	client := w.role("support")
	m := w.manager(client)
	_, err := m.Keys(t.Context(), medical)
	denied(t, "before the grant", err)

	grant, err := w.kms.Client().CreateGrant(t.Context(), &kms.CreateGrantInput{
		KeyId: &w.key, GranteePrincipal: aws.String("arn:aws:iam::" + account + ":role/support"),
		Operations:  []types.GrantOperation{types.GrantOperationDecrypt},
		Constraints: &types.GrantConstraints{EncryptionContextSubset: map[string]string{"fieldcrypt:domain": "medical"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Keys(t.Context(), medical); err != nil {
		t.Fatalf("with the grant: %v", err)
	}
	_, err = m.Keys(t.Context(), finance)
	denied(t, "another domain than the grant's", err)
	w.wait(cacheTTL + time.Second)
	if _, err := m.Keys(t.Context(), medical); err != nil {
		t.Fatalf("opened again: %v", err)
	}

	if _, err := w.kms.Client().RevokeGrant(t.Context(), &kms.RevokeGrantInput{KeyId: &w.key, GrantId: grant.GrantId}); err != nil {
		t.Fatal(err)
	}
	w.kms.ResetCalls()
	if _, err := m.Keys(t.Context(), medical); err != nil || w.kms.Count() != 0 {
		t.Errorf("what is cached serves on: %v, %d calls", err, w.kms.Count())
	}
	w.wait(cacheTTL)
	_, err = m.Keys(t.Context(), medical)
	denied(t, "CacheTTL after the revocation", err)
	_, err = m.Keys(t.Context(), medical)
	denied(t, "and from then on", err)
}

func TestAGrantTokenIsSentWithEveryCall(t *testing.T) {
	w := newWorld(t)
	w.create()
	grant, err := w.kms.Client().CreateGrant(t.Context(), &kms.CreateGrantInput{
		KeyId: &w.key, GranteePrincipal: aws.String("arn:aws:iam::" + account + ":role/support"),
		Operations: []types.GrantOperation{types.GrantOperationDecrypt, types.GrantOperationGenerateDataKey},
	})
	if err != nil {
		t.Fatal(err)
	}
	kek := awskms.Key(w.role("support"), w.key, awskms.GrantTokens(*grant.GrantToken))
	wc := keymgr.WrapContext{Scope: medical}
	_, wrapped, err := kek.GenerateDataKey(t.Context(), wc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kek.Unwrap(t.Context(), wrapped, wc); err != nil {
		t.Fatal(err)
	}
	// Of a grant that is gone the token is invalid: a refusal, not an outage.
	if _, err := w.kms.Client().RevokeGrant(t.Context(), &kms.RevokeGrantInput{KeyId: &w.key, GrantId: grant.GrantId}); err != nil {
		t.Fatal(err)
	}
	_, err = kek.Unwrap(t.Context(), wrapped, wc)
	denied(t, "revoked", err)
	var invalid *types.InvalidGrantTokenException
	if !errors.As(err, &invalid) {
		t.Errorf("the token was not sent: %v", err)
	}
}
