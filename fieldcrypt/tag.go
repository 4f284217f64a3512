package fieldcrypt

import (
	"fmt"
	"strconv"
	"strings"
)

// TagName is the struct tag that this package reads.
const TagName = "fieldcrypt"

// Bounds of pad=<n>, in bytes.
const (
	MinPad = 2
	MaxPad = 4096
)

// tag is a parsed struct tag:
//
//	fieldcrypt:"<domain>[,index[=<transform>|...]][,pad=<n>][,id=<table.column>][,bind=<Field>][,plain=<column>[,fallback]]"
//	fieldcrypt:",tenant"
type tag struct {
	tenant bool
	domain string

	index     bool
	transform string // "" for none

	pad      int
	id       identity
	bind     string
	plain    string
	fallback bool
}

// identity is the stable logical name of a column.
type identity struct{ table, column string }

func (id identity) String() string { return id.table + "." + id.column }

func parseTag(s string) (tag, error) {
	domain, options, _ := strings.Cut(s, ",")
	t := tag{domain: domain}
	if domain == "" {
		if options == "tenant" {
			return tag{tenant: true}, nil
		}
		return t, fmt.Errorf(`the tag must begin with a key domain: %s:"<domain>,..."`, TagName)
	}
	if !validDomain(domain) {
		return t, fmt.Errorf("key domain %q does not match [a-z][a-z0-9_-]{0,62}", domain)
	}
	seen := map[string]bool{}
	for options != "" {
		var option string
		option, options, _ = strings.Cut(options, ",")
		name, value, hasValue := strings.Cut(option, "=")
		if seen[name] {
			return t, fmt.Errorf("option %q is given twice", name)
		}
		seen[name] = true
		if err := t.set(name, value, hasValue); err != nil {
			return t, err
		}
	}
	if strings.HasSuffix(s, ",") {
		return t, fmt.Errorf("the tag ends with a comma")
	}
	if t.fallback && t.plain == "" {
		return t, fmt.Errorf("option fallback goes with plain=<column>")
	}
	return t, nil
}

func (t *tag) set(name, value string, hasValue bool) (err error) {
	switch name {
	case "index", "fallback":
		if hasValue && (value == "" || name == "fallback") {
			return fmt.Errorf("option %q: nothing may stand after %q", name, name+"=")
		}
	case "pad", "id", "bind", "plain":
		if value == "" {
			return fmt.Errorf("option %q needs a value: %s=<value>", name, name)
		}
	}
	switch name {
	case "index":
		t.index, t.transform = true, value
	case "pad":
		t.pad, err = strconv.Atoi(value)
		if err != nil || t.pad < MinPad || t.pad > MaxPad {
			return fmt.Errorf("pad=%s: want a number from %d to %d", value, MinPad, MaxPad)
		}
	case "id":
		t.id, err = parseIdentity(value)
	case "bind":
		t.bind = value
	case "plain":
		t.plain = value
	case "fallback":
		t.fallback = true
	case "tenant":
		return fmt.Errorf(`the tenant column is plain: its tag is %s:",tenant" alone`, TagName)
	default:
		return fmt.Errorf("unknown option %q: the options are index, pad, id, bind, plain, fallback", name)
	}
	return err
}

// parseIdentity parses "table.column".
func parseIdentity(s string) (identity, error) {
	table, column, ok := strings.Cut(s, ".")
	if !ok || table == "" || column == "" || strings.Contains(column, ".") {
		return identity{}, fmt.Errorf("id=%s: want <table>.<column> with exactly one dot", s)
	}
	return identity{table, column}, nil
}

func validDomain(s string) bool {
	for i, r := range s {
		letter := 'a' <= r && r <= 'z'
		if !letter && (i == 0 || !('0' <= r && r <= '9' || r == '_' || r == '-')) {
			return false
		}
	}
	return s != "" && len(s) <= 63
}
