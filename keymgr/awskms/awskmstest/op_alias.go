package awskmstest

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

const maxAliasesPerKey = 50

// alias is a movable name of a key.
type alias struct {
	name             string // "alias/..."
	target           *key
	created, updated time.Time
}

var aliasPattern = regexp.MustCompile(`^[a-zA-Z0-9:/_-]+$`)

func (s *Server) createAlias(r *request) (any, error) {
	name, k, err := s.aliasAndTarget(r)
	if err != nil {
		return nil, err
	}
	return nil, s.addAlias(name, k, r.now)
}

func (s *Server) addAlias(name string, k *key, now time.Time) error {
	if err := checkAliasName(name); err != nil {
		return err
	}
	if err := k.notPending(); err != nil {
		return err
	}
	if _, ok := s.aliases[name]; ok {
		return fail("AlreadyExistsException", "An alias with the name %s already exists", s.arn("kms", name))
	}
	if err := s.checkAliasQuota(k); err != nil {
		return err
	}
	s.aliases[name] = &alias{name: name, target: k, created: now, updated: now}
	return nil
}

func (s *Server) updateAlias(r *request) (any, error) {
	name, k, err := s.aliasAndTarget(r)
	if err != nil {
		return nil, err
	}
	a, err := s.alias(name)
	if err != nil {
		return nil, err
	}
	if err := k.notPending(); err != nil {
		return nil, err
	}
	if k.usage != a.target.usage {
		return nil, invalid("Alias %s cannot be changed from a CMK with key usage %s to a CMK with key usage %s",
			s.arn("kms", name), a.target.usage, k.usage)
	}
	if k != a.target {
		if err := s.authorize(r, a.target, r.operation); err != nil {
			return nil, err
		}
		r.call.KeyARN = k.arn
		if err := s.checkAliasQuota(k); err != nil {
			return nil, err
		}
	}
	a.target, a.updated = k, r.now
	return nil, nil
}

func (s *Server) deleteAlias(r *request) (any, error) {
	name := r.aliasName()
	if err := r.err(); err != nil {
		return nil, err
	}
	if err := checkAliasName(name); err != nil {
		return nil, err
	}
	a, err := s.alias(name)
	if err != nil {
		return nil, err
	}
	if err := s.authorizeAccount(r, s.arn("kms", name), r.operation); err != nil {
		return nil, err
	}
	if err := s.authorize(r, a.target, r.operation); err != nil {
		return nil, err
	}
	delete(s.aliases, name)
	return nil, nil
}

func (s *Server) listAliases(r *request) (any, error) {
	type entry struct {
		AliasName, AliasArn, TargetKeyId string
		CreationDate, LastUpdatedDate    timestamp
	}
	id := r.keyID("KeyId", false)
	pg := r.page(50, 100)
	if err := r.err(); err != nil {
		return nil, err
	}
	if err := s.authorizeAccount(r, "*", r.operation); err != nil {
		return nil, err
	}
	names := slices.Sorted(maps.Keys(s.aliases))
	if id != "" {
		k, err := s.keyUnchecked(r, id) // permission to list aliases is IAM's alone
		if err != nil {
			return nil, err
		}
		names = slices.DeleteFunc(names, func(name string) bool { return s.aliases[name].target != k })
	}
	names, next, err := pg.of(names)
	if err != nil {
		return nil, err
	}
	entries := []entry{}
	for _, name := range names {
		a := s.aliases[name]
		entries = append(entries, entry{name, s.arn("kms", name), a.target.id, timestamp{a.created}, timestamp{a.updated}})
	}
	return struct {
		Aliases    []entry
		NextMarker string `json:",omitempty"`
		Truncated  bool
	}{entries, next, next != ""}, nil
}

// aliasAndTarget reads the members of CreateAlias and UpdateAlias.
func (s *Server) aliasAndTarget(r *request) (string, *key, error) {
	name, target := r.aliasName(), r.keyID("TargetKeyId", true)
	if err := r.err(); err != nil {
		return "", nil, err
	}
	if err := checkAliasName(name); err != nil {
		return "", nil, err
	}
	if isAlias(target) {
		return "", nil, invalid("Aliases must refer to keys. Not aliases")
	}
	if err := s.authorizeAccount(r, s.arn("kms", name), r.operation); err != nil {
		return "", nil, err
	}
	k, err := s.keyOnly(r, target)
	return name, k, err
}

func (p *params) aliasName() string {
	name := p.str("AliasName", true, 1, 256)
	if name != "" && !aliasPattern.MatchString(name) {
		p.violate("Value '%s' at 'aliasName' failed to satisfy constraint: Member must satisfy regular expression pattern: %s", name, aliasPattern)
	}
	return name
}

func checkAliasName(name string) error {
	rest, ok := strings.CutPrefix(name, "alias/")
	switch {
	case !ok:
		return invalid("Alias must start with the prefix \"alias/\". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html")
	case rest == "" || !aliasPattern.MatchString(name):
		return fail("InvalidAliasNameException", "%s is not a valid alias name", name)
	case strings.HasPrefix(rest, "aws/"):
		return fail("NotAuthorizedException", "")
	case strings.Contains(name, ":"):
		return invalid("%s contains invalid characters for an alias", name)
	}
	return nil
}

func (s *Server) checkAliasQuota(k *key) error {
	n := 0
	for _, a := range s.aliases {
		if a.target == k {
			n++
		}
	}
	if n >= maxAliasesPerKey {
		return fail("LimitExceededException", "Aliases per key quota for this account in this region is %d, current usage is %d.", maxAliasesPerKey, n)
	}
	return nil
}
