package awskmstest

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// principal is an IAM user or role. Its identity policies are IAM's, so they
// hold in all regions.
type principal struct {
	arn      string
	policies []*policy
}

const administratorAccess = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`

// AddUser makes an access key for an IAM user,
// "arn:aws:iam::111122223333:user/" and the name, who has exactly these identity
// policies from now on: documents of the IAM policy language. Without policies a
// user may do what key policies and grants allow and no more. It panics if IAM
// would refuse a policy, or if the policy uses more of the language than this
// server knows (see the package documentation).
func (s *Server) AddUser(name string, policies ...string) aws.Credentials {
	s.mu.Lock()
	defer s.mu.Unlock()
	arn := s.arn("iam", "user/"+name)
	return s.addAccessKey("AKIA", &user{principal: s.addPrincipal(arn, mustIdentityPolicies(policies)...), session: arn})
}

// AddRole is AddUser for a role, "arn:aws:iam::111122223333:role/" and the name,
// and returns the credentials of a session of it. Key policies and grants may
// name the role, or the session as CloudTrail does:
// "arn:aws:sts::111122223333:assumed-role/" and the name and "/session".
func (s *Server) AddRole(name string, policies ...string) aws.Credentials {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.addPrincipal(s.arn("iam", "role/"+name), mustIdentityPolicies(policies)...)
	last := name[strings.LastIndexByte(name, '/')+1:] // sessions do not show a role's path
	return s.addAccessKey("ASIA", &user{principal: p, session: s.arn("sts", "assumed-role/"+last+"/session"), token: randomID() + randomID()})
}

func mustIdentityPolicies(documents []string) []*policy {
	var list []*policy
	for _, d := range documents {
		list = append(list, mustIdentityPolicy(d))
	}
	return list
}

func mustIdentityPolicy(document string) *policy {
	p, err := parsePolicy(document, identityBased)
	if err != nil {
		panic("awskmstest: " + err.Error())
	}
	return p
}

// addPrincipal makes a principal, or gives one that is there other policies.
func (a *account) addPrincipal(arn string, policies ...*policy) *principal {
	p, ok := a.principals[arn]
	if !ok {
		p = &principal{arn: arn}
		a.principals[arn] = p
	}
	p.policies = policies
	return p
}

func (a *account) addAccessKey(prefix string, u *user) aws.Credentials {
	u.secret = randomID() + randomID()[:8]
	id := prefix + strings.ToUpper(randomID()[:16])
	a.users[id] = u
	return aws.Credentials{AccessKeyID: id, SecretAccessKey: u.secret, SessionToken: u.token, Source: "awskmstest"}
}

// register makes a server one of its account's, and the default user if it is
// the first.
func (s *Server) register() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.regions[s.region] = s
	if _, ok := s.users[DefaultAccessKeyID]; !ok {
		arn := s.arn("iam", "user/test")
		p := s.addPrincipal(arn, mustIdentityPolicy(administratorAccess))
		s.users[DefaultAccessKeyID] = &user{principal: p, session: arn, secret: DefaultSecretAccessKey}
	}
}

// is reports whether an ARN in a policy or a grant names this caller: as the
// user, the role, or the session of the role.
func (u *user) is(arn string) bool { return arn == u.arn || arn == u.session }
