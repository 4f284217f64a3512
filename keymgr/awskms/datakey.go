package awskms

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/fieldcrypt/go/keymgr"
)

// maxWrapped is what KMS takes as a ciphertext, in bytes.
const maxWrapped = 6144

// GenerateDataKey implements [keymgr.KEK] with the operation of the same name.
func (k *KEK) GenerateDataKey(ctx context.Context, wc keymgr.WrapContext) (plaintext, wrapped []byte, err error) {
	if k.misuse != nil {
		return nil, nil, k.misuse
	}
	out, err := k.client.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{
		KeyId:             aws.String(k.keyID),
		KeySpec:           types.DataKeySpecAes256,
		EncryptionContext: wc.EncryptionContext(),
		GrantTokens:       k.grantTokens,
	})
	if err != nil {
		return nil, nil, k.fail(ctx, "generate a data key with", err)
	}
	if len(out.Plaintext) != keymgr.DataKeySize || len(out.CiphertextBlob) == 0 {
		return nil, nil, k.unusable("GenerateDataKey")
	}
	return out.Plaintext, out.CiphertextBlob, nil
}

// Wrap implements [keymgr.KEK] with the operation Encrypt.
func (k *KEK) Wrap(ctx context.Context, plaintext []byte, wc keymgr.WrapContext) (wrapped []byte, err error) {
	if k.misuse != nil {
		return nil, k.misuse
	}
	if len(plaintext) != keymgr.DataKeySize {
		return nil, fmt.Errorf("awskms: wrap with %s: %w: not a data key of %d bytes", k.uri, keymgr.ErrKeysetInvalid, keymgr.DataKeySize)
	}
	out, err := k.client.Encrypt(ctx, &kms.EncryptInput{
		KeyId:             aws.String(k.keyID),
		Plaintext:         plaintext,
		EncryptionContext: wc.EncryptionContext(),
		GrantTokens:       k.grantTokens,
	})
	if err != nil {
		return nil, k.fail(ctx, "wrap with", err)
	}
	if len(out.CiphertextBlob) == 0 {
		return nil, k.unusable("Encrypt")
	}
	return out.CiphertextBlob, nil
}

// Unwrap implements [keymgr.KEK] with the operation Decrypt, for this key only.
func (k *KEK) Unwrap(ctx context.Context, wrapped []byte, wc keymgr.WrapContext) (plaintext []byte, err error) {
	if k.misuse != nil {
		return nil, k.misuse
	}
	if err := k.checkWrapped(wrapped); err != nil {
		return nil, err
	}
	out, err := k.client.Decrypt(ctx, &kms.DecryptInput{
		CiphertextBlob:    wrapped,
		KeyId:             aws.String(k.keyID),
		EncryptionContext: wc.EncryptionContext(),
		GrantTokens:       k.grantTokens,
	})
	if err != nil {
		return nil, k.fail(ctx, "unwrap with", err)
	}
	if !k.is(aws.ToString(out.KeyId)) {
		return nil, fmt.Errorf("awskms: unwrap with %s: %w: the KMS opened it with another key", k.uri, keymgr.ErrKEKNotAllowed)
	}
	if len(out.Plaintext) != keymgr.DataKeySize {
		return nil, fmt.Errorf("awskms: unwrap with %s: %w: what was wrapped is not a data key of %d bytes", k.uri, keymgr.ErrKeysetInvalid, keymgr.DataKeySize)
	}
	return out.Plaintext, nil
}

// checkWrapped spares the KMS what it would refuse as malformed.
func (k *KEK) checkWrapped(wrapped []byte) error {
	if n := len(wrapped); n == 0 || n > maxWrapped {
		return fmt.Errorf("awskms: unwrap with %s: %w: a wrapped data key has 1 to %d bytes, not %d", k.uri, keymgr.ErrKeysetInvalid, maxWrapped, n)
	}
	return nil
}

// is reports whether an ARN that the KMS returned can be this key's. Which key an
// alias names only the KMS knows. Replicas of a multi-Region key share its id.
func (k *KEK) is(arn string) bool {
	if k.byAlias() {
		return arn != ""
	}
	return strings.EqualFold(lastPart(arn), lastPart(k.keyID))
}

// byAlias reports whether the key is named by an alias, which can be moved.
func (k *KEK) byAlias() bool {
	return strings.HasPrefix(k.keyID, "alias/") || strings.Contains(k.keyID, ":alias/")
}

// lastPart is the key id in a key id or a key ARN.
func lastPart(keyID string) string { return keyID[strings.LastIndexByte(keyID, '/')+1:] }
