package awskms_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/awskms"
	"github.com/fieldcrypt/go/keymgr/awskms/awskmstest"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
)

var medical = keymgr.WrapContext{Scope: keymgr.Scope{Domain: "medical", Tenant: "acme"}}

func TestConformance(t *testing.T) {
	srv := awskmstest.Start(t)
	arn := srv.CreateKey("alias/medical-key")
	other := awskms.Key(srv.Client(), srv.CreateKey())
	for _, id := range []string{arn, arn[strings.LastIndex(arn, "/")+1:], "alias/medical-key", "arn:aws:kms:us-east-1:111122223333:alias/medical-key"} {
		t.Run(id, func(t *testing.T) {
			keymgrtest.ExerciseKEK(t, awskms.Key(srv.Client(), id), other, keymgrtest.NewKEK("elsewhere"))
		})
	}
}

func TestURI(t *testing.T) {
	client := kms.New(kms.Options{Region: "eu-west-1"})
	for id, want := range map[string]string{
		"alias/medical-key":                                         "aws-kms:///alias/medical-key?region=eu-west-1",
		"1234abcd-12ab-34cd-56ef-1234567890ab":                      "aws-kms:///1234abcd-12ab-34cd-56ef-1234567890ab?region=eu-west-1",
		"mrk-1234abcd12ab34cd56ef1234567890ab":                      "aws-kms:///mrk-1234abcd12ab34cd56ef1234567890ab?region=eu-west-1",
		"arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab":      "aws-kms://arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab",
		"arn:aws:kms:eu-west-1:111122223333:alias/team/medical-key": "aws-kms://arn:aws:kms:eu-west-1:111122223333:alias/team/medical-key",
	} {
		if got := awskms.Key(client, id).URI(); got != want {
			t.Errorf("%s: %s, want %s", id, got, want)
		}
	}
}

func TestWhatCanNeverWorkIsAConfigError(t *testing.T) {
	client := kms.New(kms.Options{Region: "eu-west-1"})
	for name, kek := range map[string]*awskms.KEK{
		"no name":            awskms.Key(client, ""),
		"a URI":              awskms.Key(client, "aws-kms://arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab"),
		"alias with a space": awskms.Key(client, "alias/medical key"),
		"no region":          awskms.Key(kms.New(kms.Options{}), "alias/medical-key"),
		"another region":     awskms.Key(client, "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab"),
		"another service":    awskms.Key(client, "arn:aws:s3:eu-west-1:111122223333:key/1234abcd-12ab"),
		"short ARN":          awskms.Key(client, "arn:aws:kms:eu-west-1"),
		"another resource":   awskms.Key(client, "arn:aws:kms:eu-west-1:111122223333:secret/1234abcd-12ab"),
	} {
		_, _, err1 := kek.GenerateDataKey(t.Context(), medical)
		_, err2 := kek.Wrap(t.Context(), make([]byte, 32), medical)
		_, err3 := kek.Unwrap(t.Context(), []byte("x"), medical)
		_, err4 := kek.Rewrap(t.Context(), []byte("x"), kek, medical, medical)
		_, err5 := kek.Describe(t.Context())
		for i, err := range []error{err1, err2, err3, err4, err5} {
			if !errors.Is(err, keymgr.ErrConfig) {
				t.Errorf("%s, method %d: %v", name, i+1, err)
			}
		}
		if kek.CanRewrap(kek) {
			t.Errorf("%s: CanRewrap", name)
		}
	}
}

func TestOpenUsesTheDefaultChain(t *testing.T) {
	srv, err := awskmstest.New(awskmstest.Config{Region: "eu-central-1"})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	arn := srv.CreateKey("alias/medical-key")
	none := filepath.Join(t.TempDir(), "none")
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": awskmstest.DefaultAccessKeyID, "AWS_SECRET_ACCESS_KEY": awskmstest.DefaultSecretAccessKey, "AWS_SESSION_TOKEN": "",
		"AWS_ENDPOINT_URL_KMS": srv.URL(), "AWS_EC2_METADATA_DISABLED": "true", "AWS_PROFILE": "",
		"AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none, "AWS_REGION": "", "AWS_DEFAULT_REGION": "",
	} {
		t.Setenv(name, value)
	}
	if _, err := awskms.Open(t.Context(), "alias/medical-key"); !errors.Is(err, keymgr.ErrConfig) {
		t.Errorf("an alias without a region: %v", err)
	}
	byARN, err := awskms.Open(t.Context(), arn)
	if err != nil {
		t.Fatalf("the region of the ARN: %v", err)
	}
	t.Setenv("AWS_REGION", "eu-central-1")
	byAlias, err := awskms.Open(t.Context(), "alias/medical-key")
	if err != nil {
		t.Fatal(err)
	}
	_, wrapped, err := byARN.GenerateDataKey(t.Context(), medical)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := byAlias.Unwrap(t.Context(), wrapped, medical); err != nil {
		t.Error(err)
	}
	t.Setenv("AWS_PROFILE", "nobody")
	if _, err := awskms.Open(t.Context(), "alias/medical-key"); !errors.Is(err, keymgr.ErrConfig) {
		t.Errorf("a profile that is not there: %v", err)
	}
}

