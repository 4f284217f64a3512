package awskmstest_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"

	"github.com/fieldcrypt/go/keymgr/awskms/awskmstest"
)

// code is the error code that the SDK read, "" for nil and "?" for no API error.
func code(err error) string {
	var api smithy.APIError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &api):
		return api.ErrorCode()
	}
	return "?"
}

func TestCreateKeyVariants(t *testing.T) {
	srv := awskmstest.Start(t)
	client := srv.Client()
	out, err := client.CreateKey(t.Context(), &kms.CreateKeyInput{
		MultiRegion: aws.Bool(true), KeySpec: types.KeySpecSymmetricDefault, KeyUsage: types.KeyUsageTypeEncryptDecrypt,
		Policy: aws.String(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"}}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	m := out.KeyMetadata
	if !strings.HasPrefix(*m.KeyId, "mrk-") || len(*m.KeyId) != 36 || !*m.MultiRegion ||
		m.MultiRegionConfiguration.MultiRegionKeyType != types.MultiRegionKeyTypePrimary || *m.MultiRegionConfiguration.PrimaryKey.Arn != *m.Arn {
		t.Errorf("multi-Region key: %+v", m)
	}
	if _, err := client.Encrypt(t.Context(), &kms.EncryptInput{KeyId: m.KeyId, Plaintext: []byte("x")}); err != nil {
		t.Errorf("multi-Region key by id: %v", err)
	}

	out, err = client.CreateKey(t.Context(), &kms.CreateKeyInput{KeySpec: types.KeySpecHmac256, KeyUsage: types.KeyUsageTypeGenerateVerifyMac})
	if err != nil {
		t.Fatal(err)
	}
	if m := out.KeyMetadata; m.KeySpec != types.KeySpecHmac256 || len(m.MacAlgorithms) != 1 || m.EncryptionAlgorithms != nil || m.CurrentKeyMaterialId != nil {
		t.Errorf("HMAC key: %+v", m)
	}

	for name, c := range map[string]struct {
		in   kms.CreateKeyInput
		want string
	}{
		"unknown spec":       {kms.CreateKeyInput{KeySpec: "AES_256"}, "ValidationException"},
		"spec without usage": {kms.CreateKeyInput{KeySpec: "HMAC_256"}, "ValidationException"},
		"spec against usage": {kms.CreateKeyInput{KeyUsage: "SIGN_VERIFY"}, "ValidationException"},
		"spec not here":      {kms.CreateKeyInput{KeySpec: "RSA_2048", KeyUsage: "SIGN_VERIFY"}, "UnsupportedOperationException"},
		"origin not here":    {kms.CreateKeyInput{Origin: "EXTERNAL"}, "UnsupportedOperationException"},
		"policy not JSON":    {kms.CreateKeyInput{Policy: aws.String("{")}, "MalformedPolicyDocumentException"},
		"long description":   {kms.CreateKeyInput{Description: aws.String(strings.Repeat("é", 8193))}, "ValidationException"},
		"description":        {kms.CreateKeyInput{Description: aws.String(strings.Repeat("é", 8192))}, ""},
		"reserved tag":       {kms.CreateKeyInput{Tags: []types.Tag{tag("AWS:x", "")}}, "TagException"},
		"tag twice":          {kms.CreateKeyInput{Tags: []types.Tag{tag("x", "1"), tag("x", "1")}}, "TagException"},
		"too many tags":      {kms.CreateKeyInput{Tags: slices.Repeat([]types.Tag{tag("x", "1")}, 51)}, "TagException"},
		"long tag":           {kms.CreateKeyInput{Tags: []types.Tag{tag(strings.Repeat("x", 129), "")}}, "ValidationException"},
	} {
		if _, err := client.CreateKey(t.Context(), &c.in); code(err) != c.want {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestCreateKeyKnowsTheOldNameOfTheSpec(t *testing.T) {
	srv := awskmstest.Start(t)
	if resp, body := post(t, srv, "CreateKey", `{"CustomerMasterKeySpec":"SYMMETRIC_DEFAULT"}`); resp.StatusCode != 200 {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	_, body := post(t, srv, "CreateKey", `{"CustomerMasterKeySpec":"SYMMETRIC_DEFAULT","KeySpec":"SYMMETRIC_DEFAULT"}`)
	if want := `{"__type":"ValidationException","message":"You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated."}`; body != want {
		t.Errorf("got  %s\nwant %s", body, want)
	}
}

func tag(name, value string) types.Tag {
	return types.Tag{TagKey: aws.String(name), TagValue: aws.String(value)}
}

func TestKeysAreFoundByEveryName(t *testing.T) {
	srv := awskmstest.Start(t)
	arn := srv.CreateKey("alias/a/b_c-d")
	id := arn[strings.LastIndex(arn, "/")+1:]
	for _, name := range []string{arn, id, strings.ToUpper(id), "alias/a/b_c-d", "arn:aws:kms:us-east-1:111122223333:alias/a/b_c-d"} {
		out, err := srv.Client().DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: aws.String(name)})
		if err != nil || *out.KeyMetadata.Arn != arn || *out.KeyMetadata.KeyId != id {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNamesThatNameNothing(t *testing.T) {
	srv := awskmstest.Start(t)
	const nobody = "1234abcd-12ab-34cd-56ef-1234567890ab"
	for id, want := range map[string]string{
		nobody: "NotFoundException: Key 'arn:aws:kms:us-east-1:111122223333:key/" + nobody + "' does not exist",
		"arn:aws:kms:us-east-1:111122223333:key/" + nobody:      "NotFoundException: Key 'arn:aws:kms:us-east-1:111122223333:key/" + nobody + "' does not exist",
		"mrk-1234abcd12ab34cd56ef1234567890ab":                  "NotFoundException: Key 'arn:aws:kms:us-east-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab' does not exist",
		"some-key":                                              "NotFoundException: Invalid keyId 'some-key'",
		"alias/nobody":                                          "NotFoundException: Alias arn:aws:kms:us-east-1:111122223333:alias/nobody is not found.",
		"arn:aws:kms:us-east-1:111122223333:alias/nobody":       "NotFoundException: Alias arn:aws:kms:us-east-1:111122223333:alias/nobody is not found.",
		"arn:aws:kms:eu-west-1:111122223333:key/" + nobody:      "NotFoundException: Invalid arn eu-west-1",
		"arn:aws-cn:kms:us-east-1:111122223333:key/" + nobody:   "NotFoundException: Invalid arn us-east-1",
		"arn:aws:s3:us-east-1:111122223333:key/" + nobody:       "InvalidArnException: Invalid arn arn:aws:s3:us-east-1:111122223333:key/" + nobody,
		"arn:aws:kms:us-east-1:111122223333:secret/" + nobody:   "InvalidArnException: Invalid arn arn:aws:kms:us-east-1:111122223333:secret/" + nobody,
		"arn:aws:kms:us-east-1:999999999999:key/" + nobody:      "AccessDeniedException",
		"arn:aws:kms:us-east-1:999999999999:alias/their-master": "AccessDeniedException",
	} {
		_, err := srv.Client().DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: aws.String(id)})
		var api smithy.APIError
		if !errors.As(err, &api) || !strings.HasPrefix(api.ErrorCode()+": "+api.ErrorMessage(), want) {
			t.Errorf("%s: %v, want %s", id, err, want)
		}
	}
	// Encrypt does not know InvalidArnException.
	_, err := srv.Client().Encrypt(t.Context(), &kms.EncryptInput{KeyId: aws.String("arn:nonsense"), Plaintext: []byte("x")})
	if code(err) != "NotFoundException" {
		t.Errorf("Encrypt with a malformed ARN: %v", err)
	}
}

func TestListKeysInPages(t *testing.T) {
	srv := awskmstest.Start(t)
	var want []string
	for range 25 {
		want = append(want, srv.CreateKey())
	}
	slices.Sort(want)
	for _, limit := range []int32{1, 7, 25, 1000} {
		var got []string
		pages := kms.NewListKeysPaginator(srv.Client(), &kms.ListKeysInput{Limit: aws.Int32(limit)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(page.Keys) > int(limit) || page.Truncated != (page.NextMarker != nil) {
				t.Errorf("limit %d: a page of %d, truncated %v", limit, len(page.Keys), page.Truncated)
			}
			for _, k := range page.Keys {
				got = append(got, *k.KeyArn)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("limit %d: %d keys", limit, len(got))
		}
	}
	for name, c := range map[string]struct {
		in   kms.ListKeysInput
		want string
	}{
		"limit 0":    {kms.ListKeysInput{Limit: aws.Int32(0)}, "ValidationException"},
		"limit 1001": {kms.ListKeysInput{Limit: aws.Int32(1001)}, "ValidationException"},
		"marker":     {kms.ListKeysInput{Marker: aws.String("#")}, "InvalidMarkerException"},
	} {
		if _, err := srv.Client().ListKeys(t.Context(), &c.in); code(err) != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

func TestLifeOfAKey(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	srv, err := awskmstest.New(awskmstest.Config{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	arn := srv.CreateKey("alias/a")
	client, ctx, id := srv.Client(), t.Context(), aws.String(arn)
	enable := func() error { _, err := client.EnableKey(ctx, &kms.EnableKeyInput{KeyId: id}); return err }
	disable := func() error { _, err := client.DisableKey(ctx, &kms.DisableKeyInput{KeyId: id}); return err }
	cancel := func() error {
		_, err := client.CancelKeyDeletion(ctx, &kms.CancelKeyDeletionInput{KeyId: id})
		return err
	}
	encrypt := func() error {
		_, err := client.Encrypt(ctx, &kms.EncryptInput{KeyId: aws.String("alias/a"), Plaintext: []byte("x")})
		return err
	}
	schedule := func(days int32) error {
		in := &kms.ScheduleKeyDeletionInput{KeyId: id}
		if days != 0 {
			in.PendingWindowInDays = aws.Int32(days)
		}
		out, err := client.ScheduleKeyDeletion(ctx, in)
		if err == nil {
			want := now.AddDate(0, 0, int(*out.PendingWindowInDays))
			if *out.KeyId != arn || out.KeyState != types.KeyStatePendingDeletion || !out.DeletionDate.Equal(want) {
				t.Errorf("ScheduleKeyDeletion: %+v", out)
			}
		}
		return err
	}
	step := func(what string, err error, want string, state types.KeyState) {
		t.Helper()
		if code(err) != want {
			t.Errorf("%s: %v, want %q", what, err, want)
		}
		out, err := client.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: id})
		if err != nil {
			t.Fatalf("after %s: %v", what, err)
		}
		m := out.KeyMetadata
		if m.KeyState != state || m.Enabled != (state == types.KeyStateEnabled) || (m.DeletionDate != nil) != (state == types.KeyStatePendingDeletion) {
			t.Errorf("after %s: %s, enabled %v, deletion %v", what, m.KeyState, m.Enabled, m.DeletionDate)
		}
	}
	const enabled, disabled, pending = types.KeyStateEnabled, types.KeyStateDisabled, types.KeyStatePendingDeletion
	step("encrypt", encrypt(), "", enabled)
	step("enable", enable(), "", enabled)
	step("cancel without deletion", cancel(), "KMSInvalidStateException", enabled)
	step("disable", disable(), "", disabled)
	step("encrypt while disabled", encrypt(), "DisabledException", disabled)
	step("disable again", disable(), "", disabled)
	step("enable again", enable(), "", enabled)
	step("delete in 6 days", schedule(6), "ValidationException", enabled)
	step("delete in 31 days", schedule(31), "ValidationException", enabled)
	step("delete", schedule(0), "", pending)
	step("encrypt while pending", encrypt(), "KMSInvalidStateException", pending)
	step("delete twice", schedule(7), "KMSInvalidStateException", pending)
	step("enable while pending", enable(), "KMSInvalidStateException", pending)
	step("disable while pending", disable(), "KMSInvalidStateException", pending)
	step("cancel", cancel(), "", disabled)
	step("delete while disabled", schedule(7), "", pending)
	now = now.AddDate(0, 0, 7).Add(-time.Second)
	step("a second before the end", encrypt(), "KMSInvalidStateException", pending)
	now = now.Add(time.Second)
	if err := encrypt(); code(err) != "NotFoundException" {
		t.Errorf("alias of a deleted key: %v", err)
	}
	if err := cancel(); code(err) != "NotFoundException" {
		t.Errorf("deleted key: %v", err)
	}
}

func TestTheStateOfAKeyTakesNoAlias(t *testing.T) {
	srv := awskmstest.Start(t)
	srv.CreateKey("alias/a")
	client, ctx := srv.Client(), t.Context()
	for _, id := range []string{"alias/a", "arn:aws:kms:us-east-1:111122223333:alias/a"} {
		_, err1 := client.EnableKey(ctx, &kms.EnableKeyInput{KeyId: &id})
		_, err2 := client.DisableKey(ctx, &kms.DisableKeyInput{KeyId: &id})
		_, err3 := client.ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{KeyId: &id})
		_, err4 := client.CancelKeyDeletion(ctx, &kms.CancelKeyDeletionInput{KeyId: &id})
		_, err5 := client.ListAliases(ctx, &kms.ListAliasesInput{KeyId: &id})
		for i, err := range []error{err1, err2, err3, err4, err5} {
			if code(err) != "NotFoundException" {
				t.Errorf("%s, operation %d: %v", id, i, err)
			}
		}
	}
}

func TestCreateKeyOfTheServerPanicsForABadAlias(t *testing.T) {
	srv := awskmstest.Start(t)
	srv.CreateKey("alias/a")
	for _, name := range []string{"a", "alias/a", "alias/aws/a", ""} {
		func() {
			defer func() {
				if r := fmt.Sprint(recover()); !strings.HasPrefix(r, "awskmstest: ") {
					t.Errorf("%q: %s", name, r)
				}
			}()
			srv.CreateKey(name)
		}()
	}
}
