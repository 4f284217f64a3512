package awskmstest_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"

	"github.com/fieldcrypt/go/keymgr/awskms/awskmstest"
)

func TestAliasesMoveAndGo(t *testing.T) {
	srv := awskmstest.Start(t)
	client, ctx, name := srv.Client(), t.Context(), aws.String("alias/medical-key")
	first, second := srv.CreateKey(), srv.CreateKey()
	target := func() string {
		out, err := client.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: name})
		if err != nil {
			return code(err)
		}
		return *out.KeyMetadata.Arn
	}
	if _, err := client.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: name, TargetKeyId: &first}); err != nil || target() != first {
		t.Fatalf("create: %v, %s", err, target())
	}
	blob, err := client.Encrypt(ctx, &kms.EncryptInput{KeyId: name, Plaintext: []byte("x")})
	if err != nil || *blob.KeyId != first {
		t.Fatalf("encrypt: %v", err)
	}
	if _, err := client.UpdateAlias(ctx, &kms.UpdateAliasInput{AliasName: name, TargetKeyId: &second}); err != nil || target() != second {
		t.Fatalf("update: %v, %s", err, target())
	}
	// Ciphertexts belong to the key, not to the alias.
	if out, err := client.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: blob.CiphertextBlob}); err != nil || *out.KeyId != first {
		t.Errorf("decrypt after the move: %v", err)
	}
	_, err = client.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: blob.CiphertextBlob, KeyId: name})
	if e := (*types.IncorrectKeyException)(nil); !errors.As(err, &e) {
		t.Errorf("decrypt by the moved alias: %v", err)
	}
	if _, err := client.DeleteAlias(ctx, &kms.DeleteAliasInput{AliasName: name}); err != nil || target() != "NotFoundException" {
		t.Errorf("delete: %v, %s", err, target())
	}
}

func TestWrongAliases(t *testing.T) {
	srv := awskmstest.Start(t)
	arn := srv.CreateKey("alias/taken")
	pending := srv.CreateKey()
	client, ctx := srv.Client(), t.Context()
	if _, err := client.ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{KeyId: &pending}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, target, want string }{
		{"alias/taken", arn, "AlreadyExistsException: An alias with the name arn:aws:kms:us-east-1:111122223333:alias/taken already exists"},
		{"medical", arn, `ValidationException: Alias must start with the prefix "alias/". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html`},
		{"alias/", arn, "InvalidAliasNameException"},
		{"alias/aws/s3", arn, "NotAuthorizedException"},
		{"alias/a:b", arn, "ValidationException: alias/a:b contains invalid characters for an alias"},
		{"alias/a b", arn, "ValidationException: 1 validation error detected: Value 'alias/a b' at 'aliasName' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$"},
		{"alias/" + strings.Repeat("a", 251), arn, "ValidationException: 1 validation error detected: Value 'alias/" + strings.Repeat("a", 251) + "' at 'aliasName' failed to satisfy constraint: Member must have length less than or equal to 256"},
		{"alias/b", "alias/taken", "ValidationException: Aliases must refer to keys. Not aliases"},
		{"alias/b", pending, "KMSInvalidStateException: " + pending + " is pending deletion."},
		{"alias/b", "1234abcd-12ab-34cd-56ef-1234567890ab", "NotFoundException"},
		{"alias/b", "arn:x", "NotFoundException"},
	} {
		_, err := client.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: aws.String(c.name), TargetKeyId: aws.String(c.target)})
		var api smithy.APIError
		if !errors.As(err, &api) || !strings.HasPrefix(api.ErrorCode()+": "+api.ErrorMessage(), c.want) {
			t.Errorf("%s -> %s: %v\nwant %s", c.name, c.target, err, c.want)
		}
	}

	hmac, err := client.CreateKey(ctx, &kms.CreateKeyInput{KeySpec: "HMAC_256", KeyUsage: "GENERATE_VERIFY_MAC"})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ alias, target, want string }{
		"no such alias":      {"alias/b", arn, "NotFoundException"},
		"pending key":        {"alias/taken", pending, "KMSInvalidStateException"},
		"key of other usage": {"alias/taken", *hmac.KeyMetadata.Arn, "ValidationException"},
	} {
		_, err := client.UpdateAlias(ctx, &kms.UpdateAliasInput{AliasName: aws.String(c.alias), TargetKeyId: aws.String(c.target)})
		if code(err) != c.want {
			t.Errorf("update, %s: %v, want %s", name, err, c.want)
		}
	}
	for name, want := range map[string]string{"alias/b": "NotFoundException", "alias/aws/s3": "NotAuthorizedException", "b": "ValidationException"} {
		if _, err := client.DeleteAlias(ctx, &kms.DeleteAliasInput{AliasName: aws.String(name)}); code(err) != want {
			t.Errorf("delete %s: %v, want %s", name, err, want)
		}
	}
}

