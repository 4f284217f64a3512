package awskmstest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// params are the members of a request. Names are matched exactly, as AWS does
// and encoding/json does not; members that no one asks for are ignored; null is
// the same as nothing.
//
// Reading never fails: what is wrong is collected, and err reports it.
type params struct {
	members    map[string]json.RawMessage
	mistyped   *apiError // the first member of a wrong type
	violations []string  // of constraints, in AWS's words
}

func decode(body []byte) (*params, error) {
	p := &params{}
	if len(bytes.TrimSpace(body)) == 0 {
		return p, nil
	}
	if err := json.Unmarshal(body, &p.members); err != nil {
		if bytes.HasPrefix(bytes.TrimSpace(body), []byte("[")) {
			return nil, serialization("Start of list found where not expected.")
		}
		return nil, serialization("")
	}
	return p, nil
}

// err returns a SerializationException or a ValidationException for what has
// been read until now.
func (p *params) err() error {
	if p.mistyped != nil {
		return p.mistyped
	}
	switch n := len(p.violations); n {
	case 0:
		return nil
	case 1:
		return invalid("1 validation error detected: %s", p.violations[0])
	default:
		return invalid("%d validation errors detected: %s", n, strings.Join(p.violations, "; "))
	}
}

// str reads a string of min to max characters; a required one must be there.
func (p *params) str(name string, required bool, min, max int) string {
	s, ok := read[string](p, name, required, "String")
	if ok {
		p.length(fmt.Sprintf("Value '%s' at '%s'", s, wireName(name)), utf8.RuneCountInString(s), min, max)
	}
	return s
}

// keyID reads what names a key.
func (p *params) keyID(name string, required bool) string { return p.str(name, required, 1, 2048) }

// enum reads one of values, or "".
func (p *params) enum(name string, values ...string) string {
	s, ok := read[string](p, name, false, "String")
	if ok && !slices.Contains(values, s) {
		p.violate("Value '%s' at '%s' failed to satisfy constraint: Member must satisfy enum value set: [%s]",
			s, wireName(name), strings.Join(values, ", "))
	}
	return s
}

// blob reads 1 to max bytes, required. Its content is in no error.
func (p *params) blob(name string, max int) []byte {
	s, ok := read[string](p, name, true, "ByteBuffer")
	if !ok {
		return nil
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		p.mistype(serialization(""))
		return nil
	}
	p.length(fmt.Sprintf("Value at '%s'", wireName(name)), len(b), 1, max)
	return b
}

// integer reads a number from min to max, nil if it is not there.
func (p *params) integer(name string, min, max int) *int {
	n, ok := read[json.Number](p, name, false, "Integer")
	if !ok {
		return nil
	}
	i, err := strconv.Atoi(n.String())
	if err != nil {
		p.mistype(serialization(""))
		return nil
	}
	switch {
	case i < min:
		p.violate("Value '%d' at '%s' failed to satisfy constraint: Member must have value greater than or equal to %d", i, wireName(name), min)
	case i > max:
		p.violate("Value '%d' at '%s' failed to satisfy constraint: Member must have value less than or equal to %d", i, wireName(name), max)
	}
	return &i
}

func (p *params) boolean(name string) bool {
	b, _ := read[bool](p, name, false, "Boolean")
	return b
}

// stringMap reads an encryption context. An empty one is none.
func (p *params) stringMap(name string) map[string]string {
	raw, ok := read[map[string]*string](p, name, false, "Map")
	if !ok || len(raw) == 0 {
		return nil
	}
	m := make(map[string]string, len(raw))
	for k, v := range raw {
		if v == nil {
			p.violate("Value at '%s' failed to satisfy constraint: Map value must satisfy constraint: [Member must not be null]", wireName(name))
			continue
		}
		m[k] = *v
	}
	return m
}

// strings reads a list of at most most strings, each of min to max characters.
func (p *params) strings(name string, required bool, most, min, max int) []string {
	list, ok := read[[]*string](p, name, required, "List")
	if !ok {
		return nil
	}
	p.length(fmt.Sprintf("Value at '%s'", wireName(name)), len(list), 0, most)
	values := []string{}
	for i, v := range list {
		at := fmt.Sprintf("%s.%d.member", wireName(name), i+1)
		if v == nil {
			p.violate("Value null at '%s' failed to satisfy constraint: Member must not be null", at)
			continue
		}
		p.length(fmt.Sprintf("Value '%s' at '%s'", *v, at), utf8.RuneCountInString(*v), min, max)
		values = append(values, *v)
	}
	return values
}

// has reports whether a member is there and not null.
func (p *params) has(name string) bool {
	raw, ok := p.members[name]
	return ok && string(raw) != "null"
}

// read takes a member of type T.
func read[T any](p *params, name string, required bool, typeName string) (v T, ok bool) {
	if !p.has(name) {
		if required {
			p.violate("Value null at '%s' failed to satisfy constraint: Member must not be null", wireName(name))
		}
		return v, false
	}
	raw := p.members[name]
	if err := json.Unmarshal(raw, &v); err != nil || typeName == "Integer" && raw[0] == '"' {
		var zero T
		p.mistype(wrongType(raw, typeName))
		return zero, false
	}
	return v, true
}

func (p *params) length(what string, n, min, max int) {
	switch {
	case n < min:
		p.violate("%s failed to satisfy constraint: Member must have length greater than or equal to %d", what, min)
	case n > max:
		p.violate("%s failed to satisfy constraint: Member must have length less than or equal to %d", what, max)
	}
}

func (p *params) violate(format string, args ...any) {
	p.violations = append(p.violations, fmt.Sprintf(format, args...))
}

func (p *params) mistype(e *apiError) {
	if p.mistyped == nil {
		p.mistyped = e
	}
}

// wireName is how AWS's validation names a member: KeyId is 'keyId'.
func wireName(name string) string { return strings.ToLower(name[:1]) + name[1:] }

func serialization(message string) *apiError { return fail("SerializationException", "%s", message) }

// wrongType says what was found, never its value.
func wrongType(raw json.RawMessage, want string) *apiError {
	switch raw[0] {
	case '{':
		return serialization("Start of structure or map found where not expected.")
	case '[':
		return serialization("Start of list found where not expected.")
	case '"':
		return serialization("STRING_VALUE can not be converted to a " + want)
	case 't':
		return serialization("TRUE_VALUE can not be converted to a " + want)
	case 'f':
		return serialization("FALSE_VALUE can not be converted to a " + want)
	}
	return serialization("NUMBER_VALUE can not be converted to a " + want)
}
