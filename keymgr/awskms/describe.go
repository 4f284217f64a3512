package awskms

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// Description is what KMS knows about a key.
type Description struct {
	ARN         string // of the key, also where the KEK names an alias
	State       types.KeyState
	Usage       types.KeyUsageType
	Spec        types.KeySpec
	Origin      types.OriginType
	MultiRegion bool
	CreatedAt   time.Time
	DeletionAt  time.Time // while its deletion is pending, else zero
}

// Resolve implements [keymgr.Resolver]: for an alias it asks with DescribeKey for
// the ARN of the key that it names now, "aws-kms://arn:...".
func (k *KEK) Resolve(ctx context.Context) (uri string, err error) {
	if k.misuse != nil {
		return "", k.misuse
	}
	if !k.byAlias() {
		return k.uri, nil
	}
	d, err := k.Describe(ctx)
	if err != nil {
		return "", err
	}
	return "aws-kms://" + d.ARN, nil
}

// Describe asks KMS about the key. The ARN of a key that is named by an alias
// tells where the alias points now. Errors are those of a [keymgr.KEK].
func (k *KEK) Describe(ctx context.Context) (Description, error) {
	if k.misuse != nil {
		return Description{}, k.misuse
	}
	out, err := k.client.DescribeKey(ctx, &kms.DescribeKeyInput{
		KeyId:       aws.String(k.keyID),
		GrantTokens: k.grantTokens,
	})
	if err != nil {
		return Description{}, k.fail(ctx, "describe", err)
	}
	m := out.KeyMetadata
	if m == nil || aws.ToString(m.Arn) == "" {
		return Description{}, k.unusable("DescribeKey")
	}
	return Description{
		ARN:         *m.Arn,
		State:       m.KeyState,
		Usage:       m.KeyUsage,
		Spec:        m.KeySpec,
		Origin:      m.Origin,
		MultiRegion: aws.ToBool(m.MultiRegion),
		CreatedAt:   aws.ToTime(m.CreationDate),
		DeletionAt:  aws.ToTime(m.DeletionDate),
	}, nil
}
