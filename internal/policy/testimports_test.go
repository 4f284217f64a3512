package policy

import (
	"fmt"
	"slices"
	"testing"
)

// testImportViolations returns one line for each third-party module that the
// tests beside a public package reach and the package itself does not: a heavy
// import in such a test gets into the go.sum of every user.
func (g graph) testImportViolations() []string {
	var bad []string
	for _, p := range g.sorted() {
		if !p.public() {
			continue
		}
		allowed := map[string]bool{}
		for dep := range g.reach(p.ImportPath) {
			allowed[g.thirdParty(dep)] = true
		}
		seen := map[string]bool{}
		via := g.reach(slices.Concat(p.TestImports, p.XTestImports)...)
		for dep := range via {
			if m := g.thirdParty(dep); m != "" && !allowed[m] && !seen[m] {
				seen[m] = true
				bad = append(bad, fmt.Sprintf("%s: its tests bring in %s: %s", p.rel(), m, chain(via, dep)))
			}
		}
	}
	slices.Sort(bad)
	return bad
}

// thirdParty returns the module of a package, or "" for the standard library
// and for ourselves.
func (g graph) thirdParty(path string) string {
	p := g[path]
	if p == nil || p.Standard || p.Module == nil || p.Module.Main {
		return ""
	}
	return p.Module.Path
}

func TestTestsBesidePublicPackagesBringInNothing(t *testing.T) {
	for _, v := range load(t).testImportViolations() {
		t.Error(v + " (such a test belongs in internal/dbtest)")
	}
}

func TestTestImportRuleCatches(t *testing.T) {
	tink := "github.com/tink-crypto/tink-go/v2/aead"
	for name, imports := range map[string]map[string][]string{
		"directly":         {"keymgr": {tink}, "keymgr test": {"example.com/assert"}},
		"through our own":  {"keymgr": {tink}, "keymgr test": {"internal/pgtest"}, "internal/pgtest": {"github.com/jackc/pgx/v5"}},
		"through a module": {"keymgr": {tink}, "keymgr test": {tink + "/x"}, tink + "/x": {"example.com/assert"}},
	} {
		t.Run(name, func(t *testing.T) {
			if bad := fake(imports).testImportViolations(); len(bad) == 0 {
				t.Error("not caught")
			}
		})
	}
	fine := fake(map[string][]string{
		"keymgr":               {tink, "example.com/needed"},
		"keymgr test":          {"std/testing", tink, "keymgr/keymgrtest"},
		"keymgr/keymgrtest":    {"keymgr", "example.com/needed"},
		"internal/dbtest test": {"example.com/assert"},
	})
	for _, v := range fine.testImportViolations() {
		t.Errorf("caught what is allowed: %s", v)
	}
}
