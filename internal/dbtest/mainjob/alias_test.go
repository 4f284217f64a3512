package mainjob_test

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/awskms"
)

// TestAMovedAliasIsMendedByNamingTheOldKey: an alias now names another KMS key
// than the one that wrapped the keysets.
func TestAMovedAliasIsMendedByNamingTheOldKey(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, e *env) {
		ctx := t.Context()
		medical := keymgr.Scope{Domain: "medical"}
		alias := "alias/medical"
		old, err := e.client.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &alias})
		if err != nil {
			t.Fatal(err)
		}
		moved := e.kms.CreateKey()
		if _, err := e.client.UpdateAlias(ctx, &kms.UpdateAliasInput{AliasName: &alias, TargetKeyId: &moved}); err != nil {
			t.Fatal(err)
		}
		if _, err := keymgr.Open(ctx, e.config()); !errors.Is(err, keymgr.ErrKEKNotAllowed) {
			t.Errorf("after the move: %v", err)
		}
		cfg := e.config()
		d := cfg.Domains["medical"]
		d.DecryptOnly = []keymgr.KEK{awskms.Key(e.client, *old.KeyMetadata.Arn)}
		cfg.Domains["medical"] = d
		m, err := keymgr.Open(ctx, cfg)
		if err != nil {
			t.Fatalf("with the old key in DecryptOnly: %v", err)
		}
		defer m.Close()
		if err := m.Rewrap(ctx, medical); err != nil {
			t.Fatal(err)
		}
		again, err := keymgr.Open(ctx, e.config())
		if err != nil {
			t.Fatalf("after the rewrap: %v", err)
		}
		again.Close()
	})
}
