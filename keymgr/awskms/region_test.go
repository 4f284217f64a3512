package awskms_test

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/awskms"
	"github.com/fieldcrypt/go/keymgr/awskms/awskmstest"
)

// What the primary of a multi-Region key has wrapped its replica opens, with the
// first region down; a key of one region opens nowhere else.
func TestAReplicaOpensWhatThePrimaryHasWrapped(t *testing.T) {
	servers := awskmstest.StartRegions(t, "us-east-1", "eu-west-1")
	us, eu := servers[0], servers[1]
	made, err := us.Client().CreateKey(t.Context(), &kms.CreateKeyInput{MultiRegion: aws.Bool(true)})
	if err != nil {
		t.Fatal(err)
	}
	id := *made.KeyMetadata.KeyId
	replica, err := us.Client().ReplicateKey(t.Context(), &kms.ReplicateKeyInput{KeyId: &id, ReplicaRegion: aws.String("eu-west-1")})
	if err != nil {
		t.Fatal(err)
	}
	dataKey, wrapped, err := awskms.Key(us.Client(), *made.KeyMetadata.Arn).GenerateDataKey(t.Context(), medical)
	if err != nil {
		t.Fatal(err)
	}
	_, plain, err := awskms.Key(us.Client(), us.CreateKey()).GenerateDataKey(t.Context(), medical)
	if err != nil {
		t.Fatal(err)
	}
	us.Down()
	for _, name := range []string{id, *replica.ReplicaKeyMetadata.Arn} {
		kek := awskms.Key(eu.Client(), name)
		if got, err := kek.Unwrap(t.Context(), wrapped, medical); err != nil || string(got) != string(dataKey) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := kek.Unwrap(t.Context(), plain, medical); !errors.Is(err, keymgr.ErrKEKNotAllowed) {
			t.Errorf("%s: what a key of one region has wrapped: %v", name, err)
		}
		if d, err := kek.Describe(t.Context()); err != nil || !d.MultiRegion {
			t.Errorf("%s: %+v, %v", name, d, err)
		}
	}
	if _, err := awskms.Key(us.Client(), id).Unwrap(t.Context(), wrapped, medical); !errors.Is(err, keymgr.ErrKMSUnavailable) {
		t.Errorf("the region that is down: %v", err)
	}
}
