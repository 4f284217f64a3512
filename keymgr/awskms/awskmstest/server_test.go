package awskmstest_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/fieldcrypt/go/keymgr/awskms/awskmstest"
)

func TestCallsAreWhatCloudTrailShows(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	srv, err := awskmstest.New(awskmstest.Config{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	from, to := srv.CreateKey("alias/from"), srv.CreateKey()
	medical, hashed := map[string]string{"domain": "medical"}, map[string]string{"domain": "medical", "tenant": "0a1b"}
	client, ctx := srv.Client(), t.Context()
	out, err := client.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: aws.String("alias/from"), KeySpec: "AES_256", EncryptionContext: medical})
	if err != nil {
		t.Fatal(err)
	}
	re, err := client.ReEncrypt(ctx, &kms.ReEncryptInput{
		CiphertextBlob: out.CiphertextBlob, SourceEncryptionContext: medical, DestinationKeyId: &to, DestinationEncryptionContext: hashed,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := decrypt(t, srv, to, re.CiphertextBlob, medical); err == nil {
		t.Fatal("wrong context opened")
	}
	if _, err := client.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: aws.String("alias/nobody")}); err == nil {
		t.Fatal("described nobody")
	}
	srv.Deny(to)
	if err := use(ctx, client, to); err == nil {
		t.Fatal("used a denied key")
	}

	calls := srv.Calls()
	ids := map[string]bool{}
	for i := range calls {
		ids[calls[i].RequestID] = true
		calls[i].RequestID = ""
	}
	base := awskmstest.Call{Time: now, AccessKeyID: awskmstest.DefaultAccessKeyID, Principal: "arn:aws:iam::111122223333:user/test"}
	want := []awskmstest.Call{base, base, base, base, base}
	want[0].Operation, want[0].KeyARN, want[0].EncryptionContext = "GenerateDataKey", from, medical
	want[1].Operation, want[1].SourceKeyARN, want[1].SourceEncryptionContext = "ReEncrypt", from, medical
	want[1].KeyARN, want[1].EncryptionContext = to, hashed
	want[2].Operation, want[2].KeyARN, want[2].EncryptionContext, want[2].ErrorCode = "Decrypt", to, medical, "InvalidCiphertextException"
	want[3].Operation, want[3].ErrorCode = "DescribeKey", "NotFoundException"
	want[4].Operation, want[4].KeyARN, want[4].ErrorCode = "GenerateDataKey", to, "AccessDeniedException"
	if !reflect.DeepEqual(calls, want) || len(ids) != len(want) {
		t.Errorf("got  %+v\nwant %+v", calls, want)
	}
	if s := fmt.Sprintf("%+v", srv.Calls()); strings.Contains(s, base64.StdEncoding.EncodeToString(out.Plaintext)) || strings.Contains(s, fmt.Sprint(out.Plaintext)) {
		t.Error("the log holds a data key")
	}

	calls[0].EncryptionContext["domain"] = "changed"
	if srv.Calls()[0].EncryptionContext["domain"] != "medical" {
		t.Error("Calls shares its maps")
	}
	if srv.Count() != 5 || srv.Count("GenerateDataKey") != 2 || srv.Count("ReEncrypt", "Decrypt") != 2 || srv.Count("Encrypt") != 0 {
		t.Error("Count is wrong")
	}
	srv.ResetCalls()
	if srv.Count() != 0 || len(srv.Calls()) != 0 {
		t.Error("ResetCalls left calls")
	}
}

func TestCallsShowRefusedSignatures(t *testing.T) {
	srv := awskmstest.Start(t)
	creds := srv.Credentials()
	creds.SecretAccessKey += "x"
	if err := use(t.Context(), srv.ClientAs(creds), "alias/a"); err == nil {
		t.Fatal("a wrong secret was accepted")
	}
	if c := srv.Calls()[0]; c.ErrorCode != "InvalidSignatureException" || c.AccessKeyID != creds.AccessKeyID || c.Principal != "" {
		t.Errorf("%+v", c)
	}
}

func TestServerPrintsNoSecret(t *testing.T) {
	srv := awskmstest.Start(t)
	secret := srv.AddCredentials("alice").SecretAccessKey
	srv.CreateKey("alias/a")
	js, err := json.Marshal(map[string]any{"srv": srv})
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "srv", srv)
	outer := struct{ S *awskmstest.Server }{srv}
	for _, s := range []string{
		srv.String(), fmt.Sprintf("%v %+v %#v %s %q %x %d", srv, srv, srv, srv, srv, srv, srv),
		fmt.Sprintf("%v %+v %#v", outer, outer, outer), string(js), log.String(),
	} {
		if strings.Contains(s, secret) || strings.Contains(s, awskmstest.DefaultSecretAccessKey) || strings.Contains(s, "secret") {
			t.Errorf("%s", s)
		}
	}
	if want := "awskmstest.Server(" + srv.URL() + ")"; fmt.Sprintf("%#v", srv) != want {
		t.Errorf("%#v", srv)
	}
}

func TestConfig(t *testing.T) {
	for _, cfg := range []awskmstest.Config{{Region: "Europe"}, {AccountID: "1"}, {Addr: "127.0.0.1:-1"}} {
		if srv, err := awskmstest.New(cfg); err == nil {
			srv.Close()
			t.Errorf("%+v was accepted", cfg)
		}
	}
	for region, want := range map[string]string{
		"eu-west-1": "arn:aws:kms:eu-west-1:444455556666:key/", "cn-north-1": "arn:aws-cn:kms:cn-north-1:444455556666:key/",
		"us-gov-west-1": "arn:aws-us-gov:kms:us-gov-west-1:444455556666:key/",
	} {
		srv, err := awskmstest.New(awskmstest.Config{Region: region, AccountID: "444455556666"})
		if err != nil {
			t.Fatal(err)
		}
		arn := srv.CreateKey()
		if err := use(t.Context(), srv.Client(), arn); err != nil || !strings.HasPrefix(arn, want) {
			t.Errorf("%s: %s, %v", region, arn, err)
		}
		srv.Close()
	}
}

func TestTwoServersDoNotShareAnAddress(t *testing.T) {
	srv := awskmstest.Start(t)
	if second, err := awskmstest.New(awskmstest.Config{Addr: strings.TrimPrefix(srv.URL(), "http://")}); err == nil {
		second.Close()
		t.Error("two servers share an address")
	}
}
