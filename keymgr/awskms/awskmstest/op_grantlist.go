package awskmstest

import (
	"maps"
	"slices"
)

type grantEntry struct {
	KeyId             string
	GrantId           string
	Name              string `json:",omitempty"`
	CreationDate      timestamp
	GranteePrincipal  string
	RetiringPrincipal string `json:",omitempty"`
	IssuingAccount    string
	Operations        []string
	Constraints       *constraints `json:",omitempty"`
}

type grantList struct {
	Grants     []grantEntry
	NextMarker string `json:",omitempty"`
	Truncated  bool
}

func (s *Server) listGrants(r *request) (any, error) {
	id, grantee := r.grantID(false), r.str("GranteePrincipal", false, 1, 256)
	service := r.has("GranteeServicePrincipal")
	pg := r.page(50, 100)
	k, err := s.keyOfRequest(r)
	if err != nil {
		return nil, err
	}
	if id != "" {
		if err := checkGrantID(id); err != nil {
			return nil, err
		}
	}
	return s.listed(pg, func(g *grant) bool {
		return g.key == k && !service && (id == "" || g.id == id) && (grantee == "" || g.grantee == grantee)
	})
}

// listRetirableGrants lists over all keys. IAM alone decides who may.
func (s *Server) listRetirableGrants(r *request) (any, error) {
	retiring := r.str("RetiringPrincipal", false, 1, 256)
	service := r.has("RetiringServicePrincipal")
	pg := r.page(50, 100)
	if err := r.err(); err != nil {
		return nil, err
	}
	switch {
	case service:
		return nil, unsupported("This server makes no grants to services.")
	case retiring == "":
		return nil, invalid("You must specify either RetiringPrincipal or RetiringServicePrincipal.")
	case !principalARN.MatchString(retiring):
		return nil, fail(invalidArn, "ARN does not refer to a valid principal: %s", retiring)
	}
	if err := s.authorizeAccount(r, "*", r.operation); err != nil {
		return nil, err
	}
	return s.listed(pg, func(g *grant) bool { return g.retiring == retiring })
}

func (s *Server) listed(pg page, which func(*grant) bool) (any, error) {
	var ids []string
	for _, id := range slices.Sorted(maps.Keys(s.grants.byID)) {
		if which(s.grants.byID[id]) {
			ids = append(ids, id)
		}
	}
	ids, next, err := pg.of(ids)
	if err != nil {
		return nil, err
	}
	out := grantList{Grants: []grantEntry{}, NextMarker: next, Truncated: next != ""}
	for _, id := range ids {
		out.Grants = append(out.Grants, s.entry(s.grants.byID[id]))
	}
	return out, nil
}

func (s *Server) entry(g *grant) grantEntry {
	e := grantEntry{
		KeyId:             g.key.arn,
		GrantId:           g.id,
		Name:              g.name,
		CreationDate:      timestamp{g.created},
		GranteePrincipal:  g.grantee,
		RetiringPrincipal: g.retiring,
		IssuingAccount:    s.arn("iam", "root"),
		Operations:        g.operations,
	}
	if !g.constraints.equal(constraints{}) {
		e.Constraints = &g.constraints
	}
	return e
}
