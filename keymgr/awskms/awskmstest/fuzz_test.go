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
		"Encrypt Decrypt ReEncrypt GenerateDataKey GenerateDataKeyWithoutPlaintext GenerateRandom")
	f.Fuzz(func(t *testing.T, body []byte) {
		clear(s.keys)
		clear(s.aliases)
		s.CreateKey("alias/a")
		for _, name := range names {
			p, err := decode(body)
			if err == nil {
				_, err = s.operation(name)(&request{params: p, operation: name, user: &user{}, call: &Call{}})
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
