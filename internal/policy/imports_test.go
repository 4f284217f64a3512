package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// layers says which packages of this module a package may reach, directly or
// not: imports run downwards only. The first row that matches counts. internal
// packages may be imported by all, but what they reach counts as well.
var layers = []struct {
	packages string
	may      []string
}{
	{"keymgr", nil},
	{"keymgr/...", []string{"keymgr/..."}},
	{"fieldcrypt", []string{"keymgr"}},
	{"fieldcrypt/...", []string{"keymgr/...", "fieldcrypt/..."}},
	{"drivers/gormcrypt/...", []string{"keymgr", "fieldcrypt", "drivers/gormcrypt/..."}},
	{"drivers/pgxcrypt/...", []string{"keymgr", "fieldcrypt", "drivers/pgxcrypt/..."}},
	{"drivers/drivertest/...", []string{"keymgr/...", "fieldcrypt/...", "drivers/drivertest/..."}},
	{"migrate/...", []string{"keymgr/...", "fieldcrypt/...", "migrate/..."}},
	{"cmd/...", []string{"keymgr/...", "fieldcrypt/...", "drivers/...", "migrate/...", "cmd/..."}},
	{"internal/...", []string{"keymgr/...", "fieldcrypt/...", "drivers/...", "migrate/..."}},
	{"examples/...", []string{"keymgr/...", "fieldcrypt/...", "drivers/...", "migrate/...", "examples/..."}},
}

// reserved lists what only some packages of this module may reach.
var reserved = []struct {
	what     []string // import paths
	by       []string // packages of this module
	directly bool     // look at the package's own imports alone
}{
	{
		what: []string{"github.com/aws/..."},
		by:   []string{"keymgr/awskms/...", "cmd/...", "examples/...", "internal/..."},
	},
	{
		what: []string{"gorm.io/..."},
		by:   []string{"drivers/gormcrypt/...", "examples/...", "internal/dbtest/..."},
	},
	{
		what: []string{"github.com/jackc/..."},
		by:   []string{"drivers/pgxcrypt/...", "migrate/...", "cmd/...", "examples/...", "internal/..."},
	},
	{
		what: []string{"modernc.org/...", "github.com/mattn/go-sqlite3", "github.com/lib/pq", "gorm.io/driver/..."},
		by:   []string{"cmd/...", "examples/...", "internal/dbtest/..."},
	},
	{
		// Nothing that comes from a guessable source may get near a key, a
		// nonce or a salt.
		what:     []string{"math/rand/..."},
		by:       []string{"cmd/...", "examples/...", "internal/dbtest/..."},
		directly: true,
	},
	{
		what: []string{"testing"},
		by:   append([]string{"examples/..."}, forTests...),
	},
}

// forTests are the packages that serve tests alone.
var forTests = []string{
	"keymgr/keymgrtest/...", "keymgr/awskms/awskmstest/...", "drivers/drivertest/...",
	"internal/pgtest/...", "internal/dbtest/...", "internal/policy/...",
}

// importViolations returns one line for each import that breaks a rule.
func (g graph) importViolations() []string {
	var bad []string
	for _, p := range g.sorted() {
		if p.ours() {
			bad = append(bad, g.layerViolations(p)...)
			bad = append(bad, g.reservedViolations(p)...)
		}
	}
	slices.Sort(bad)
	return bad
}

func (g graph) layerViolations(p *pkg) []string {
	self := p.rel()
	var may []string
	found := false
	for _, l := range layers {
		if found = under(self, []string{l.packages}); found {
			may = l.may
			break
		}
	}
	if !found {
		return []string{self + ": in no layer: give it one in internal/policy"}
	}
	var bad []string
	via := g.reach(p.ImportPath)
	for dep := range via {
		q := g[dep]
		if q == nil || q == p || !q.ours() {
			continue
		}
		switch to := q.rel(); {
		case under(to, forTests) && !under(self, append([]string{"examples/..."}, forTests...)):
			bad = append(bad, fmt.Sprintf("%s: %s serves tests alone: %s", self, to, chain(via, dep)))
		case under(to, []string{"internal/..."}):
		case !under(to, may):
			bad = append(bad, fmt.Sprintf("%s: may not reach %s: %s", self, to, chain(via, dep)))
		}
	}
	return bad
}

