package awskmstest_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/fieldcrypt/go/keymgr/awskms/awskmstest"
)

// Each error that the SDK has a type for must come out as that type.
func TestErrorsAreTheTypesOfTheSDK(t *testing.T) {
	srv := awskmstest.Start(t)
	client, ctx := srv.Client(), t.Context()
	arn, disabled, pending := srv.CreateKey("alias/a"), srv.CreateKey(), srv.CreateKey()
	if _, err := client.DisableKey(ctx, &kms.DisableKeyInput{KeyId: &disabled}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{KeyId: &pending}); err != nil {
		t.Fatal(err)
	}
	mac, err := client.CreateKey(ctx, &kms.CreateKeyInput{KeySpec: "HMAC_256", KeyUsage: "GENERATE_VERIFY_MAC"})
	if err != nil {
		t.Fatal(err)
	}
	blob := encrypt(t, srv, arn, []byte("x"), nil)
	enc := func(id string, change ...func(*kms.EncryptInput)) error {
		in := &kms.EncryptInput{KeyId: &id, Plaintext: []byte("x")}
		for _, f := range change {
			f(in)
		}
		_, err := client.Encrypt(ctx, in)
		return err
	}
	alias := func(name string) error {
		_, err := client.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: &name, TargetKeyId: &arn})
		return err
	}
	dec := func(id string, blob []byte) error { _, err := decrypt(t, srv, id, blob, nil); return err }
	describe := func(id string) error {
		_, err := client.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &id})
		return err
	}
	_, marker := client.ListKeys(ctx, &kms.ListKeysInput{Marker: aws.String("!")})
	_, tags := client.CreateKey(ctx, &kms.CreateKeyInput{Tags: []types.Tag{tag("aws:x", "")}})
	_, policy := client.CreateKey(ctx, &kms.CreateKeyInput{Policy: aws.String("{")})
	_, origin := client.CreateKey(ctx, &kms.CreateKeyInput{Origin: "EXTERNAL"})
	ondemand := func(code string, status int) error {
		srv.Fail(1, code, status)
		return enc(arn)
	}

	for name, c := range map[string]struct {
		err    error
		target any
		status int
	}{
		"AlreadyExistsException":      {alias("alias/a"), new(*types.AlreadyExistsException), 400},
		"DisabledException":           {enc(disabled), new(*types.DisabledException), 400},
		"DryRunOperationException":    {enc(arn, func(in *kms.EncryptInput) { in.DryRun = aws.Bool(true) }), new(*types.DryRunOperationException), 400},
		"IncorrectKeyException":       {dec(*mac.KeyMetadata.Arn, blob), new(*types.IncorrectKeyException), 400},
		"InvalidAliasNameException":   {alias("alias/"), new(*types.InvalidAliasNameException), 400},
		"InvalidArnException":         {describe("arn:x"), new(*types.InvalidArnException), 400},
		"InvalidCiphertextException":  {dec(arn, []byte("x")), new(*types.InvalidCiphertextException), 400},
		"InvalidGrantTokenException":  {enc(arn, func(in *kms.EncryptInput) { in.GrantTokens = []string{"x"} }), new(*types.InvalidGrantTokenException), 400},
		"InvalidKeyUsageException":    {enc(*mac.KeyMetadata.Arn), new(*types.InvalidKeyUsageException), 400},
		"InvalidKeyUsageException 2":  {enc(arn, func(in *kms.EncryptInput) { in.EncryptionAlgorithm = "RSAES_OAEP_SHA_256" }), new(*types.InvalidKeyUsageException), 400},
		"InvalidMarkerException":      {marker, new(*types.InvalidMarkerException), 400},
		"KMSInvalidStateException":    {enc(pending), new(*types.KMSInvalidStateException), 400},
		"MalformedPolicyDocument":     {policy, new(*types.MalformedPolicyDocumentException), 400},
		"NotFoundException":           {enc("alias/b"), new(*types.NotFoundException), 400},
		"TagException":                {tags, new(*types.TagException), 400},
		"UnsupportedOperation":        {origin, new(*types.UnsupportedOperationException), 400},
		"KMSInternalException":        {ondemand("KMSInternalException", 500), new(*types.KMSInternalException), 500},
		"DependencyTimeoutException":  {ondemand("DependencyTimeoutException", 503), new(*types.DependencyTimeoutException), 503},
		"KeyUnavailableException":     {ondemand("KeyUnavailableException", 500), new(*types.KeyUnavailableException), 500},
		"LimitExceededException":      {ondemand("LimitExceededException", 400), new(*types.LimitExceededException), 400},
		"an error that SDKs know not": {ondemand("SomethingException", 418), new(*smithy.GenericAPIError), 418},
	} {
		var http *smithyhttp.ResponseError
		if !errors.As(c.err, c.target) || !errors.As(c.err, &http) || http.HTTPStatusCode() != c.status {
			t.Errorf("%s: %v", name, c.err)
		}
	}
	if msg := enc(*mac.KeyMetadata.Arn).Error(); !strings.HasSuffix(msg, *mac.KeyMetadata.Arn+" key usage is GENERATE_VERIFY_MAC which is not valid for Encrypt.") {
		t.Errorf("key usage: %s", msg)
	}
}

func TestRecipientsAreRefused(t *testing.T) {
	srv := awskmstest.Start(t)
	arn := srv.CreateKey()
	_, err := srv.Client().GenerateDataKey(t.Context(), &kms.GenerateDataKeyInput{
		KeyId: &arn, KeySpec: "AES_256", Recipient: &types.RecipientInfo{AttestationDocument: []byte("x")},
	})
	if code(err) != "UnsupportedOperationException" {
		t.Errorf("a data key in the clear for an enclave: %v", err)
	}
}
