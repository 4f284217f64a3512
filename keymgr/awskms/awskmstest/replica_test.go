package awskmstest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/fieldcrypt/go/keymgr/awskms/awskmstest"
)

func createMultiRegionKey(t *testing.T, client *kms.Client) *types.KeyMetadata {
	t.Helper()
	out, err := client.CreateKey(t.Context(), &kms.CreateKeyInput{MultiRegion: aws.Bool(true), Description: aws.String("first")})
	if err != nil {
		t.Fatal(err)
	}
	return out.KeyMetadata
}

func replicate(client *kms.Client, t *testing.T, id, region string) (*kms.ReplicateKeyOutput, error) {
	t.Helper()
	return client.ReplicateKey(t.Context(), &kms.ReplicateKeyInput{KeyId: &id, ReplicaRegion: &region, Description: aws.String("second"), Tags: []types.Tag{tag("a", "b")}})
}

// roles says who is what, as a key describes it.
func roles(t *testing.T, client *kms.Client, id string) string {
	t.Helper()
	out, err := client.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &id})
	if err != nil {
		t.Fatal(err)
	}
	c := out.KeyMetadata.MultiRegionConfiguration
	s := fmt.Sprintf("%s, primary %s, replicas", c.MultiRegionKeyType, *c.PrimaryKey.Region)
	for _, r := range c.ReplicaKeys {
		if !strings.Contains(*r.Arn, *r.Region) {
			t.Errorf("%s is not in %s", *r.Arn, *r.Region)
		}
		s += " " + *r.Region
	}
	return s
}

func TestAMultiRegionKeyOpensInEveryRegion(t *testing.T) {
	servers := awskmstest.StartRegions(t, "us-east-1", "eu-west-1", "ap-south-1")
	us, eu, ap := servers[0], servers[1], servers[2]
	key := createMultiRegionKey(t, us.Client())
	if got := roles(t, us.Client(), *key.KeyId); got != "PRIMARY, primary us-east-1, replicas" {
		t.Error(got)
	}
	out, err := replicate(us.Client(), t, *key.KeyId, "eu-west-1")
	if err != nil {
		t.Fatal(err)
	}
	m := out.ReplicaKeyMetadata
	if *m.KeyId != *key.KeyId || *m.Arn != strings.Replace(*key.Arn, "us-east-1", "eu-west-1", 1) || *m.Description != "second" || !*m.MultiRegion ||
		m.KeyState != types.KeyStateCreating || m.Enabled || *m.CurrentKeyMaterialId != *key.CurrentKeyMaterialId || len(out.ReplicaTags) != 1 || !strings.Contains(*out.ReplicaPolicy, ":root") {
		t.Errorf("%+v", m)
	}
	if _, err := replicate(us.Client(), t, *key.KeyId, "ap-south-1"); err != nil {
		t.Fatal(err)
	}
	if out, err := eu.Client().DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: m.Arn}); err != nil || out.KeyMetadata.KeyState != types.KeyStateEnabled {
		t.Errorf("%+v, %v", out, err)
	}
	if a, b := roles(t, us.Client(), *key.Arn), roles(t, eu.Client(), *m.Arn); a != "PRIMARY, primary us-east-1, replicas ap-south-1 eu-west-1" ||
		b != "REPLICA, primary us-east-1, replicas ap-south-1 eu-west-1" {
		t.Errorf("%s; %s", a, b)
	}
	ctx := map[string]string{"domain": "medical"}
	before := encrypt(t, us, *key.KeyId, []byte("x"), ctx)
	if _, err := us.Client().RotateKeyOnDemand(t.Context(), &kms.RotateKeyOnDemandInput{KeyId: key.KeyId}); err != nil {
		t.Fatal(err)
	}
	after := encrypt(t, eu, *key.KeyId, []byte("x"), ctx)
	for _, srv := range servers {
		for _, id := range []string{*key.KeyId, ""} {
			if _, err := decrypt(t, srv, id, before, ctx); err != nil {
				t.Errorf("%s: %v", srv.Region(), err)
			}
			if _, err := decrypt(t, srv, id, after, ctx); err != nil {
				t.Errorf("%s: %v", srv.Region(), err)
			}
		}
	}
	us.Down() // one region alone
	if _, err := decrypt(t, eu, *m.Arn, before, ctx); err != nil {
		t.Error(err)
	}
	us.Up()

	if _, err := us.Client().UpdatePrimaryRegion(t.Context(), &kms.UpdatePrimaryRegionInput{KeyId: key.KeyId, PrimaryRegion: aws.String("eu-west-1")}); err != nil {
		t.Fatal(err)
	}
	if a, b := roles(t, us.Client(), *key.Arn), roles(t, eu.Client(), *m.Arn); a != "REPLICA, primary eu-west-1, replicas ap-south-1 us-east-1" ||
		b != "PRIMARY, primary eu-west-1, replicas ap-south-1 us-east-1" {
		t.Errorf("%s; %s", a, b)
	}
	// Policies, grants, aliases and states are each region's own.
	if _, err := eu.Client().DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: key.KeyId}); err != nil {
		t.Fatal(err)
	}
	if _, err := decrypt(t, ap, *key.KeyId, after, ctx); err != nil {
		t.Error(err)
	}
	if _, err := decrypt(t, eu, *key.KeyId, after, ctx); code(err) != "DisabledException" {
		t.Error(err)
	}
}

