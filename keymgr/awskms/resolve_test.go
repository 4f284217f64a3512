package awskms_test

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/awskms"
	"github.com/fieldcrypt/go/keymgr/awskms/awskmstest"
)

func TestResolve(t *testing.T) {
	srv := awskmstest.Start(t)
	client, alias := srv.Client(), "alias/medical-key"
	arn, other := srv.CreateKey(alias), srv.CreateKey()
	resolve := func(keyID string) string {
		t.Helper()
		uri, err := awskms.Key(client, keyID).Resolve(t.Context())
		if err != nil {
			t.Error(err)
		}
		return uri
	}
	for _, keyID := range []string{arn, arn[len(arn)-36:]} {
		if kek := awskms.Key(client, keyID); resolve(keyID) != kek.URI() {
			t.Errorf("%s resolves to %s", keyID, resolve(keyID))
		}
	}
	if srv.Count() != 0 {
		t.Errorf("calls for keys that are no aliases: %+v", srv.Calls())
	}
	aliasARN := arn[:len(arn)-len("key/")-36] + alias
	for _, keyID := range []string{alias, aliasARN} {
		if got := resolve(keyID); got != "aws-kms://"+arn {
			t.Errorf("%s resolves to %s", keyID, got)
		}
	}
	if _, err := client.UpdateAlias(t.Context(), &kms.UpdateAliasInput{AliasName: &alias, TargetKeyId: &other}); err != nil {
		t.Fatal(err)
	}
	if got := resolve(alias); got != "aws-kms://"+other {
		t.Errorf("after the move: %s", got)
	}
	srv.Deny(other)
	if _, err := awskms.Key(client, alias).Resolve(t.Context()); !errors.Is(err, keymgr.ErrKMSDenied) {
		t.Errorf("denied: %v", err)
	}
	if _, err := awskms.Key(client, "no key").Resolve(t.Context()); !errors.Is(err, keymgr.ErrConfig) {
		t.Errorf("misuse: %v", err)
	}
}
