package awskmstest_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/fieldcrypt/go/keymgr/awskms/awskmstest"
)

// The alias by which a call names its source is not that of its destination.
func TestRequestAliasOfEachKey(t *testing.T) {
	srv := awskmstest.Start(t)
	from, to := srv.CreateKey("alias/from"), srv.CreateKey("alias/to")
	user := srv.ClientAs(srv.AddUser("clerk", policyOf(
		`{"Effect":"Allow","Action":"kms:ReEncryptFrom","Resource":"*"}`,
		`{"Effect":"Allow","Action":"kms:ReEncryptTo","Resource":"*","Condition":{"StringLike":{"kms:RequestAlias":"alias/*"}}}`)))
	blob := encrypt(t, srv, from, []byte("x"), nil)
	for _, c := range []struct{ source, destination, want string }{
		{"alias/from", "alias/to", ""},
		{from, "alias/to", ""},
		{from, to, "AccessDeniedException"},
		{"alias/from", to, "AccessDeniedException"},
	} {
		_, err := user.ReEncrypt(t.Context(), &kms.ReEncryptInput{CiphertextBlob: blob, SourceKeyId: &c.source, DestinationKeyId: aws.String(c.destination)})
		if (err != nil || c.want != "") && code(err) != c.want {
			t.Errorf("from %s to %s: %v, want %q", c.source, c.destination, err, c.want)
		}
	}
}
