package migratecmd

import (
	"math"
	"strconv"
	"strings"

	"github.com/fieldcrypt/go/keymgr"
)

// parseScope reads <domain>[/<tenant>].
func parseScope(arg string) (keymgr.Scope, error) {
	domain, tenant, perTenant := strings.Cut(arg, "/")
	s := keymgr.Scope{Domain: domain, Tenant: tenant}
	if err := s.Validate(); err != nil {
		return keymgr.Scope{}, usage(err)
	}
	if perTenant && tenant == "" {
		return keymgr.Scope{}, usagef("%s/: the tenant is missing; without the slash it is all of the domain", domain)
	}
	return s, nil
}

// oneScope is the scope that is a command's only argument.
func oneScope(args []string) (keymgr.Scope, error) {
	if len(args) != 1 {
		return keymgr.Scope{}, usagef("which keys? Name a domain, such as medical, or a tenant's in it, such as medical/acme")
	}
	return parseScope(args[0])
}

// scopeOfKey is the scope in the arguments of a command that takes a key of it, too.
func scopeOfKey(args []string) (keymgr.Scope, error) {
	if len(args) != 2 {
		return keymgr.Scope{}, usagef("which key? Name the scope and the key's id, as `keys show` prints it")
	}
	if _, err := parseKey(args[1]); err != nil {
		return keymgr.Scope{}, err
	}
	return parseScope(args[0])
}

func parseKey(arg string) (uint32, error) {
	text, base := arg, 10
	if hex, ok := strings.CutPrefix(arg, "0x"); ok {
		text, base = hex, 16 // as errors of applications print it
	}
	id, err := strconv.ParseUint(text, base, 32)
	if err != nil || id == 0 || id > math.MaxUint32 {
		return 0, usagef("%q is no key id: it is a number, as `keys show` prints it, or 0x and eight hex digits", arg)
	}
	return uint32(id), nil
}

func parseKeys(args []string) (ids []uint32, err error) {
	for _, arg := range args {
		id, err := parseKey(arg)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// parseSample reads a fraction of rows: 1% or 0.01.
func parseSample(s string) (float64, error) {
	if s == "" {
		return 0, nil
	}
	text, percent := strings.CutSuffix(s, "%")
	f, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if percent {
		f /= 100
	}
	if err != nil || !(f > 0 && f <= 1) {
		return 0, usagef("--sample is a part of the rows, such as 1%% or 0.01")
	}
	if f == 1 {
		return 0, nil
	}
	return f, nil
}
