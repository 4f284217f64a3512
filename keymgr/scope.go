package keymgr

import (
	"cmp"
	"fmt"
	"strings"
)

// Bounds of the names in a [Scope].
const (
	MaxDomainLen = 63
	MaxTenantLen = 128
)

// Scope names a pair of keysets: a domain, which is a class of data such as
// "medical", and a tenant, which is "" where the domain's keys are not per
// tenant.
type Scope struct {
	Domain string `json:"domain"`           // [a-z][a-z0-9_-]{0,62}
	Tenant string `json:"tenant,omitempty"` // [A-Za-z0-9._:-]{1,128}, or ""
}

// Validate returns ErrInvalidScope if a name breaks its rule.
func (s Scope) Validate() error {
	if !validDomain(s.Domain) {
		return fmt.Errorf("%w: domain %q does not match [a-z][a-z0-9_-]{0,62}", ErrInvalidScope, clip(s.Domain))
	}
	if s.Tenant != "" && !validTenant(s.Tenant) {
		return fmt.Errorf("%w: domain %q: a tenant must match [A-Za-z0-9._:-]{1,128}", ErrInvalidScope, s.Domain)
	}
	return nil
}

// String returns "domain" or "domain/tenant".
func (s Scope) String() string {
	if s.Tenant == "" {
		return s.Domain
	}
	return s.Domain + "/" + s.Tenant
}

func validDomain(s string) bool {
	if s == "" || len(s) > MaxDomainLen || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return !('a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '_' || r == '-')
	})
}

func validTenant(s string) bool {
	if s == "" || len(s) > MaxTenantLen {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("._:-", r))
	})
}

// clip bounds what a wrong name can put into an error.
func clip(s string) string {
	if len(s) > MaxDomainLen+1 {
		return s[:MaxDomainLen+1] + "…"
	}
	return s
}

// compare orders scopes as a [Store] lists them.
func (s Scope) compare(other Scope) int {
	return cmp.Or(cmp.Compare(s.Domain, other.Domain), cmp.Compare(s.Tenant, other.Tenant))
}
