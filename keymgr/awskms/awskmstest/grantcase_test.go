package awskmstest_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/fieldcrypt/go/keymgr/awskms/awskmstest"
)

// In a grant constraint the key of a pair is not case sensitive, and its value is.
func TestConstraintsIgnoreTheCaseOfKeys(t *testing.T) {
	medical := map[string]string{"fieldcrypt:domain": "medical"}
	for _, c := range []struct {
		constraint map[string]string
		want       string
	}{
		{map[string]string{"Fieldcrypt:DOMAIN": "medical"}, ""},
		{map[string]string{"fieldcrypt:domain": "Medical"}, "AccessDeniedException"},
		{map[string]string{"fieldcrypt:domains": "medical"}, "AccessDeniedException"},
		{map[string]string{"fieldcrypt:domain": "medical", "x": "y"}, "AccessDeniedException"},
	} {
		for name, constraints := range map[string]*types.GrantConstraints{
			"equals": {EncryptionContextEquals: c.constraint},
			"subset": {EncryptionContextSubset: c.constraint},
		} {
			srv := awskmstest.Start(t)
			arn := srv.CreateKey()
			createGrant(t, srv.Client(), with(grantInput(arn, clerk, "Decrypt"), constraints))
			user := srv.ClientAs(srv.AddUser("clerk"))
			if got := open(t, user, arn, encrypt(t, srv, arn, []byte("x"), medical), medical); got != c.want {
				t.Errorf("%s %v: %q", name, c.constraint, got)
			}
		}
	}
}
