package awskmstest

import (
	"maps"
	"regexp"
	"slices"
)

var regionOrID = regexp.MustCompile(`^([a-z]+-){2,3}\d+$`)

func (p *params) region(name string) string {
	region := p.str(name, true, 1, 32)
	if region != "" && !regionOrID.MatchString(region) {
		p.violate("Value '%s' at '%s' failed to satisfy constraint: Member must satisfy regular expression pattern: %s", region, wireName(name), regionOrID)
	}
	return region
}

// replicateKey makes a replica in another region of [StartRegions]. It is ready
// at once here; at AWS it takes some seconds.
func (s *Server) replicateKey(r *request) (any, error) {
	region := r.region("ReplicaRegion")
	replica := &key{description: r.str("Description", false, 0, 8192), created: r.now, multiRegion: true}
	tags, policyText := r.tags("Tags"), r.policyText(false)
	bypass := r.boolean("BypassPolicyLockoutSafetyCheck")
	primary, err := s.keyOfRequest(r)
	if err != nil {
		return nil, err
	}
	there, err := s.elsewhere(primary, region)
	if err != nil {
		return nil, err
	}
	if primary.in(region) != nil {
		return nil, fail("AlreadyExistsException", "Key %s already exists in region %s.", there.arn("kms", "key/"+primary.id), region)
	}
	if err := there.authorizeAccount(r, "*", "CreateKey"); err != nil {
		return nil, err
	}
	if replica.policy, err = there.newPolicy(r, nil, policyText, bypass); err != nil {
		return nil, err
	}
	if replica.tags, err = tagMap(tags); err != nil {
		return nil, err
	}
	if len(replica.tags) > 0 {
		if err := there.authorizeAccount(r, "*", "TagResource"); err != nil {
			return nil, err
		}
	}
	replica.lineage, replica.id, replica.spec, replica.usage = primary.lineage, primary.id, primary.spec, primary.usage
	there.admit(replica)
	m := there.metadata(replica)
	m.KeyState, m.Enabled = "Creating", false // as AWS answers; the next answer says Enabled
	return struct {
		ReplicaKeyMetadata keyMetadata
		ReplicaPolicy      string
		ReplicaTags        []keyTag `json:",omitempty"`
	}{m, replica.policy.text, tagList(replica.tags)}, nil
}

// updatePrimaryRegion makes a replica the primary and the primary a replica.
func (s *Server) updatePrimaryRegion(r *request) (any, error) {
	region := r.region("PrimaryRegion")
	primary, err := s.keyOfRequest(r)
	if err != nil {
		return nil, err
	}
	there, err := s.elsewhere(primary, region)
	if err != nil {
		return nil, err
	}
	next := primary.in(region)
	if next == nil {
		return nil, notFound("Key '%s' does not exist", there.arn("kms", "key/"+primary.id))
	}
	if err := there.authorize(r, next, r.operation); err != nil {
		return nil, err
	}
	if err := next.enabled(); err != nil {
		return nil, err
	}
	primary.primary = next
	return nil, nil
}

// elsewhere is the server of the region to which an operation on a primary key
// reaches out.
func (s *Server) elsewhere(primary *key, region string) (*Server, error) {
	if err := primary.enabled(); err != nil {
		return nil, err
	}
	there, ok := s.regions[region]
	switch {
	case !primary.multiRegion || primary.isReplica():
		return nil, unsupported("%s is not a multi-region primary key.", primary.arn)
	case region == s.region:
		return nil, invalid("The region %s is that of the primary key %s.", region, primary.arn)
	case !ok:
		return nil, unsupported("This server knows no region %s: there are %v.", region, slices.Sorted(maps.Keys(s.regions)))
	}
	return there, nil
}
