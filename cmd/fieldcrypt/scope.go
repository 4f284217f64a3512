package main

import (
	"slices"
	"strings"

	"github.com/fieldcrypt/go/keymgr"
)

// parseScopes reads arguments of the form <domain>[/<tenant>].
func parseScopes(args []string) ([]keymgr.Scope, error) {
	if len(args) == 0 {
		return nil, usagef("which scope? Name a domain, such as medical, or a tenant's keys in it, such as medical/acme")
	}
	var scopes []keymgr.Scope
	for _, arg := range args {
		s, err := parseScope(arg)
		if err != nil {
			return nil, err
		}
		if slices.Contains(scopes, s) {
			return nil, usagef("%s is named twice", s)
		}
		scopes = append(scopes, s)
	}
	return scopes, nil
}

func parseScope(arg string) (keymgr.Scope, error) {
	domain, tenant, perTenant := strings.Cut(arg, "/")
	s := keymgr.Scope{Domain: domain, Tenant: tenant}
	if err := s.Validate(); err != nil {
		return keymgr.Scope{}, usage(err)
	}
	if perTenant && tenant == "" {
		return keymgr.Scope{}, usagef("%s/: the tenant is missing; without the slash it is the domain's own keys", domain)
	}
	return s, nil
}
