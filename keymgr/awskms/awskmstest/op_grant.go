package awskmstest

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

const maxConstraintPairs = 8

// grantOperations are those that a grant for a key of each spec may name.
func grantOperations(spec string) []string {
	if spec == specHMAC {
		return []string{"GenerateMac", "VerifyMac", "CreateGrant", "RetireGrant", "DescribeKey"}
	}
	return []string{
		"Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext",
		"ReEncryptFrom", "ReEncryptTo", "CreateGrant", "RetireGrant", "DescribeKey",
	}
}

func allGrantOperations() []string {
	return strings.Fields("Decrypt Encrypt GenerateDataKey GenerateDataKeyWithoutPlaintext ReEncryptFrom ReEncryptTo Sign Verify GetPublicKey CreateGrant " +
		"RetireGrant DescribeKey GenerateDataKeyPair GenerateDataKeyPairWithoutPlaintext GenerateMac VerifyMac DeriveSharedSecret Encapsulate Decapsulate")
}

func (s *Server) createGrant(r *request) (any, error) {
	var forSource bool
	g := &grant{
		name:     r.grantName(),
		grantee:  r.str("GranteePrincipal", false, 1, 256),
		retiring: r.str("RetiringPrincipal", false, 1, 256),
		created:  r.now,
	}
	g.operations = r.operations()
	g.constraints, forSource = r.constraints()
	id := r.keyID("KeyId", true)
	r.grantTokens()
	r.grant = g
	r.constraint = g.constraints.EncryptionContextEquals
	if r.constraint == nil {
		r.constraint = g.constraints.EncryptionContextSubset
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	if r.has("GranteeServicePrincipal") || r.has("RetiringServicePrincipal") || forSource {
		return nil, unsupported("This server makes no grants to services.")
	}
	if g.grantee == "" {
		return nil, invalid("You must specify either GranteePrincipal or GranteeServicePrincipal.")
	}
	for _, p := range []string{g.grantee, g.retiring} {
		if p != "" && !principalARN.MatchString(p) {
			return nil, fail(invalidArn, "ARN does not refer to a valid principal: %s", p)
		}
	}
	k, err := s.keyOnly(r, id)
	if err != nil {
		return nil, err
	}
	if err := k.enabled(); err != nil {
		return nil, err
	}
	if g.key = k; k.spec != specSymmetric && !g.constraints.equal(constraints{}) {
		return nil, invalid("Encryption context constraints are not valid for a key of the spec %s.", k.spec)
	}
	for _, operation := range g.operations {
		if !slices.Contains(grantOperations(k.spec), operation) {
			return nil, invalid("Grant operation %s is not valid for a key of the spec %s.", operation, k.spec)
		}
	}
	if r.boolean("DryRun") {
		return nil, dryRun()
	}
	g = s.grants.add(g)
	return struct{ GrantId, GrantToken string }{g.id, s.grants.token(g)}, nil
}

var grantNamePattern = regexp.MustCompile(`^[a-zA-Z0-9:/_-]+$`)

func (p *params) grantName() string {
	name := p.str("Name", false, 1, 256)
	if name != "" && !grantNamePattern.MatchString(name) {
		p.violate("Value '%s' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: %s", name, grantNamePattern)
	}
	return name
}

// operations reads what a grant is to allow, sorted and each once.
func (p *params) operations() []string {
	all := allGrantOperations()
	list := p.strings("Operations", true, len(all), 0, 256)
	for i, operation := range list {
		if !slices.Contains(all, operation) {
			p.violate("Value '%s' at 'operations.%d.member' failed to satisfy constraint: Member must satisfy enum value set: [%s]", operation, i+1, strings.Join(all, ", "))
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// constraints reads Constraints, and whether there is a SourceArn. An empty
// encryption context is none.
func (p *params) constraints() (c constraints, sourceArn bool) {
	inner := &params{}
	inner.members, _ = read[map[string]json.RawMessage](p, "Constraints", false, "Map")
	for name, to := range map[string]*map[string]string{"EncryptionContextEquals": &c.EncryptionContextEquals, "EncryptionContextSubset": &c.EncryptionContextSubset} {
		if *to = inner.stringMap(name); len(*to) > maxConstraintPairs {
			inner.violate("Value at 'constraints.%s' failed to satisfy constraint: Member must have length less than or equal to %d", wireName(name), maxConstraintPairs)
		}
	}
	if inner.mistyped != nil {
		p.mistype(inner.mistyped)
	}
	p.violations = append(p.violations, inner.violations...)
	return c, inner.has("SourceArn")
}

func (s *Server) revokeGrant(r *request) (any, error) {
	id := r.grantID(true)
	k, err := s.keyOfRequest(r)
	if err != nil {
		return nil, err
	}
	g, err := s.grant(id, k)
	if err != nil {
		return nil, err
	}
	if r.boolean("DryRun") {
		return nil, dryRun()
	}
	s.grants.remove(g)
	return nil, nil
}

// retireGrant is for the retiring principal, for the grantee whose grant says so,
// and for whom the IAM of the account lets retire. Key policies do not count.
func (s *Server) retireGrant(r *request) (any, error) {
	token := r.str("GrantToken", false, 1, 8192)
	id, keyID := r.grantID(false), r.keyID("KeyId", false)
	if err := r.err(); err != nil {
		return nil, err
	}
	var g *grant
	switch {
	case token != "" && id == "" && keyID == "":
		if g = s.grants.tokens[token]; g == nil {
			return nil, fail("InvalidGrantTokenException", "")
		}
	case token == "" && id != "" && keyID != "":
		k, err := s.keyUnchecked(r, keyID)
		if err != nil {
			return nil, err
		}
		if g, err = s.grant(id, k); err != nil {
			return nil, err
		}
	default:
		return nil, invalid("Grant token OR (grant ID and key ID) must be specified")
	}
	r.noteKey(g.key, r.operation)
	q := s.query(r, g.key, r.operation)
	identity := q.identity()
	direct, _ := q.keyPolicy(g.key.policy.policy, s.account.id)
	own := r.user.is(g.retiring) || r.user.is(g.grantee) && slices.Contains(g.operations, "RetireGrant")
	switch {
	case direct.denied || s.faults.denied[g.key.id]:
		return nil, q.refuse("with an explicit deny in a resource-based policy")
	case identity.denied:
		return nil, q.refuse("with an explicit deny in an identity-based policy")
	case !own && !identity.allowed:
		return nil, q.refuse("because no identity-based policy allows the " + q.action + " action")
	case r.boolean("DryRun"):
		return nil, dryRun()
	}
	s.grants.remove(g)
	return nil, nil
}

var grantIDPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)

func (p *params) grantID(required bool) string { return p.str("GrantId", required, 1, 128) }

func checkGrantID(id string) error {
	if !grantIDPattern.MatchString(id) {
		return fail("InvalidGrantIdException", "Invalid grant ID %s", id)
	}
	return nil
}

// grant finds a grant of a key.
func (s *Server) grant(id string, k *key) (*grant, error) {
	if err := checkGrantID(id); err != nil {
		return nil, err
	}
	if g := s.grants.byID[id]; g != nil && g.key == k {
		return g, nil
	}
	return nil, notFound("Grant ID %s not found", id)
}
