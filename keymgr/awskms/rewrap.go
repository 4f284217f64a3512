package awskms

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/fieldcrypt/go/keymgr"
)

// CanRewrap reports whether from is a KMS key of the same region, behind the same
// endpoint: ReEncrypt does not reach further. It needs no permission of from's
// client; k's client must be allowed to use both keys.
func (k *KEK) CanRewrap(from keymgr.KEK) bool {
	f, ok := from.(*KEK)
	return ok && f.misuse == nil && k.misuse == nil && f.region == k.region && f.endpoint == k.endpoint
}

// Rewrap implements [keymgr.Rewrapper] with the operation ReEncrypt, for exactly
// these two keys, through k's client and with the grant tokens of both.
func (k *KEK) Rewrap(ctx context.Context, wrapped []byte, from keymgr.KEK, old, new keymgr.WrapContext) ([]byte, error) {
	if k.misuse != nil {
		return nil, k.misuse
	}
	if !k.CanRewrap(from) {
		return nil, fmt.Errorf("awskms: rewrap with %s: %w: ReEncrypt cannot take over from %s", k.uri, keymgr.ErrKEKNotAllowed, from.URI())
	}
	if err := k.checkWrapped(wrapped); err != nil {
		return nil, err
	}
	f := from.(*KEK)
	out, err := k.client.ReEncrypt(ctx, &kms.ReEncryptInput{
		CiphertextBlob:               wrapped,
		SourceKeyId:                  aws.String(f.keyID),
		SourceEncryptionContext:      old.EncryptionContext(),
		DestinationKeyId:             aws.String(k.keyID),
		DestinationEncryptionContext: new.EncryptionContext(),
		GrantTokens:                  slices.Concat(f.grantTokens, k.grantTokens),
	})
	if err != nil {
		return nil, k.fail(ctx, "rewrap from "+f.uri+" to", err)
	}
	if !f.is(aws.ToString(out.SourceKeyId)) {
		return nil, fmt.Errorf("awskms: rewrap from %s to %s: %w: the KMS opened it with another key", f.uri, k.uri, keymgr.ErrKEKNotAllowed)
	}
	if len(out.CiphertextBlob) == 0 || !k.is(aws.ToString(out.KeyId)) {
		return nil, k.unusable("ReEncrypt")
	}
	return out.CiphertextBlob, nil
}
