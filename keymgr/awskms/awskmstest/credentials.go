package awskmstest

import (
	"github.com/aws/aws-sdk-go-v2/aws"
)

// Every server knows these credentials, so that programs in other languages can
// be configured before the server runs. They are the examples of the AWS manual.
const (
	DefaultAccessKeyID     = "AKIAIOSFODNN7EXAMPLE"
	DefaultSecretAccessKey = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
)

// user is an access key: of an IAM user, or of one session of a role.
type user struct {
	*principal
	session string // ARN of the caller in errors and logs; of a user its own
	secret  string
	token   string // of a session
	expired bool
}

// Credentials returns the default credentials, of the IAM user "test".
func (s *Server) Credentials() aws.Credentials {
	return aws.Credentials{AccessKeyID: DefaultAccessKeyID, SecretAccessKey: DefaultSecretAccessKey, Source: "awskmstest"}
}

// AddCredentials makes an access key for an IAM user of the server's account.
// [Call.Principal] tells users apart. A user who is new is an administrator, as
// that of Credentials is: [Server.AddUser] makes others.
func (s *Server) AddCredentials(userName string) aws.Credentials {
	s.mu.Lock()
	defer s.mu.Unlock()
	arn := s.arn("iam", "user/"+userName)
	p, ok := s.principals[arn]
	if !ok {
		p = s.addPrincipal(arn, mustIdentityPolicy(administratorAccess))
	}
	return s.addAccessKey("AKIA", &user{principal: p, session: arn})
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