func (g graph) reservedViolations(p *pkg) []string {
	var bad []string
	for _, r := range reserved {
		if under(p.rel(), r.by) {
			continue
		}
		via := g.reach(p.ImportPath)
		for dep, from := range via {
			q := g[dep]
			if r.directly && from != p.ImportPath || q == nil || q.ours() {
				continue
			}
			if under(dep, r.what) {
				bad = append(bad, fmt.Sprintf("%s: may not reach %s: %s", p.rel(), dep, chain(via, dep)))
				break // one example of the rule is enough
			}
		}
	}
	return bad
}

func TestImportsRunDownwards(t *testing.T) {
	for _, v := range load(t).importViolations() {
		t.Error(v)
	}
}

// fake makes a graph from who imports whom; "x test" stands for the tests of x.
// A name that begins with a host is a third-party package, std/ one of the
// standard library, and all others are packages of this module.
func fake(imports map[string][]string) graph {
	g := graph{}
	add := func(name string) *pkg {
		first, rest, _ := strings.Cut(name, "/")
		p := &pkg{ImportPath: name, GoFiles: []string{"x.go"}, Module: &module{Path: name}}
		switch {
		case first == "std":
			p.ImportPath, p.Module, p.Standard = rest, nil, true
		case !strings.Contains(first, "."):
			p.ImportPath, p.Module = modulePath+"/"+name, &module{Path: modulePath, Main: true}
		}
		if g[p.ImportPath] == nil {
			g[p.ImportPath] = p
		}
		return g[p.ImportPath]
	}
	for name, deps := range imports {
		name, tests := strings.CutSuffix(name, " test")
		for _, d := range deps {
			p, path := add(name), add(d).ImportPath
			if tests {
				p.TestImports = append(p.TestImports, path)
			} else {
				p.Imports = append(p.Imports, path)
			}
		}
	}
	return g
}

func TestImportRulesCatch(t *testing.T) {
	for name, imports := range map[string]map[string][]string{
		"keymgr reaches up":                    {"keymgr": {"fieldcrypt"}},
		"keymgr reaches up through internal":   {"keymgr": {"internal/x"}, "internal/x": {"fieldcrypt"}},
		"core imports a provider":              {"fieldcrypt": {"keymgr/localkms"}},
		"core reaches the AWS SDK":             {"fieldcrypt": {"example.com/x"}, "example.com/x": {"github.com/aws/aws-sdk-go-v2/aws"}},
		"core reaches GORM":                    {"fieldcrypt": {"gorm.io/gorm"}},
		"core reaches pgx":                     {"fieldcrypt/devkeys": {"github.com/jackc/pgx/v5"}},
		"a GORM driver in the GORM plugin":     {"drivers/gormcrypt": {"gorm.io/driver/sqlite"}},
		"one driver imports another":           {"drivers/gormcrypt": {"drivers/pgxcrypt"}},
		"a guessable source":                   {"keymgr/localkms": {"std/math/rand/v2"}},
		"testing in production code":           {"keymgr/sqlstore": {"std/testing"}},
		"a package for tests in the CLI":       {"cmd/fieldcrypt": {"keymgr/keymgrtest"}},
		"somebody imports the database tests":  {"migrate": {"internal/dbtest"}},
		"somebody imports an example":          {"cmd/fieldcrypt": {"examples/quickstart"}},
		"a package that no layer speaks of":    {"toolbox": {"keymgr"}},
		"a migrator that knows an ORM":         {"migrate": {"drivers/gormcrypt"}},
		"keys from the store of another floor": {"keymgr/sqlstore": {"migrate/leases"}},
	} {
		t.Run(name, func(t *testing.T) {
			if bad := fake(imports).importViolations(); len(bad) == 0 {
				t.Error("not caught")
			}
		})
	}
	fine := fake(map[string][]string{
		"keymgr":             {"internal/frame", "github.com/tink-crypto/tink-go/v2/aead"},
		"keymgr/awskms":      {"keymgr", "github.com/aws/aws-sdk-go-v2/service/kms"},
		"fieldcrypt":         {"keymgr", "internal/frame"},
		"fieldcrypt/devkeys": {"fieldcrypt", "keymgr/localkms", "keymgr/sqlstore"},
		"drivers/gormcrypt":  {"fieldcrypt", "keymgr", "gorm.io/gorm"},
		"internal/dbtest":    {"drivers/gormcrypt", "internal/pgtest", "gorm.io/driver/postgres"},
	})
	for _, v := range fine.importViolations() {
		t.Errorf("caught what is allowed: %s", v)
	}
}
