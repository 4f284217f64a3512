// Package awskms wraps data keys under keys of AWS KMS.
//
//	kek := awskms.Key(kms.NewFromConfig(cfg), "alias/medical-key")
//	kek, err := awskms.Open(ctx, "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab")
//
// A key is named by its id, its ARN, an alias or the ARN of an alias. Every call
// pins it, Decrypt and ReEncrypt too: a wrapped data key never chooses the KMS
// key that opens it. The encryption context is readable, for example
//
//	{"fieldcrypt:domain": "medical", "fieldcrypt:tenant": "acme"}
//
// so that CloudTrail shows what was opened, and key policies and grants can allow
// one domain only (kms:EncryptionContext:fieldcrypt:domain).
//
// # Permissions
//
// Opening a scope takes kms:Decrypt; making one or adding a key to it
// kms:GenerateDataKey and, for every KEK but the first of a domain, kms:Encrypt;
// moving it to another KMS key kms:ReEncryptFrom and kms:ReEncryptTo, and kms:Decrypt
// unless that is done WithoutOpening; [KEK.Describe] kms:DescribeKey, which also tells
// what an alias names now.
//
// # Aliases
//
// An alias is convenient and can be moved. What was wrapped under the key that it
// named before does then not open any more: KMS answers that the key is not the
// right one, which is [keymgr.ErrKEKNotAllowed]. List the old key by ARN under
// DecryptOnly, re-wrap, and remove it: keymgr's RewrapAll finds the scopes. ARNs do not
// have this trouble.
//
// # Retries
//
// The client retries as it is configured. The SDK's default, three attempts with
// backoff for throttling, server errors and broken connections and none for
// refusals, is right. The client must not log bodies (aws.LogResponseWithBody):
// they hold data keys in the clear.
package awskms
