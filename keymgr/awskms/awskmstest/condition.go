package awskmstest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// condition is one operator on one key. All conditions of a statement must hold.
type condition struct {
	quantifier string // "", "ForAllValues" or "ForAnyValue"
	operator   string // without IfExists
	ifExists   bool
	key        string   // in lower case
	values     []string // one of them must match, or with a negated operator none
}

// conditionKeys are those that this server knows, in lower case. A name that
// ends in ":" or "/" stands for all that begin with it. Those of services
// (kms:ViaService, aws:SourceArn) are in no request here.
var conditionKeys = []string{
	"kms:encryptioncontext:", "kms:encryptioncontextkeys",
	"kms:viaservice", "kms:calleraccount", "kms:keyorigin", "kms:keyspec", "kms:keyusage",
	"kms:multiregion", "kms:multiregionkeytype", "kms:requestalias", "kms:resourcealiases",
	"kms:grantisforawsresource", "kms:grantoperations", "kms:granteeprincipal", "kms:retiringprincipal",
	"kms:primaryregion", "kms:replicaregion", "kms:bypasspolicylockoutsafetycheck",
	"aws:principalarn", "aws:principalaccount", "aws:requestedregion", "aws:resourcetag/", "aws:sourcearn",
}

func knownConditionKey(key string) bool {
	return slices.ContainsFunc(conditionKeys, func(k string) bool {
		if strings.HasSuffix(k, ":") || strings.HasSuffix(k, "/") {
			return len(key) > len(k) && strings.HasPrefix(key, k)
		}
		return k == key
	})
}

func parseConditions(written map[string]map[string]oneOrMore[scalar]) ([]condition, error) {
	var list []condition
	for name, keys := range written {
		c := condition{operator: name}
		if q, op, ok := strings.Cut(name, ":"); ok {
			c.quantifier, c.operator = q, op
		}
		c.operator, c.ifExists = strings.CutSuffix(c.operator, "IfExists")
		if c.quantifier != "" && c.quantifier != "ForAllValues" && c.quantifier != "ForAnyValue" {
			return nil, fmt.Errorf("this server does not know the condition operator %q", name)
		}
		switch c.operator {
		case "StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", "StringLike", "StringNotLike",
			"ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike", "Bool":
		case "Null":
			if c.ifExists || c.quantifier != "" {
				return nil, errors.New("the condition operator Null stands alone")
			}
		default:
			return nil, fmt.Errorf("this server does not know the condition operator %q", name)
		}
		for key, values := range keys {
			if len(values) == 0 {
				return nil, fmt.Errorf("condition key %q has no value", key)
			}
			if !knownConditionKey(strings.ToLower(key)) {
				return nil, fmt.Errorf("this server does not know the condition key %q", key)
			}
			one := c
			one.key, one.values = strings.ToLower(key), nil
			for _, v := range values {
				if (c.operator == "Bool" || c.operator == "Null") && v != "true" && v != "false" {
					return nil, fmt.Errorf("the condition operator %s takes true or false", name)
				}
				one.values = append(one.values, string(v))
			}
			list = append(list, one)
		}
	}
	return list, nil
}

// holds evaluates the condition on the values that the request has for its key.
func (c *condition) holds(request []string) bool {
	switch {
	case c.operator == "Null":
		return slices.ContainsFunc(c.values, func(v string) bool { return (v == "true") == (len(request) == 0) })
	case len(request) == 0 && c.ifExists:
		return true
	case c.quantifier == "ForAllValues":
		return !slices.ContainsFunc(request, func(v string) bool { return !c.accepts(v) })
	case c.quantifier == "ForAnyValue":
		return slices.ContainsFunc(request, c.accepts)
	case c.negated(): // true where the key is missing
		return !slices.ContainsFunc(request, func(v string) bool { return !c.accepts(v) })
	}
	return slices.ContainsFunc(request, c.accepts)
}

func (c *condition) negated() bool { return strings.Contains(c.operator, "Not") }

// accepts compares one value of a request with all of the policy's.
func (c *condition) accepts(v string) bool {
	equal := func(want string) bool {
		switch strings.Replace(c.operator, "Not", "", 1) {
		case "StringLike":
			return matches(want, v)
		case "ArnLike", "ArnEquals":
			return matchesARN(want, v)
		case "StringEqualsIgnoreCase", "Bool":
			return strings.EqualFold(want, v)
		}
		return want == v
	}
	return slices.ContainsFunc(c.values, equal) != c.negated()
}

// matchesARN is matches on each of the six parts of an ARN.
func matchesARN(pattern, arn string) bool {
	want, got := strings.SplitN(pattern, ":", 6), strings.SplitN(arn, ":", 6)
	if len(want) != len(got) {
		return false
	}
	for i := range want {
		if !matches(want[i], got[i]) {
			return false
		}
	}
	return true
}