func TestAKeyHasAtMostFiftyAliases(t *testing.T) {
	srv := awskmstest.Start(t)
	full, other := srv.CreateKey(), srv.CreateKey("alias/one-more")
	client := srv.Client()
	create := func(name string) error {
		_, err := client.CreateAlias(t.Context(), &kms.CreateAliasInput{AliasName: aws.String(name), TargetKeyId: &full})
		return err
	}
	for i := range 50 {
		if err := create(fmt.Sprintf("alias/n%02d", i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := create("alias/n50"); code(err) != "LimitExceededException" {
		t.Errorf("create: %v", err)
	}
	update := func(name, target string) error {
		_, err := client.UpdateAlias(t.Context(), &kms.UpdateAliasInput{AliasName: aws.String(name), TargetKeyId: aws.String(target)})
		return err
	}
	if err := update("alias/one-more", full); code(err) != "LimitExceededException" {
		t.Errorf("update: %v", err)
	}
	if err := update("alias/n00", full); err != nil {
		t.Errorf("update to the same key: %v", err)
	}
	if err := update("alias/n00", other); err != nil {
		t.Errorf("update to another key: %v", err)
	}
}

func TestListAliases(t *testing.T) {
	srv := awskmstest.Start(t)
	names := func(from, to int) (s []string) {
		for i := from; i < to; i++ {
			s = append(s, fmt.Sprintf("alias/n%02d", i))
		}
		return s
	}
	first := srv.CreateKey(names(0, 40)...)
	second := srv.CreateKey(names(40, 70)...)
	none := srv.CreateKey()
	id := func(arn string) string { return arn[strings.LastIndex(arn, "/")+1:] }
	for what, c := range map[string]struct {
		keyID *string
		limit *int32
		want  []string
		pages int
	}{
		"all, 50 to a page":     {nil, nil, names(0, 70), 2},
		"of one key, by ARN":    {&first, nil, names(0, 40), 1},
		"of one key, by id":     {aws.String(id(second)), aws.Int32(7), names(40, 70), 5},
		"of a key without":      {&none, nil, nil, 1},
		"100 at most to a page": {nil, aws.Int32(1000), names(0, 70), 1},
	} {
		var got []string
		n := 0
		pages := kms.NewListAliasesPaginator(srv.Client(), &kms.ListAliasesInput{KeyId: c.keyID, Limit: c.limit})
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			n++
			for _, a := range page.Aliases {
				got = append(got, *a.AliasName)
				if *a.AliasArn != "arn:aws:kms:us-east-1:111122223333:"+*a.AliasName || a.CreationDate == nil || a.LastUpdatedDate == nil ||
					*a.TargetKeyId != id(first) && *a.TargetKeyId != id(second) {
					t.Errorf("%s: %+v", what, a)
				}
			}
		}
		if !slices.Equal(got, c.want) || n != c.pages {
			t.Errorf("%s: %d aliases in %d pages", what, len(got), n)
		}
	}
	// A page ends where its marker says also when that alias is gone.
	client, ctx := srv.Client(), t.Context()
	page, err := client.ListAliases(ctx, &kms.ListAliasesInput{Limit: aws.Int32(10)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.DeleteAlias(ctx, &kms.DeleteAliasInput{AliasName: aws.String("alias/n09")}); err != nil {
		t.Fatal(err)
	}
	page, err = client.ListAliases(ctx, &kms.ListAliasesInput{Marker: page.NextMarker})
	if err != nil || *page.Aliases[0].AliasName != "alias/n10" {
		t.Errorf("after a deleted alias: %v", err)
	}
}
