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
// # What is there
//
// CreateKey, DescribeKey, ListKeys, EnableKey, DisableKey, ScheduleKeyDeletion,
// CancelKeyDeletion, CreateAlias, UpdateAlias, DeleteAlias, ListAliases, Encrypt,
// Decrypt, ReEncrypt, GenerateDataKey, GenerateDataKeyWithoutPlaintext and
// GenerateRandom, with DryRun. Keys are symmetric encryption keys; HMAC keys can
// be made and described, which serves to see how their misuse is refused. Policies
// and tags are accepted and kept, and not enforced. There are no grants, so every
// grant token is invalid.
//
// Keys live in memory and die with the server. It is for tests and development:
// it guards nothing that matters.
package awskmstest
