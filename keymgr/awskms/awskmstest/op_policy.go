package awskmstest

import (
	"encoding/json"
	"errors"
	"strings"
)

// keyPolicy is the policy of a key, as it was written and as it is asked.
type keyPolicy struct {
	text string
	*policy
}

// defaultPolicy is that of AWS for keys that are made without one: it leaves
// everything to IAM.
func (s *Server) defaultPolicy() keyPolicy {
	text := strings.Join([]string{
		`{`,
		`  "Version" : "2012-10-17",`,
		`  "Id" : "key-default-1",`,
		`  "Statement" : [ {`,
		`    "Sid" : "Enable IAM User Permissions",`,
		`    "Effect" : "Allow",`,
		`    "Principal" : {`,
		`      "AWS" : "` + s.arn("iam", "root") + `"`,
		`    },`,
		`    "Action" : "kms:*",`,
		`    "Resource" : "*"`,
		`  } ]`,
		`}`,
	}, "\n")
	p, err := parsePolicy(text, resourceBased)
	if err != nil {
		panic("awskmstest: " + err.Error())
	}
	return keyPolicy{text, p}
}

func (p *params) policyText(required bool) string { return p.str("Policy", required, 1, 131072) }

// newPolicy checks what a caller wants to be the policy of a key, or of a new one
// where k is nil; "" is none.
// Unless told to bypass that, it refuses a policy after which the caller could
// not put another one.
func (s *Server) newPolicy(r *request, k *key, text string, bypass bool) (keyPolicy, error) {
	if text == "" {
		return keyPolicy{}, nil
	}
	if len(text) > maxPolicy {
		return keyPolicy{}, fail("LimitExceededException", "The new key policy is larger than %d bytes.", maxPolicy)
	}
	if !json.Valid([]byte(text)) {
		return keyPolicy{}, malformed("The new key policy is not valid JSON.")
	}
	p, err := parsePolicy(text, resourceBased)
	if e := (*apiError)(nil); errors.As(err, &e) {
		return keyPolicy{}, e
	}
	if err != nil {
		return keyPolicy{}, malformed("The new key policy is not accepted: %s.", err)
	}
	if !bypass && !s.canPutPolicyUnder(r, k, p) {
		return keyPolicy{}, malformed("The new key policy will not allow you to update the key policy in the future.")
	}
	return keyPolicy{text, p}, nil
}

func (s *Server) canPutPolicyUnder(r *request, k *key, p *policy) bool {
	q := s.query(r, k, "PutKeyPolicy")
	direct, delegated := q.keyPolicy(p, s.account.id)
	return !direct.denied && (direct.allowed || delegated)
}

func (s *Server) putKeyPolicy(r *request) (any, error) {
	name, text := r.policyName(), r.policyText(true)
	bypass := r.boolean("BypassPolicyLockoutSafetyCheck")
	k, err := s.keyOfRequest(r)
	if err != nil {
		return nil, err
	}
	if err := checkPolicyName(name); err != nil {
		return nil, err
	}
	p, err := s.newPolicy(r, k, text, bypass)
	if err != nil {
		return nil, err
	}
	k.policy = p
	return nil, nil
}

func (s *Server) getKeyPolicy(r *request) (any, error) {
	name := r.policyName()
	k, err := s.keyOfRequest(r)
	if err != nil {
		return nil, err
	}
	if err := checkPolicyName(name); err != nil {
		return nil, err
	}
	return struct{ Policy, PolicyName string }{k.policy.text, policyName}, nil
}

func (s *Server) listKeyPolicies(r *request) (any, error) {
	pg := r.page(100, 1000)
	if _, err := s.keyOfRequest(r); err != nil {
		return nil, err
	}
	names, next, err := pg.of([]string{policyName})
	if err != nil {
		return nil, err
	}
	return struct {
		PolicyNames []string
		NextMarker  string `json:",omitempty"`
		Truncated   bool
	}{names, next, next != ""}, nil
}

// policyName is that of the only policy that a key has.
const policyName = "default"

func (p *params) policyName() string {
	return orDefault(p.str("PolicyName", false, 1, 128), policyName)
}

func checkPolicyName(name string) error {
	if name != policyName {
		return notFound("No such policy exists")
	}
	return nil
}
