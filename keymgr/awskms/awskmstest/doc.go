// Package awskmstest is an AWS KMS server for tests. It runs in the process,
// listens on 127.0.0.1 and speaks the real wire protocol (AWS JSON 1.1, signed
// with Signature Version 4), so that an unmodified AWS SDK, in any language, is
// what is tested.
//
//	srv := awskmstest.Start(t)
//	arn := srv.CreateKey("alias/medical-key")
//	kek := awskms.Key(srv.Client(), "alias/medical-key")
//
// It answers with the error codes, HTTP statuses and, where they are known, the
// texts of AWS; identifies keys by ARN where AWS does; and holds its limits
// (4,096 bytes of plaintext, 6,144 bytes of ciphertext, 50 aliases of a key).
// [Server.Calls] is what CloudTrail would show: every call with its key and its
// encryption context, and no plaintext.
//
// # Failures
//
// [Server.Deny], [Server.Throttle], [Server.Fail], [Server.ExpireCredentials],
// [Server.Hang], [Server.Down] and [Server.SetLatency] break it in the ways in
// which AWS breaks; [Server.Recover] ends them all.
//
// # Who may do what
//
// The default credentials and those of [Server.AddCredentials] are of
// administrators. [Server.AddUser] and [Server.AddRole] make others, with identity
// policies, and keys have key policies and grants. They are evaluated as AWS does:
// an explicit deny wins; then the key policy allows, or it leaves the account to
// IAM (as the default one does) and an identity policy allows, or a grant does.
//
// Of the policy language there are Allow and Deny; AWS principals (accounts, users,
// roles, sessions of roles, "*"); Action and NotAction; Resource; the condition
// operators String..., Arn..., Bool and Null with IfExists, ForAllValues and
// ForAnyValue; and the condition keys
//
//	kms:EncryptionContext:..., kms:EncryptionContextKeys, kms:CallerAccount, kms:ViaService,
//	kms:KeyOrigin, kms:KeySpec, kms:KeyUsage, kms:MultiRegion, kms:MultiRegionKeyType,
//	kms:RequestAlias, kms:ResourceAliases, kms:GrantIsForAWSResource, kms:GrantOperations,
//	kms:GranteePrincipal, kms:RetiringPrincipal, kms:PrimaryRegion, kms:ReplicaRegion,
//	kms:BypassPolicyLockoutSafetyCheck, aws:PrincipalArn, aws:PrincipalAccount,
//	aws:RequestedRegion, aws:ResourceTag/..., aws:SourceArn
//
// All else is refused with MalformedPolicyDocumentException and never skipped. That
// a principal exists is not checked.
//
// # Regions
//
// [StartRegions] runs several regions of one account: the same credentials, and
// multi-Region keys that are replicated from one to another.
//
// # What is there
//
// The operations on symmetric encryption keys, with DryRun where AWS has it:
// Encrypt, Decrypt, ReEncrypt, GenerateDataKey, GenerateDataKeyWithoutPlaintext and
// GenerateRandom; CreateKey, DescribeKey, ListKeys, UpdateKeyDescription, EnableKey,
// DisableKey, ScheduleKeyDeletion and CancelKeyDeletion; ReplicateKey and
// UpdatePrimaryRegion; those of aliases, rotation, key policies, grants and tags.
// HMAC keys can be made and described, which serves to see how their misuse is
// refused. What takes AWS a while is done at once: rotation, replication, and
// grants, with or without their tokens.
//
// Command awskmstest, below this package, is the same server for programs in other
// languages.
//
// Keys live in memory and die with the server. It is for tests and development:
// it guards nothing that matters.
package awskmstest
