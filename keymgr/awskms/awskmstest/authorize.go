package awskmstest

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// query is a question to the policies: may this caller do this?
type query struct {
	by       *user
	action   string // "kms:Decrypt"
	resource string // ARN, or "*"
	values   func(conditionKey string) []string
}

// verdict is what a policy says.
type verdict struct{ allowed, denied bool }

// noteKey notes in the log which key a call is about.
func (r *request) noteKey(k *key, action string) {
	if action == "ReEncryptFrom" {
		r.call.SourceKeyARN = k.arn
	} else {
		r.call.KeyARN = k.arn
	}
}

// authorize refuses an action on a key that is not allowed to the caller: an
// explicit deny wins; then the key policy allows it, or the key policy leaves it
// to IAM and an identity policy allows it, or a grant does.
func (s *Server) authorize(r *request, k *key, action string) error {
	q := s.query(r, k, action)
	identity := q.identity()
	direct, delegated := q.keyPolicy(k.policy.policy, s.account.id)
	switch {
	case s.faults.denied[k.id] || direct.denied:
		return q.refuse("with an explicit deny in a resource-based policy")
	case identity.denied:
		return q.refuse("with an explicit deny in an identity-based policy")
	case direct.allowed, delegated && identity.allowed, s.grants.allow(r, k, action, identity.allowed):
		return nil
	case delegated:
		return q.refuse("because no identity-based policy allows the " + q.action + " action")
	}
	return q.refuse("because no resource-based policy allows the " + q.action + " action")
}

// authorizeAccount refuses what identity policies alone decide: what is about no
// key, and aliases.
func (s *Server) authorizeAccount(r *request, resource, action string) error {
	q := s.query(r, nil, action)
	q.resource = resource
	switch identity := q.identity(); {
	case identity.denied:
		return q.refuse("with an explicit deny in an identity-based policy")
	case !identity.allowed:
		return q.refuse("because no identity-based policy allows the " + q.action + " action")
	}
	return nil
}

func (q *query) refuse(why string) error {
	return fail("AccessDeniedException", "User: %s is not authorized to perform: %s on resource: %s %s", q.by.session, q.action, q.resource, why)
}

// identity asks the identity policies of the caller.
func (q *query) identity() (v verdict) {
	for _, p := range q.by.policies {
		for i := range p.statements {
			if st := &p.statements[i]; st.covers(q) {
				v.allowed, v.denied = v.allowed || st.allow, v.denied || !st.allow
			}
		}
	}
	return v
}

// keyPolicy asks the policy of a key: what it says to the caller, and whether it
// leaves the action to the IAM of the account. To deny it to the account is to
// deny it to all of its principals.
func (q *query) keyPolicy(p *policy, account string) (direct verdict, delegated bool) {
	for i := range p.statements {
		st := &p.statements[i]
		if !st.covers(q) {
			continue
		}
		named := slices.ContainsFunc(st.principals, func(p string) bool { return p == "*" || q.by.is(p) })
		ours := slices.Contains(st.principals, account)
		switch {
		case st.allow:
			direct.allowed, delegated = direct.allowed || named, delegated || ours
		case named || ours:
			direct.denied = true
		}
	}
	return direct, delegated
}

// covers reports whether a statement is about the action, the resource and the
// conditions of a query.
func (st *statement) covers(q *query) bool {
	action := strings.ToLower(q.action)
	return slices.ContainsFunc(st.actions, func(a string) bool { return matches(a, action) }) != st.notActions &&
		slices.ContainsFunc(st.resources, func(r string) bool { return matches(r, q.resource) }) &&
		!slices.ContainsFunc(st.conditions, func(c condition) bool { return !c.holds(q.values(c.key)) })
}

// query fills in what is known of a call. k is nil where there is no key.
func (s *Server) query(r *request, k *key, action string) *query {
	q := &query{by: r.user, action: "kms:" + action, resource: "*"}
	if k != nil {
		q.resource = k.arn
	}
	q.values = func(name string) []string {
		if values, ok := s.ofKey(k, name); ok {
			return values
		}
		return s.ofCall(r, action, name)
	}
	return q
}

// ofKey has the condition keys that are properties of the key.
func (s *Server) ofKey(k *key, name string) (values []string, known bool) {
	if k == nil {
		return nil, false
	}
	switch name {
	case "kms:keyorigin":
		return []string{"AWS_KMS"}, true
	case "kms:keyspec":
		return []string{k.spec}, true
	case "kms:keyusage":
		return []string{k.usage}, true
	case "kms:multiregion":
		return []string{strconv.FormatBool(k.multiRegion)}, true
	case "kms:multiregionkeytype":
		if k.multiRegion {
			values = []string{k.multiRegionType()}
		}
		return values, true
	case "kms:resourcealiases":
		for name, a := range s.aliases {
			if a.target == k {
				values = append(values, name)
			}
		}
		return values, true
	}
	if tag, ok := strings.CutPrefix(name, "aws:resourcetag/"); ok {
		return valuesOf(k.tags, tag), true
	}
	return nil, false
}

// ofCall has those that are properties of the caller and of the request.
func (s *Server) ofCall(r *request, action, name string) []string {
	switch name {
	case "kms:calleraccount", "aws:principalaccount":
		return []string{s.account.id}
	case "aws:principalarn":
		return []string{r.user.arn}
	case "aws:requestedregion":
		return []string{s.region}
	case "kms:requestalias":
		return present(r.alias)
	case "kms:encryptioncontextkeys":
		return slices.Collect(maps.Keys(r.contextOf(action)))
	case "kms:bypasspolicylockoutsafetycheck":
		if action == "CreateKey" || action == "PutKeyPolicy" {
			return []string{strconv.FormatBool(r.boolean("BypassPolicyLockoutSafetyCheck"))}
		}
	case "kms:grantisforawsresource":
		if action == "CreateGrant" || action == "ListGrants" || action == "RevokeGrant" {
			return []string{"false"} // no service calls this server
		}
	case "kms:grantoperations":
		if action == "CreateGrant" {
			list, _ := read[[]string](r.params, "Operations", false, "List")
			return list
		}
	case "kms:granteeprincipal":
		if action == "CreateGrant" {
			return present(r.text("GranteePrincipal"))
		}
	case "kms:retiringprincipal":
		if action == "CreateGrant" {
			return present(r.text("RetiringPrincipal"))
		}
	case "kms:primaryregion":
		if action == "UpdatePrimaryRegion" {
			return present(r.text("PrimaryRegion"))
		}
	case "kms:replicaregion":
		if action == "ReplicateKey" {
			return present(r.text("ReplicaRegion"))
		}
	}
	if key, ok := strings.CutPrefix(name, "kms:encryptioncontext:"); ok {
		return valuesOf(r.contextOf(action), key)
	}
	return nil // kms:ViaService and aws:SourceArn among them
}

// contextOf is the encryption context that an action is about. Of CreateGrant it
// is what the constraints name.
func (r *request) contextOf(action string) map[string]string {
	switch action {
	case "ReEncryptFrom":
		return r.call.SourceEncryptionContext
	case "CreateGrant":
		return r.constraint
	}
	return r.call.EncryptionContext
}

// text is a string that was read before, so it is of the right type.
func (r *request) text(name string) string {
	s, _ := read[string](r.params, name, false, "String")
	return s
}

// valuesOf finds the values of a name without regard to case, as IAM does.
func valuesOf(m map[string]string, name string) (values []string) {
	for key, v := range m {
		if strings.EqualFold(key, name) {
			values = append(values, v)
		}
	}
	return values
}

func present(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}
