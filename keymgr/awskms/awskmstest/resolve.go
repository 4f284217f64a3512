package awskmstest

import (
	"errors"
	"regexp"
	"strings"
)

var keyIDPattern = regexp.MustCompile(`^(?:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|mrk-[0-9a-fA-F]{32})$`)

// keyOrAlias finds the key that a caller names by id, ARN, alias or alias ARN,
// notes it in the log and refuses it if it is denied.
func (s *Server) keyOrAlias(r *request, id, action string) (*key, error) {
	k, err := s.find(r, id, action)
	if err != nil {
		return nil, err
	}
	return k, s.authorize(r, k, action)
}

// find is keyOrAlias without the permission.
func (s *Server) find(r *request, id, action string) (*key, error) {
	if err := s.foreign(r, id, action); err != nil {
		return nil, err
	}
	if err := s.checkTokens(r); err != nil {
		return nil, err
	}
	if r.alias = ""; isAlias(id) {
		r.alias = id[strings.Index(id, "alias/"):]
	}
	k, err := s.lookup(id)
	if err != nil {
		if e := (*apiError)(nil); errors.As(err, &e) && e.code == invalidArn && !declaresInvalidArn(r.operation) {
			err = notFound("%s", e.message)
		}
		return nil, err
	}
	r.noteKey(k, action)
	return k, nil
}

const invalidArn = "InvalidArnException"

// declaresInvalidArn tells the operations that know InvalidArnException from
// those that answer NotFoundException in its place.
func declaresInvalidArn(operation string) bool {
	switch operation {
	case "Encrypt", "Decrypt", "ReEncrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "CreateAlias", "UpdateAlias", "DeleteAlias":
		return false
	}
	return true
}

// keyOnly is keyOrAlias for operations that take no aliases.
func (s *Server) keyOnly(r *request, id string) (*key, error) {
	k, err := s.keyUnchecked(r, id)
	if err != nil {
		return nil, err
	}
	return k, s.authorize(r, k, r.operation)
}

// keyUnchecked is keyOnly without the permission.
func (s *Server) keyUnchecked(r *request, id string) (*key, error) {
	if isAlias(id) {
		return nil, notFound("Invalid keyId '%s'", id)
	}
	return s.find(r, id, r.operation)
}

// lookup finds a key by id, ARN, alias or alias ARN.
func (s *Server) lookup(id string) (*key, error) {
	if rest, ok := strings.CutPrefix(id, "arn:"); ok {
		parts := strings.SplitN(rest, ":", 5) // partition:service:region:account:resource
		if len(parts) != 5 || parts[1] != "kms" {
			return nil, fail(invalidArn, "Invalid arn %s", id)
		}
		if parts[0] != partitionOf(s.region) || parts[2] != s.region {
			return nil, notFound("Invalid arn %s", parts[2])
		}
		resource := parts[4]
		if keyID, ok := strings.CutPrefix(resource, "key/"); ok {
			return s.byID(keyID)
		}
		if !strings.HasPrefix(resource, "alias/") {
			return nil, fail(invalidArn, "Invalid arn %s", id)
		}
		id = resource
	}
	if strings.HasPrefix(id, "alias/") {
		a, err := s.alias(id)
		if err != nil {
			return nil, err
		}
		return a.target, nil
	}
	return s.byID(id)
}

func (s *Server) byID(id string) (*key, error) {
	if !keyIDPattern.MatchString(id) {
		return nil, notFound("Invalid keyId '%s'", id)
	}
	k, ok := s.keys[strings.ToLower(id)]
	if !ok {
		return nil, notFound("Key '%s' does not exist", s.arn("kms", "key/"+id))
	}
	return k, nil
}

// alias finds an alias by name.
func (s *Server) alias(name string) (*alias, error) {
	a, ok := s.aliases[name]
	if !ok {
		return nil, notFound("Alias %s is not found.", s.arn("kms", name))
	}
	return a, nil
}

// foreign refuses ARNs of other accounts: no key policy there lets anyone in.
func (s *Server) foreign(r *request, id, action string) error {
	parts := strings.SplitN(id, ":", 6)
	if len(parts) != 6 || parts[2] != "kms" || parts[3] != s.region || parts[4] == s.account.id {
		return nil
	}
	return fail("AccessDeniedException", "User: %s is not authorized to perform: kms:%s on resource: %s because the resource does not exist in this Region, "+
		"no resource-based policies allow access, or a resource-based policy explicitly denies access", r.user.session, action, id)
}

func isAlias(id string) bool {
	return strings.HasPrefix(id, "alias/") || strings.HasPrefix(id, "arn:") && strings.Contains(id, ":alias/")
}

func partitionOf(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}
