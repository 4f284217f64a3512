package awskms

import (
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/arn"

	"github.com/fieldcrypt/go/keymgr"
)

var _ keymgr.Replica = (*KEK)(nil)

// name is a KMS key by its id. Partition and account are empty where it is named
// by the id alone.
type name struct{ partition, region, account, id string }

// ReplicaOf implements [keymgr.Replica] for multi-Region keys, whose ids begin
// with "mrk-": the key of the URI has the same id, is in another region, and in the
// same partition and account as far as both names say. What an alias names only the
// KMS knows, so keys that are named by one are replicas of none: name them by ARN or id.
func (k *KEK) ReplicaOf(uri string) bool {
	if k.misuse != nil {
		return false
	}
	ours, ok := parseURI(k.uri)
	theirs, ok2 := parseURI(uri)
	same := func(a, b string) bool { return a == b || a == "" || b == "" }
	return ok && ok2 && strings.HasPrefix(ours.id, "mrk-") && ours.id == theirs.id && ours.region != theirs.region &&
		same(ours.partition, theirs.partition) && same(ours.account, theirs.account)
}

// parseURI reads what [KEK.URI] has written, for keys that are named by ARN or id.
func parseURI(uri string) (name, bool) {
	rest, ok := strings.CutPrefix(uri, "aws-kms://")
	if !ok {
		return name{}, false
	}
	if a, err := arn.Parse(rest); err == nil {
		id, ok := strings.CutPrefix(a.Resource, "key/")
		return name{a.Partition, a.Region, a.AccountID, id}, ok && a.Service == "kms" && a.Region != "" && check(rest, a.Region) == nil
	}
	u, err := url.Parse(uri)
	if err != nil || u.Host != "" {
		return name{}, false
	}
	n := name{region: u.Query().Get("region"), id: strings.TrimPrefix(u.Path, "/")}
	return n, n.region != "" && !strings.Contains(n.id, "/") && check(n.id, n.region) == nil
}
