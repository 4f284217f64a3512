package main

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/fieldcrypt/go/keymgr/awskms/awskmstest"
)

// A replica of a multi-Region key takes over what its primary has wrapped, although
// the primary's region is away and no --from names it.
func TestRewrapUnderAReplica(t *testing.T) {
	c := newSQLite(t)
	c.kms() // for its credentials
	eu, us := startRegions(t)
	key, err := eu.Client().CreateKey(t.Context(), &kms.CreateKeyInput{MultiRegion: aws.Bool(true)})
	if err != nil {
		t.Fatal(err)
	}
	replica, err := eu.Client().ReplicateKey(t.Context(), &kms.ReplicateKeyInput{KeyId: key.KeyMetadata.Arn, ReplicaRegion: aws.String(us.Region())})
	if err != nil {
		t.Fatal(err)
	}
	primaryURI, replicaURI := "aws-kms://"+*key.KeyMetadata.Arn, "aws-kms://"+*replica.ReplicaKeyMetadata.Arn
	c.ok("keys", "create", "medical", "finance", "--kek", primaryURI+"?endpoint="+eu.URL())
	eu.Down()
	there := replicaURI + "?endpoint=" + us.URL()
	c.ok("keys", "rewrap", "medical", "--kek", there).has(t, "would be rewrapped", "- "+primaryURI, "+ "+replicaURI)
	c.ok("keys", "rewrap", "medical", "--kek", there, "--execute").has(t, "rewrapped and verified")
	c.ok("keys", "rewrap", "--all", "--kek", there, "--execute").has(t, "1 rewrapped and verified, 1 unchanged")
	for _, scope := range []string{"medical", "finance"} {
		if got := c.kekURI(scope); got != replicaURI {
			t.Errorf("%s is wrapped under %s", scope, got)
		}
	}
}

func startRegions(t *testing.T) (eu, us *awskmstest.Server) {
	t.Helper()
	servers := awskmstest.StartRegions(t, region, "us-east-1")
	return servers[0], servers[1]
}
