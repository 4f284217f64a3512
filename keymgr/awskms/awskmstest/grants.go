package awskmstest

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// grant lets one principal do some operations on one key. It is effective at
// once here, with or without its token; at AWS it takes some minutes without.
type grant struct {
	id, name          string
	key               *key
	grantee, retiring string // ARNs; retiring is "" for none
	operations        []string
	constraints       constraints
	created           time.Time
}

// constraints are encryption contexts: equal is all of it, subset a part of it;
// nil is none.
type constraints struct {
	EncryptionContextEquals map[string]string `json:",omitempty"`
	EncryptionContextSubset map[string]string `json:",omitempty"`
}

// grants are those of all keys of a region.
type grants struct {
	byID   map[string]*grant
	tokens map[string]*grant
}

func newGrants() grants { return grants{byID: map[string]*grant{}, tokens: map[string]*grant{}} }

// add keeps a grant and returns it, or the one that is there if a caller repeats
// a CreateGrant with a name.
func (gs *grants) add(g *grant) *grant {
	if g.name != "" {
		for _, old := range gs.byID {
			if old.same(g) {
				return old
			}
		}
	}
	g.id = randomID() + randomID()
	gs.byID[g.id] = g
	return g
}

func (g *grant) same(other *grant) bool {
	return g.key == other.key && g.name == other.name && g.grantee == other.grantee && g.retiring == other.retiring &&
		slices.Equal(g.operations, other.operations) && g.constraints.equal(other.constraints)
}

// token makes another token of a grant.
func (gs *grants) token(g *grant) string {
	token := "AQpA" + randomID() + randomID() + randomID()
	gs.tokens[token] = g
	return token
}

func (gs *grants) remove(g *grant) {
	delete(gs.byID, g.id)
	maps.DeleteFunc(gs.tokens, func(_ string, of *grant) bool { return of == g })
}

func (gs *grants) removeOf(k *key) {
	for _, g := range gs.byID {
		if g.key == k {
			gs.remove(g)
		}
	}
}

// allow reports whether a grant lets the caller do an action on a key. One to the
// account is left to the account's IAM.
func (gs *grants) allow(r *request, k *key, action string, identityAllows bool) bool {
	for _, g := range gs.byID {
		grantee := r.user.is(g.grantee) || strings.HasSuffix(g.grantee, ":root") && identityAllows
		if g.key == k && grantee && slices.Contains(g.operations, action) && g.fits(r, action) {
			return true
		}
	}
	return false
}

// fits reports whether a call keeps the constraints. They do not bind operations
// without an encryption context; a grant that is made by virtue of this one may
// not be wider.
func (g *grant) fits(r *request, action string) bool {
	switch action {
	case "DescribeKey", "RetireGrant":
		return true
	case "CreateGrant":
		return g.covers(r.grant)
	}
	return g.constraints.hold(r.contextOf(action))
}

func (c constraints) hold(context map[string]string) bool {
	whole := c.EncryptionContextEquals == nil || len(c.EncryptionContextEquals) == len(context) && contains(context, c.EncryptionContextEquals)
	return whole && contains(context, c.EncryptionContextSubset)
}

// covers reports whether a child allows nothing that g does not.
func (g *grant) covers(child *grant) bool {
	for _, operation := range child.operations {
		if !slices.Contains(g.operations, operation) {
			return false
		}
	}
	own, its := g.constraints, child.constraints
	switch {
	case its.EncryptionContextEquals != nil: // one context: it fits or not
		return own.hold(its.EncryptionContextEquals)
	case own.EncryptionContextEquals != nil:
		return false
	}
	return contains(its.EncryptionContextSubset, own.EncryptionContextSubset)
}

func (c constraints) equal(other constraints) bool {
	return maps.Equal(c.EncryptionContextEquals, other.EncryptionContextEquals) && maps.Equal(c.EncryptionContextSubset, other.EncryptionContextSubset)
}

// contains reports whether all of part is in whole, without regard to the case of
// keys.
func contains(whole, part map[string]string) bool {
	for key, v := range part {
		if !slices.Contains(valuesOf(whole, key), v) {
			return false
		}
	}
	return true
}

// grantTokens reads GrantTokens. They are checked when the key is looked for.
func (r *request) grantTokens() {
	r.tokens = r.strings("GrantTokens", false, 10, 1, 8192)
}

// checkTokens refuses tokens of no grant, and of one that is gone.
func (s *Server) checkTokens(r *request) error {
	for _, token := range r.tokens {
		if s.grants.tokens[token] == nil {
			return fail("InvalidGrantTokenException", "")
		}
	}
	return nil
}
