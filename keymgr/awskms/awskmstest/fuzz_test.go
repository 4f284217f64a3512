package awskmstest

import (
	"strings"
	"testing"
)

// FuzzAnswer throws bytes at every operation: no request may panic, and every
// answer is a success or an error of AWS's form.
func FuzzAnswer(f *testing.F) {
	for _, body := range []string{
		``, `{}`, `null`, `[]`, `{"KeyId":"alias/a","Plaintext":"AAAA","EncryptionContext":{"a":"b"}}`,
		`{"KeyId":"alias/a","KeySpec":"AES_256","NumberOfBytes":1e999,"GrantTokens":["x"]}`,
		`{"CiphertextBlob":"ASQA","DestinationKeyId":"alias/a","SourceEncryptionContext":{"a":null}}`,
		`{"AliasName":"alias/b","TargetKeyId":"arn:aws:kms:us-east-1:111122223333:key/","Limit":-1,"Marker":"AA"}`,
		`{"Tags":[{"TagKey":"a","TagValue":null},null,{}],"MultiRegion":true,"Policy":"{}"}`,
		`{"KeyId":"mrk-1234abcd12ab34cd56ef1234567890ab","Operations":["Decrypt",null],"GranteePrincipal":"arn:aws:iam::111122223333:user/test","Constraints":{"EncryptionContextEquals":{"a":null}}}`,
		`{"KeyId":"mrk-1234abcd12ab34cd56ef1234567890ab","Operations":["Decrypt"],"GranteePrincipal":"arn:aws:iam::111122223333:user/test","Constraints":{"EncryptionContextSubset":{"a":"b"}},"Tags":[{"TagKey":"a","TagValue":"b"}]}`,
		`{"KeyId":"mrk-1234abcd12ab34cd56ef1234567890ab","ReplicaRegion":"eu-west-1","PrimaryRegion":"eu-west-1","RotationPeriodInDays":90,"Policy":"{\"Statement\":{}}","Tags":{},"TagKeys":["a",null],"GrantId":"x","GrantToken":"y"}`,
		`{"KeyId":"arn:aws:kms:us-east-1:1:alias/a","PendingWindowInDays":7.5}`,
	} {
		f.Add([]byte(body))
	}
	s, err := New(Config{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(s.Close)
	names := strings.Fields("CreateKey DescribeKey ListKeys EnableKey DisableKey ScheduleKeyDeletion CancelKeyDeletion CreateAlias UpdateAlias DeleteAlias ListAliases " +
		"EnableKeyRotation DisableKeyRotation GetKeyRotationStatus RotateKeyOnDemand ListKeyRotations PutKeyPolicy GetKeyPolicy ListKeyPolicies " +
		"CreateGrant ListGrants ListRetirableGrants RevokeGrant RetireGrant TagResource UntagResource ListResourceTags UpdateKeyDescription ReplicateKey UpdatePrimaryRegion " +
		"Encrypt Decrypt ReEncrypt GenerateDataKey GenerateDataKeyWithoutPlaintext GenerateRandom")
	f.Fuzz(func(t *testing.T, body []byte) {
		clear(s.keys)
		clear(s.aliases)
		s.CreateKey("alias/a")
		s.mu.Lock()
		k := s.addKey(&key{spec: specSymmetric, usage: usageEncrypt, multiRegion: true})
		delete(s.keys, k.id)
		k.id = "mrk-1234abcd12ab34cd56ef1234567890ab"
		s.keys[k.id] = k
		s.mu.Unlock()
		for _, name := range names {
			p, err := decode(body)
			if err == nil {
				_, err = s.operation(name)(&request{params: p, operation: name, user: s.users[DefaultAccessKeyID], now: s.now(), call: &Call{}})
			}
			if err == nil {
				continue
			}
			e, ok := err.(*apiError)
			if !ok || e.code == "" || e.status < 400 {
				t.Errorf("%s: %#v", name, err)
			}
		}
		_, _, _ = parseBlob(body)
		_, _ = parseAuthorization(string(body))
	})
}

// FuzzPolicy throws bytes at the policy language: what is accepted can be asked.
func FuzzPolicy(f *testing.F) {
	f.Add(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["*","111122223333"]},"Action":"kms:*","Resource":"*"}]}`)
	f.Add(`{"Statement":{"Effect":"Deny","Principal":"*","NotAction":["kms:De?rypt"],"Resource":["arn:*"],"Condition":{"ForAllValues:StringLikeIfExists":{"kms:EncryptionContextKeys":["a*b",true]}}}}`)
	f.Add(`{"Statement":{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/x"},"Null":{"kms:ViaService":true}}}}`)
	u := &user{principal: &principal{arn: "arn:aws:iam::111122223333:user/test"}, session: "arn:aws:iam::111122223333:user/test"}
	f.Fuzz(func(t *testing.T, text string) {
		for _, kind := range []policyKind{resourceBased, identityBased} {
			p, err := parsePolicy(text, kind)
			if (p == nil) == (err == nil) {
				t.Fatalf("%v, %v", p, err)
			}
			if err != nil {
				continue
			}
			q := &query{by: u, action: "kms:Decrypt", resource: "arn:aws:kms:us-east-1:111122223333:key/1", values: func(string) []string { return []string{"a"} }}
			q.keyPolicy(p, "111122223333")
		}
	})
}