func TestReplicationIsRefused(t *testing.T) {
	servers := awskmstest.StartRegions(t, "us-east-1", "eu-west-1")
	us, eu := servers[0].Client(), servers[1].Client()
	key, plain := *createMultiRegionKey(t, us).KeyId, servers[0].CreateKey()
	update := func(client *kms.Client, id, region string) string {
		_, err := client.UpdatePrimaryRegion(t.Context(), &kms.UpdatePrimaryRegionInput{KeyId: &id, PrimaryRegion: &region})
		return code(err)
	}
	replicateTo := func(client *kms.Client, id, region string) string {
		_, err := replicate(client, t, id, region)
		return code(err)
	}
	clerk := servers[0].ClientAs(servers[0].AddUser("clerk", policyOf(`{"Effect":"Allow","Action":"kms:ReplicateKey","Resource":"*"}`)))
	for _, c := range []struct{ what, got, want string }{
		{"a key of one region", replicateTo(us, plain, "eu-west-1"), "UnsupportedOperationException"},
		{"its own region", replicateTo(us, key, "us-east-1"), "ValidationException"},
		{"no region", replicateTo(us, key, "Europe"), "ValidationException"},
		{"a region that is not there", replicateTo(us, key, "eu-west-2"), "UnsupportedOperationException"},
		{"primary without a replica", update(us, key, "eu-west-1"), "NotFoundException"},
		{"without kms:CreateKey there", replicateTo(clerk, key, "eu-west-1"), "AccessDeniedException"},
		{"", replicateTo(us, key, "eu-west-1"), ""},
		{"twice", replicateTo(us, key, "eu-west-1"), "AlreadyExistsException"},
		{"a replica", replicateTo(eu, key, "us-east-1"), "UnsupportedOperationException"},
		{"a replica", update(eu, key, "us-east-1"), "UnsupportedOperationException"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q, want %q", c.what, c.got, c.want)
		}
	}
	if _, err := eu.EnableKeyRotation(t.Context(), &kms.EnableKeyRotationInput{KeyId: &key}); code(err) != "UnsupportedOperationException" {
		t.Errorf("rotation of a replica: %v", err)
	}
	if _, err := us.EnableKeyRotation(t.Context(), &kms.EnableKeyRotationInput{KeyId: &key}); err != nil {
		t.Fatal(err)
	}
	if out, err := eu.GetKeyRotationStatus(t.Context(), &kms.GetKeyRotationStatusInput{KeyId: &key}); err != nil || !out.KeyRotationEnabled {
		t.Errorf("rotation is shared: %+v, %v", out, err)
	}
}

func TestAPrimaryIsDeletedAfterItsReplicas(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	servers, err := awskmstest.NewRegions(awskmstest.Config{Now: clock}, awskmstest.Config{Region: "eu-west-1", Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	us, eu := servers[0].Client(), servers[1].Client()
	defer servers[0].Close()
	defer servers[1].Close()
	key := createMultiRegionKey(t, us)
	if _, err := replicate(us, t, *key.KeyId, "eu-west-1"); err != nil {
		t.Fatal(err)
	}
	state := func(client *kms.Client) string {
		out, err := client.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: key.KeyId})
		if err != nil {
			return code(err)
		}
		return string(out.KeyMetadata.KeyState)
	}
	schedule := func(client *kms.Client) {
		t.Helper()
		if _, err := client.ScheduleKeyDeletion(t.Context(), &kms.ScheduleKeyDeletionInput{KeyId: key.KeyId, PendingWindowInDays: aws.Int32(7)}); err != nil {
			t.Fatal(err)
		}
	}
	schedule(us)
	if err := use(t.Context(), us, *key.KeyId); code(err) != "KMSInvalidStateException" || state(us) != "PendingReplicaDeletion" {
		t.Errorf("%v, %s", err, state(us))
	}
	now = now.AddDate(0, 1, 0)
	schedule(eu)
	now = now.AddDate(0, 0, 7)
	if a, b := state(us), state(eu); a != "PendingDeletion" || b != "NotFoundException" {
		t.Errorf("primary %s, replica %s", a, b)
	}
	now = now.AddDate(0, 0, 7)
	if got := state(us); got != "NotFoundException" {
		t.Error(got)
	}
}

func TestNewRegions(t *testing.T) {
	for name, configs := range map[string][]awskmstest.Config{
		"twice":      {{}, {}},
		"accounts":   {{}, {Region: "eu-west-1", AccountID: "444455556666"}},
		"partitions": {{}, {Region: "cn-north-1"}},
		"a bad one":  {{}, {Region: "Europe"}},
	} {
		if _, err := awskmstest.NewRegions(configs...); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	servers := awskmstest.StartRegions(t, "us-east-1", "eu-west-1")
	creds := servers[0].AddUser("clerk", policyOf(`{"Effect":"Allow","Action":"kms:GenerateDataKey","Resource":"*"}`))
	if err := use(t.Context(), servers[1].ClientAs(creds), servers[1].CreateKey()); err != nil {
		t.Errorf("IAM has no regions: %v", err)
	}
}
