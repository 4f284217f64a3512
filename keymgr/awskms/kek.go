package awskms

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/fieldcrypt/go/keymgr"
)

// KEK is a key of AWS KMS. It is safe for concurrent use, holds no key material
// and prints as its URI in every formatter.
type KEK struct {
	client      *kms.Client
	keyID       string
	region      string
	endpoint    string // of the client, "" for AWS's own
	uri         string
	grantTokens []string
	misuse      error // what Key could not return
}

var (
	_ keymgr.Rewrapper = (*KEK)(nil)
	_ keymgr.Resolver  = (*KEK)(nil)
)

// Option changes how a KEK is used.
type Option func(*KEK)

// GrantTokens sends grant tokens with every call: the permissions of a grant that
// was just made work at once with its token, and some minutes later without it.
func GrantTokens(tokens ...string) Option {
	return func(k *KEK) { k.grantTokens = append(k.grantTokens, tokens...) }
}

// Key names a KMS key: by key id, key ARN, alias name ("alias/medical-key") or
// alias ARN. It makes no call. A keyID that is none of these, a client without a
// region, or an ARN of another region than the client's makes every method of the
// KEK return [keymgr.ErrConfig].
func Key(client *kms.Client, keyID string, opts ...Option) *KEK {
	o := client.Options()
	k := &KEK{
		client:   client,
		keyID:    keyID,
		region:   o.Region,
		endpoint: aws.ToString(o.BaseEndpoint),
	}
	k.uri = uri(keyID, k.region)
	k.misuse = check(keyID, k.region)
	for _, opt := range opts {
		opt(k)
	}
	k.grantTokens = slices.Clip(k.grantTokens)
	return k
}

// Open is Key with a client from the SDK's default chain: credentials from the
// environment, the shared configuration, the container or the machine; the region
// from the ARN if keyID is one, else from the same places. It reaches no KMS. It
// returns [keymgr.ErrConfig] where Key would make such a KEK, or if the shared
// configuration cannot be read.
func Open(ctx context.Context, keyID string, opts ...Option) (*KEK, error) {
	var load []func(*config.LoadOptions) error
	if a, err := arn.Parse(keyID); err == nil {
		load = append(load, config.WithRegion(a.Region))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, fmt.Errorf("awskms: %w: %w", keymgr.ErrConfig, err)
	}
	k := Key(kms.NewFromConfig(cfg), keyID, opts...)
	if k.misuse != nil {
		return nil, k.misuse
	}
	return k, nil
}

// URI is "aws-kms://" and the ARN for keys that are named by an ARN, else
// "aws-kms:///alias/medical-key?region=eu-west-1", with a key id in place of the
// alias if the key is named by that.
func (k *KEK) URI() string { return k.uri }

func uri(keyID, region string) string {
	if strings.HasPrefix(keyID, "arn:") {
		return "aws-kms://" + keyID
	}
	return "aws-kms:///" + keyID + "?" + url.Values{"region": {region}}.Encode()
}

var (
	keyIDPattern = regexp.MustCompile(`^(alias/[a-zA-Z0-9/_-]+|[a-zA-Z0-9-]+)$`)
	keyResource  = regexp.MustCompile(`^(alias/[a-zA-Z0-9/_-]+|key/[a-zA-Z0-9-]+)$`)
)

// check finds what can never work, before it fails in production.
func check(keyID, region string) error {
	if !strings.HasPrefix(keyID, "arn:") {
		switch {
		case !keyIDPattern.MatchString(keyID):
			return fmt.Errorf("awskms: %w: %q is not a key id, a key ARN, an alias (alias/...) or an alias ARN", keymgr.ErrConfig, keyID)
		case region == "":
			return fmt.Errorf("awskms: %w: no region for %q: set AWS_REGION or the client's Region, or name the key by its ARN", keymgr.ErrConfig, keyID)
		}
		return nil
	}
	a, err := arn.Parse(keyID)
	switch {
	case err != nil || a.Service != "kms" || a.Region == "" || !keyResource.MatchString(a.Resource):
		return fmt.Errorf("awskms: %w: %q is not the ARN of a KMS key or alias", keymgr.ErrConfig, keyID)
	case a.Region != region:
		return fmt.Errorf("awskms: %w: the client is for region %q and cannot use %s", keymgr.ErrConfig, region, keyID)
	}
	return nil
}