func TestTheEncryptionContextIsWhatCloudTrailShows(t *testing.T) {
	srv := awskmstest.Start(t)
	arn := srv.CreateKey("alias/medical-key")
	kek := awskms.Key(srv.Client(), "alias/medical-key")
	dataKey, wrapped, err := kek.GenerateDataKey(t.Context(), medical)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kek.Wrap(t.Context(), dataKey, keymgr.WrapContext{Scope: keymgr.Scope{Domain: "medical"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := kek.Unwrap(t.Context(), wrapped, medical); err != nil {
		t.Fatal(err)
	}
	want := []awskmstest.Call{
		{Operation: "GenerateDataKey", EncryptionContext: map[string]string{"fieldcrypt:domain": "medical", "fieldcrypt:tenant": "acme"}},
		{Operation: "Encrypt", EncryptionContext: map[string]string{"fieldcrypt:domain": "medical"}},
		{Operation: "Decrypt", EncryptionContext: map[string]string{"fieldcrypt:domain": "medical", "fieldcrypt:tenant": "acme"}},
	}
	for i, c := range srv.Calls() {
		if c.Operation != want[i].Operation || c.KeyARN != arn || !reflect.DeepEqual(c.EncryptionContext, want[i].EncryptionContext) {
			t.Errorf("%+v", c)
		}
	}
	if n := srv.Count(); n != len(want) {
		t.Errorf("%d calls", n)
	}
}

func TestAMovedAliasOpensNothingOld(t *testing.T) {
	srv := awskmstest.Start(t)
	old := srv.CreateKey("alias/medical-key")
	kek := awskms.Key(srv.Client(), "alias/medical-key")
	_, wrapped, err := kek.GenerateDataKey(t.Context(), medical)
	if err != nil {
		t.Fatal(err)
	}
	current := srv.CreateKey()
	if _, err := srv.Client().UpdateAlias(t.Context(), &kms.UpdateAliasInput{AliasName: aws.String("alias/medical-key"), TargetKeyId: &current}); err != nil {
		t.Fatal(err)
	}
	if _, err := kek.Unwrap(t.Context(), wrapped, medical); !errors.Is(err, keymgr.ErrKEKNotAllowed) {
		t.Errorf("by the alias: %v", err)
	}
	if d, err := kek.Describe(t.Context()); err != nil || d.ARN != current {
		t.Errorf("%+v, %v", d, err)
	}
	if _, err := awskms.Key(srv.Client(), old).Unwrap(t.Context(), wrapped, medical); err != nil {
		t.Errorf("by the ARN: %v", err)
	}
}

func TestDescribe(t *testing.T) {
	srv := awskmstest.Start(t)
	arn := srv.CreateKey("alias/medical-key")
	kek := awskms.Key(srv.Client(), "alias/medical-key")
	d, err := kek.Describe(t.Context())
	if err != nil || d.ARN != arn || d.State != "Enabled" || d.Usage != "ENCRYPT_DECRYPT" || d.Spec != "SYMMETRIC_DEFAULT" ||
		d.Origin != "AWS_KMS" || d.MultiRegion || d.CreatedAt.IsZero() || !d.DeletionAt.IsZero() {
		t.Errorf("%+v, %v", d, err)
	}
	if _, err := srv.Client().ScheduleKeyDeletion(t.Context(), &kms.ScheduleKeyDeletionInput{KeyId: &arn}); err != nil {
		t.Fatal(err)
	}
	if d, err := kek.Describe(t.Context()); err != nil || d.State != "PendingDeletion" || d.DeletionAt.IsZero() {
		t.Errorf("%+v, %v", d, err)
	}
	if _, err := awskms.Key(srv.Client(), "alias/nobody").Describe(t.Context()); !errors.Is(err, keymgr.ErrKMSDenied) {
		t.Error(err)
	}
}

func TestNothingButTheURIIsPrinted(t *testing.T) {
	srv := awskmstest.Start(t)
	kek := awskms.Key(srv.Client(), "alias/medical-key", awskms.GrantTokens("token-canary"))
	js, err := json.Marshal(kek)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "kek", kek)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "kek", kek)
	for _, s := range []string{fmt.Sprintf("%v %+v %#v %x", kek, kek, kek, kek), fmt.Sprintf("%+v", []any{kek}), string(js), log.String()} {
		if strings.Contains(s, "canary") || strings.Contains(s, awskmstest.DefaultSecretAccessKey) || !strings.Contains(s, "alias/medical-key") {
			t.Error(s)
		}
	}
}
