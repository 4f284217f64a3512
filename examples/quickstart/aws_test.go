package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/awskms/awskmstest"
)

// awsEnvironment sets the environment that the AWS SDK sees: this and nothing
// of the machine's.
func awsEnvironment(t *testing.T, set map[string]string) {
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
		}
	}
	none := filepath.Join(t.TempDir(), "none")
	t.Setenv("AWS_CONFIG_FILE", none)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", none)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	for name, value := range set {
		t.Setenv(name, value)
	}
}

func TestKMSEndpoint(t *testing.T) {
	tempFolder(t)
	awsEnvironment(t, nil)
	srv := awskmstest.Start(t)
	out := newScreen()
	if err := run(t.Context(), []string{"-kms", srv.URL()}, out); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	checkOutput(t, out)
	if !strings.Contains(out.String(), "aws-kms:///"+defaultKEK2) {
		t.Error("the output does not name the second KMS key")
	}
	for operation, want := range map[string]int{
		"GenerateDataKey": 2, // one for each domain
		"ReEncrypt":       2, // the move never shows a data key
		"Decrypt":         6, // each domain: opened, the new wrap verified, opened again
		"CreateKey":       2,
		"Encrypt":         0,
	} {
		if got := srv.Count(operation); got != want {
			t.Errorf("%d calls of %s, want %d", got, operation, want)
		}
	}
	if want := "KMS calls in all: 10\n"; !strings.HasSuffix(out.String(), want) {
		t.Errorf("the output does not end with %q", want)
	}

	// Another run finds the aliases.
	srv.ResetCalls()
	if err := run(t.Context(), []string{"-kms", srv.URL()}, newScreen()); err != nil {
		t.Fatal(err)
	}
	if got := srv.Count("CreateKey", "CreateAlias"); got != 0 {
		t.Errorf("the second run made %d keys and aliases", got)
	}
}

func TestAWSWithItsDefaultChain(t *testing.T) {
	tempFolder(t)
	srv := awskmstest.Start(t)
	creds := srv.AddCredentials("quickstart")
	awsEnvironment(t, map[string]string{
		"AWS_ENDPOINT_URL_KMS":  srv.URL(), // where the SDK takes AWS to be
		"AWS_REGION":            srv.Region(),
		"AWS_ACCESS_KEY_ID":     creds.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY": creds.SecretAccessKey,
	})
	srv.CreateKey("alias/one")
	arn := srv.CreateKey()
	out := newScreen()
	if err := run(t.Context(), []string{"-kms", "aws", "-kek", "alias/one", "-kek2", arn}, out); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	checkOutput(t, out)
	if got := srv.Count("CreateKey", "CreateAlias"); got != 0 {
		t.Errorf("%d keys and aliases made at AWS, want none", got)
	}
	for _, call := range srv.Calls() {
		if !strings.HasSuffix(call.Principal, "user/quickstart") || call.EncryptionContext["fieldcrypt:domain"] == "" {
			t.Errorf("%s by %s with context %v", call.Operation, call.Principal, call.EncryptionContext)
		}
	}
}

func TestMissingKeyAtAWSIsAnError(t *testing.T) {
	tmp := tempFolder(t)
	srv := awskmstest.Start(t)
	creds := srv.Credentials()
	awsEnvironment(t, map[string]string{
		"AWS_ENDPOINT_URL_KMS":  srv.URL(),
		"AWS_REGION":            srv.Region(),
		"AWS_ACCESS_KEY_ID":     creds.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY": creds.SecretAccessKey,
	})
	err := run(t.Context(), []string{"-kms", "aws", "-kek", "alias/none", "-kek2", "alias/none-either"}, newScreen())
	if !errors.Is(err, keymgr.ErrKMSDenied) {
		t.Errorf("got %v, want ErrKMSDenied", err)
	}
	checkEmpty(t, tmp)
}
