package awskms_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/fieldcrypt/go/keymgr/awskms"
)

func TestReplicasOfAMultiRegionKey(t *testing.T) {
	const id = "mrk-1234abcd12ab34cd56ef1234567890ab"
	const here, there = "arn:aws:kms:eu-west-1:111122223333:key/", "aws-kms://arn:aws:kms:us-east-1:111122223333:key/"
	client := kms.New(kms.Options{Region: "eu-west-1"})
	for _, c := range []struct {
		key, uri string
		want     bool
	}{
		{here + id, there + id, true},
		{id, there + id, true},
		{here + id, "aws-kms:///" + id + "?region=us-east-1", true},
		{id, "aws-kms:///" + id + "?region=us-east-1", true},

		{here + id, "aws-kms://" + here + id, false},                                            // itself
		{here + id, "aws-kms:///" + id + "?region=eu-west-1", false},                            // itself, by another name
		{here + id, there + id + "0", false},                                                    // another key
		{here + id, "aws-kms://arn:aws:kms:us-east-1:999999999999:key/" + id, false},            // another account
		{here + id, "aws-kms://arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/" + id, false}, // another partition
		{here + id, "aws-kms://arn:aws:s3:us-east-1:111122223333:key/" + id, false},             // another service
		{here + id, "gcp-kms://arn:aws:kms:us-east-1:111122223333:key/" + id, false},            // another provider
		{here + id, "aws-kms:///" + id, false},                                                  // no region
		{here + id, "aws-kms:///key/" + id + "?region=us-east-1", false},
		{here + id, "aws-kms://%zz/" + id, false},
		{here + id, "", false},
		{here + "1234abcd-12ab", there + "1234abcd-12ab", false}, // of one region only
		{"alias/medical-key", "aws-kms:///alias/medical-key?region=us-east-1", false},
		{"alias/mrk-key", "aws-kms:///alias/mrk-key?region=us-east-1", false},
		{"arn:aws:kms:eu-west-1:111122223333:alias/mrk-key", "aws-kms://arn:aws:kms:us-east-1:111122223333:alias/mrk-key", false},
	} {
		if got := awskms.Key(client, c.key).ReplicaOf(c.uri); got != c.want {
			t.Errorf("%s of %s: %v", c.key, c.uri, got)
		}
	}
	misused := awskms.Key(kms.New(kms.Options{Region: "eu-north-1"}), here+id)
	if misused.ReplicaOf(there + id) {
		t.Error("a KEK that cannot work is a replica")
	}
}
