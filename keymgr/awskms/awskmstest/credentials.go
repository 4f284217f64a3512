package awskmstest

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Every server knows these credentials, so that programs in other languages can
// be configured before the server runs. They are the examples of the AWS manual.
const (
	DefaultAccessKeyID     = "AKIAIOSFODNN7EXAMPLE"
	DefaultSecretAccessKey = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
)

// user is a principal: an IAM user with one access key.
type user struct {
	arn     string
	secret  string
	expired bool
}

// Credentials returns the default credentials, of the IAM user "test".
func (s *Server) Credentials() aws.Credentials {
	return aws.Credentials{AccessKeyID: DefaultAccessKeyID, SecretAccessKey: DefaultSecretAccessKey, Source: "awskmstest"}
}

// AddCredentials makes an access key for an IAM user of the server's account.
// [Call.Principal] tells users apart.
func (s *Server) AddCredentials(userName string) aws.Credentials {
	creds := aws.Credentials{
		AccessKeyID:     "AKIA" + strings.ToUpper(randomID()[:16]),
		SecretAccessKey: randomID() + randomID()[:8],
		Source:          "awskmstest",
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users[creds.AccessKeyID] = &user{arn: s.arn("iam", "user/"+userName), secret: creds.SecretAccessKey}
	return creds
}

// ExpireCredentials answers all credentials that the server knows now with
// ExpiredTokenException, until Recover. Those of a later AddCredentials work.
func (s *Server) ExpireCredentials() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.users {
		u.expired = true
	}
}
