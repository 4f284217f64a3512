package awskmstest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// policy is a document of the IAM policy language, of which this server knows a
// part. What it does not know it refuses: a condition that is skipped would
// allow what it was to forbid.
type policy struct{ statements []statement }

type statement struct {
	allow      bool
	principals []string // of key policies: "*", an account or an ARN
	actions    []string // patterns, in lower case
	notActions bool
	resources  []string // patterns
	conditions []condition
}

// policyKind tells key policies, which name principals, from identity policies.
type policyKind int

const (
	resourceBased policyKind = iota
	identityBased
)

// The largest policy of a key, in bytes.
const maxPolicy = 32768

// document is a policy as it is written.
type document struct {
	Version   string
	Id        string
	Statement oneOrMore[documentStatement]
}

type documentStatement struct {
	Sid          string
	Effect       string
	Principal    json.RawMessage
	NotPrincipal json.RawMessage
	Action       oneOrMore[string]
	NotAction    oneOrMore[string]
	Resource     oneOrMore[string]
	NotResource  json.RawMessage
	Condition    map[string]map[string]oneOrMore[scalar]
}

// oneOrMore is a value, or a list of them.
type oneOrMore[T any] []T

func (o *oneOrMore[T]) UnmarshalJSON(b []byte) error {
	dec := strictDecoder(b)
	if bytes.HasPrefix(bytes.TrimSpace(b), []byte("[")) {
		return dec.Decode((*[]T)(o))
	}
	var one T
	if err := dec.Decode(&one); err != nil {
		return err
	}
	*o = oneOrMore[T]{one}
	return nil
}

// scalar is a string of a condition, which may be written as a boolean or a
// number.
type scalar string

func (s *scalar) UnmarshalJSON(b []byte) error {
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	switch v := v.(type) {
	case string:
		*s = scalar(v)
	case bool, float64:
		*s = scalar(b)
	default:
		return errors.New("a condition value is a string, a boolean or a number")
	}
	return nil
}

func strictDecoder(b []byte) *json.Decoder {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	return dec
}

var (
	actionPattern = regexp.MustCompile(`^(\*|[a-zA-Z0-9-]+:[a-zA-Z0-9*?]+)$`)
	accountRoot   = regexp.MustCompile(`^arn:aws(?:-cn|-us-gov)?:iam::([0-9]{12}):root$`)
	principalARN  = regexp.MustCompile(`^arn:aws(?:-cn|-us-gov)?:(?:iam::[0-9]{12}:(?:root|(?:user|role)/[!-~]+)|sts::[0-9]{12}:(?:assumed-role|federated-user)/[!-~]+)$`)
)

// parsePolicy reads a policy, strictly.
func parsePolicy(text string, kind policyKind) (*policy, error) {
	var d document
	dec := strictDecoder([]byte(text))
	if err := dec.Decode(&d); err != nil {
		return nil, fmt.Errorf("policy is not valid JSON of a policy: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("policy goes on after its end")
	}
	switch {
	case d.Version != "2012-10-17" && d.Version != "2008-10-17" && d.Version != "":
		return nil, fmt.Errorf("policy has the unknown Version %q", d.Version)
	case len(d.Statement) == 0:
		return nil, errors.New("policy has no Statement")
	case d.Version == "2012-10-17" && strings.Contains(text, "${"):
		return nil, errors.New("policy has variables (${...}), which this server does not know")
	}
	p := &policy{}
	for i, ds := range d.Statement {
		st, err := ds.parse(kind)
		if err != nil {
			if e := (*apiError)(nil); errors.As(err, &e) {
				return nil, err // AWS's own words
			}
			return nil, fmt.Errorf("statement %d of the policy: %w", i+1, err)
		}
		p.statements = append(p.statements, st)
	}
	return p, nil
}

func (ds *documentStatement) parse(kind policyKind) (st statement, err error) {
	switch {
	case ds.Effect != "Allow" && ds.Effect != "Deny":
		return st, errors.New("the Effect must be Allow or Deny")
	case (len(ds.Action) == 0) == (len(ds.NotAction) == 0):
		return st, errors.New("there must be one of Action and NotAction")
	case len(ds.Resource) == 0:
		return st, errors.New("there must be a Resource")
	case ds.NotPrincipal != nil || ds.NotResource != nil:
		return st, errors.New("this server does not know NotPrincipal and NotResource")
	case kind == identityBased && ds.Principal != nil:
		return st, errors.New("identity policies have no Principal")
	}
	st = statement{allow: ds.Effect == "Allow", notActions: len(ds.NotAction) > 0, resources: ds.Resource}
	for _, a := range append(ds.Action, ds.NotAction...) {
		if !actionPattern.MatchString(a) {
			return st, fmt.Errorf("%q is no action", a)
		}
		st.actions = append(st.actions, strings.ToLower(a))
	}
	for _, r := range ds.Resource {
		if r != "*" && !strings.HasPrefix(r, "arn:") {
			return st, fmt.Errorf("%q is no resource", r)
		}
	}
	if kind == resourceBased {
		if st.principals, err = parsePrincipals(ds.Principal); err != nil {
			return st, err
		}
	}
	st.conditions, err = parseConditions(ds.Condition)
	return st, err
}

func malformed(format string, args ...any) *apiError {
	return fail("MalformedPolicyDocumentException", format, args...)
}

func invalidPrincipal() error {
	return malformed("Policy contains a statement with one or more invalid principals.")
}

// parsePrincipals reads "*", or AWS principals. Services are read and match
// nobody: no service calls this server.
func parsePrincipals(raw json.RawMessage) ([]string, error) {
	if string(raw) == `"*"` {
		return []string{"*"}, nil
	}
	var by struct{ AWS, Service oneOrMore[string] }
	if raw == nil || strictDecoder(raw).Decode(&by) != nil || len(by.AWS)+len(by.Service) == 0 {
		return nil, invalidPrincipal()
	}
	list := []string{}
	for _, p := range by.AWS {
		if root := accountRoot.FindStringSubmatch(p); root != nil {
			p = root[1]
		}
		if p != "*" && !accountPattern.MatchString(p) && !principalARN.MatchString(p) || strings.ContainsAny(p[1:], "*?") {
			return nil, invalidPrincipal()
		}
		list = append(list, p)
	}
	return list, nil
}

// matches compares with a pattern of * (any characters) and ? (any one).
func matches(pattern, s string) bool {
	star, from := -1, 0 // the last * and where in s what follows it was tried
	p, i := 0, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0:
			from++
			p, i = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
