package awskmstest_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/fieldcrypt/go/keymgr/awskms/awskmstest"
)

// A dry run asks whether a call would succeed; with IGNORE_CIPHERTEXT whether it
// is allowed, of whatever ciphertext.
func TestDryRunOfWhatTakesACiphertext(t *testing.T) {
	srv := awskmstest.Start(t)
	arn := srv.CreateKey()
	blob := encrypt(t, srv, arn, []byte("x"), nil)
	clients := map[string]*kms.Client{
		"admin": srv.Client(),
		"clerk": srv.ClientAs(srv.AddUser("clerk", policyOf(`{"Effect":"Allow","Action":"kms:ReEncryptFrom","Resource":"*"}`))),
	}
	ignore := []types.DryRunModifierType{types.DryRunModifierTypeIgnoreCiphertext}
	for _, c := range []struct {
		by        string
		blob      []byte
		modifiers []types.DryRunModifierType
		want      string
	}{
		{"admin", blob, nil, "DryRunOperationException"},
		{"admin", []byte("x"), nil, "InvalidCiphertextException"},
		{"admin", []byte("x"), ignore, "DryRunOperationException"},
		{"admin", nil, ignore, "DryRunOperationException"},
		{"admin", blob, []types.DryRunModifierType{"OTHER"}, "ValidationException"},
		{"clerk", nil, ignore, "AccessDeniedException"},
	} {
		_, err := clients[c.by].Decrypt(t.Context(), &kms.DecryptInput{KeyId: &arn, CiphertextBlob: c.blob, DryRun: aws.Bool(true), DryRunModifiers: c.modifiers})
		if code(err) != c.want {
			t.Errorf("Decrypt by %s of %d bytes, %v: %v, want %s", c.by, len(c.blob), c.modifiers, err, c.want)
		}
		_, err = clients[c.by].ReEncrypt(t.Context(), &kms.ReEncryptInput{
			SourceKeyId: &arn, DestinationKeyId: &arn, CiphertextBlob: c.blob, DryRun: aws.Bool(true), DryRunModifiers: c.modifiers,
		})
		if code(err) != c.want {
			t.Errorf("ReEncrypt by %s of %d bytes, %v: %v, want %s", c.by, len(c.blob), c.modifiers, err, c.want)
		}
	}
	_, err := srv.Client().Decrypt(t.Context(), &kms.DecryptInput{DryRun: aws.Bool(true), DryRunModifiers: ignore})
	if code(err) != "ValidationException" {
		t.Errorf("neither a key nor a ciphertext: %v", err)
	}
	_, err = srv.Client().Decrypt(t.Context(), &kms.DecryptInput{KeyId: &arn, CiphertextBlob: []byte("x"), DryRunModifiers: ignore})
	if code(err) != "InvalidCiphertextException" {
		t.Errorf("not a dry run: %v", err)
	}
}
